package schedule

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// The columns of a vec. The usual resources have one each; all others share one,
// which tells only that something cannot fit: that it fits is checked by name.
const (
	colCPU = iota
	colMemory
	colDisk
	colGPU
	named
	colRest  = iota - 1 // the largest amount of any other resource
	colUntil = iota - 1 // when a job with a time bound must have ended
	colStart = iota - 1 // when any job must have ended, for a reservation
	columns  = iota - 1
)

var columnNames = [named]string{job.CPU, job.Memory, job.Disk, "gpu"}

// vec is what indexes compare. never is an amount that asks nothing and no
// worker lacks; always what no job exceeds.
type vec [columns]int64

const (
	always = math.MaxInt64
	never  = -math.MaxInt64
)

// anything is a bound that every vec is within.
var anything = vec{always, always, always, always, always, always, always}

// covers reports whether v has at least q in every column.
func (v *vec) covers(q *vec) bool {
	return v[0] >= q[0] && v[1] >= q[1] && v[2] >= q[2] && v[3] >= q[3] &&
		v[4] >= q[4] && v[5] >= q[5] && v[6] >= q[6]
}

// raise makes v cover o.
func (v *vec) raise(o *vec) {
	for i := range v {
		v[i] = max(v[i], o[i])
	}
}

// lower makes o cover v.
func (v *vec) lower(o *vec) {
	for i := range v {
		v[i] = min(v[i], o[i])
	}
}

// negated turns "at most" into "at least".
func (v *vec) negated() vec {
	var n vec
	for i := range v {
		n[i] = -v[i]
	}
	return n
}

// at makes the two times of a bound relative to now.
func (v vec) at(now job.Time) vec {
	for _, c := range [...]int{colUntil, colStart} {
		if v[c] != always {
			v[c] -= int64(now)
		}
	}
	return v
}

// amount is an amount of a resource that has no column of its own.
type amount struct {
	name string
	v    int64
}

// amounts are resources in columns; the rest sorted by name.
type amounts struct {
	col  [named]int64
	rest []amount
}

func amountsOf(r job.Resources) amounts {
	var a amounts
	for name, v := range r {
		if i := slices.Index(columnNames[:], name); i >= 0 {
			a.col[i] = v
		} else {
			a.rest = append(a.rest, amount{name, v})
		}
	}
	slices.SortFunc(a.rest, func(x, y amount) int { return cmp.Compare(x.name, y.name) })
	return a
}

// resources is the other way round, without zeros.
func (a *amounts) resources() job.Resources {
	r := job.Resources{}
	for i, v := range a.col {
		if v != 0 {
			r[columnNames[i]] = v
		}
	}
	for _, x := range a.rest {
		if x.v != 0 {
			r[x.name] = x.v
		}
	}
	return r
}

func (a *amounts) clone() amounts { return amounts{a.col, slices.Clone(a.rest)} }

// get is the amount of a resource by name; absent is zero.
func (a *amounts) get(name string) int64 {
	if i := slices.Index(columnNames[:], name); i >= 0 {
		return a.col[i]
	}
	if p := a.find(name); p != nil {
		return p.v
	}
	return 0
}

func (a *amounts) find(name string) *amount {
	for i := range a.rest {
		if a.rest[i].name == name {
			return &a.rest[i]
		}
	}
	return nil
}

// add adds times o to a; what a has no entry for is left out.
func (a *amounts) add(o *amounts, times int64) {
	for i := range a.col {
		a.col[i] += times * o.col[i]
	}
	for _, x := range o.rest {
		if p := a.find(x.name); p != nil {
			p.v += times * x.v
		}
	}
}

// fit reports whether the needs a fit into free. A need of zero always fits.
func (a *amounts) fit(free *amounts) bool {
	for i, v := range a.col {
		if v > 0 && v > free.col[i] {
			return false
		}
	}
	return a.restFit(free)
}

// restFit is fit for the resources without a column.
func (a *amounts) restFit(free *amounts) bool {
	for _, x := range a.rest {
		if x.v > 0 && x.v > free.get(x.name) {
			return false
		}
	}
	return true
}

// size measures amounts by one number, for best fit: thousandths of a core,
// with 4 GiB of memory, 64 GiB of disk and a sixteenth of anything else worth
// about one. Whatever fits into something is not larger by it.
func (a *amounts) size() int64 {
	var n size
	n.add(a.col[colCPU])
	n.add(a.col[colMemory] >> 22)
	n.add(a.col[colDisk] >> 26)
	n.addSpecial(a.col[colGPU])
	for _, x := range a.rest {
		n.addSpecial(x.v)
	}
	return int64(n)
}

// size is a sum of amounts that stops at the largest number there is.
type size int64

func (n *size) add(v int64) {
	switch {
	case v <= 0:
	case int64(*n) > always-v:
		*n = always
	default:
		*n += size(v)
	}
}

// addSpecial counts sixteen times.
func (n *size) addSpecial(v int64) {
	if v > always/16 {
		v = always / 16
	}
	n.add(16 * v)
}

// largestRest is the value of the shared column for what a worker has.
func (a *amounts) largestRest() int64 {
	n := int64(0)
	for _, x := range a.rest {
		n = max(n, x.v)
	}
	return n
}

// demand is what one attempt of a shape takes. It is never changed: a shape that
// changes gets another, and what is held keeps the old one.
type demand struct {
	amounts
	time time.Duration // zero: not bounded
	vol  int64         // size()
	// want is the demand as columns, times relative to the start.
	want vec
}

func newDemand(needs job.Resources, time time.Duration) *demand {
	d := &demand{amounts: amountsOf(needs), time: time}
	d.vol = d.size()
	for i, v := range d.col {
		d.want[i] = orNever(v)
	}
	d.want[colRest] = orNever(d.largestRest())
	d.want[colUntil], d.want[colStart] = never, always
	if time > 0 {
		d.want[colUntil], d.want[colStart] = int64(time), int64(time)
	}
	return d
}

func orNever(v int64) int64 {
	if v <= 0 {
		return never
	}
	return v
}

// from is what a worker must have at least for an attempt that starts now.
func (d *demand) from(now job.Time) vec {
	v := d.want
	if d.time > 0 {
		v[colUntil] += int64(now)
		v[colStart] += int64(now)
	}
	return v
}

// ends is when an attempt since then must have ended; zero is not known.
func (d *demand) ends(since job.Time) job.Time {
	if d.time == 0 {
		return 0
	}
	return since.Add(d.time)
}
