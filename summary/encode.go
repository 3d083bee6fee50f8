package summary

import (
	"encoding/binary"
	"math"

	"github.com/muster-queue/muster/job"
)

// formatGroup is the first byte of the stored form.
const formatGroup = 1

// Append appends the stored form.
func (g *Group) Append(b []byte) []byte {
	b = binary.AppendVarint(append(b, formatGroup), g.Count)
	b = binary.AppendVarint(b, int64(g.First))
	b = binary.AppendVarint(b, int64(g.Last))
	stale := byte(0)
	if g.Stale {
		stale = 1
	}
	b = append(b, stale)
	for _, s := range g.spreads() {
		b = s.append(b)
	}
	return b
}

func (g *Group) spreads() [4]*Spread { return [...]*Spread{&g.Memory, &g.Disk, &g.CPU, &g.Wall} }

func (s *Spread) append(b []byte) []byte {
	b = binary.AppendVarint(b, s.Count)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.Sum))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(s.squares))
	b = binary.AppendUvarint(b, uint64(len(s.bins)))
	last := uint16(0)
	for _, bin := range s.bins {
		b = binary.AppendUvarint(b, uint64(bin.index-last))
		b = binary.AppendUvarint(b, uint64(bin.count))
		last = bin.index
	}
	return b
}

// Decode reads what Append wrote. The error is Damaged.
func Decode(b []byte) (*Group, error) {
	r := reader{b: b}
	if r.byte() != formatGroup {
		return nil, job.Errorf(job.Damaged, "a summary is of an unknown format; was it written by a newer release?")
	}
	g := &Group{Count: r.varint(), First: job.Time(r.varint()), Last: job.Time(r.varint()), Stale: r.byte() == 1}
	for _, s := range g.spreads() {
		r.spread(s)
	}
	if r.bad || len(r.b) > 0 {
		return nil, job.Errorf(job.Damaged, "a summary is cut off or has bytes too many")
	}
	return g, nil
}

// reader takes fields off; after a bad one everything is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) float() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(r.take(8)))
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) spread(s *Spread) {
	s.Count, s.Sum, s.squares = r.varint(), r.float(), r.float()
	last := uint64(0)
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		last += r.uvarint()
		count := r.uvarint()
		if last > math.MaxUint16 || count == 0 || count > math.MaxUint32 {
			r.bad = true
			return
		}
		s.bins = append(s.bins, bin{uint16(last), uint32(count)})
	}
}
