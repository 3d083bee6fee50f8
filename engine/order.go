package engine

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"

	"github.com/muster-queue/muster/job"
)

// Order is what jobs are listed by. Jobs without the value come last.
type Order uint8

// The orders.
const (
	OrderNone Order = iota
	OrderAdded
	OrderStarted
	// OrderEnded is by when they completed or were buried.
	OrderEnded
	// OrderWall, OrderCPU, OrderMemory and OrderDisk are by what the last attempt that
	// ended used.
	OrderWall
	OrderCPU
	OrderMemory
	OrderDisk
	OrderPriority
	OrderAttempts
	numOrders
)

var orderWords = [numOrders]string{"", "added", "started", "ended", "wall", "cpu", "memory", "disk", "priority", "attempts"}

// String is the order's word.
func (o Order) String() string {
	if o < numOrders {
		return orderWords[o]
	}
	return "order?"
}

// ParseOrder reads the word of an order, "-" before it for a descending one; the empty
// one is none. The error is Invalid.
func ParseOrder(word string) (o Order, descending bool, err error) {
	name := word
	if len(name) > 1 && name[0] == '-' {
		name, descending = name[1:], true
	}
	if i := slices.Index(orderWords[:], name); i >= 0 {
		return Order(i), descending, nil
	}
	return 0, false, job.Errorf(job.Invalid, "order_by: %.40q is unknown; use one of added, started, ended, wall, cpu, memory, disk, priority, attempts, with - before it for the largest first", word)
}

// orderEffort is how much is looked at for one ordered page, some seconds' worth.
const orderEffort = 10 * searchEffort

// ordered is the page of the jobs that come first in the order.
func (n *Namespace) ordered(ctx context.Context, r *ListRequest) (*ListResult, error) {
	if r.Token != "" {
		return nil, job.Errorf(job.Invalid, "page_token: an ordered listing has one page, of at most %d jobs; narrow the filter down", MaxPage)
	}
	t := &top{ns: n, request: r}
	e := &effort{left: orderEffort}
	err := n.eachLive(ctx, &r.Filter, 0, false, e, t.visit)
	if err == nil && !e.spent && t.err == nil {
		err = n.eachFinished(ctx, &r.Filter, 0, false, e, t.visit)
	}
	if err := cmp.Or(t.err, err); err != nil {
		return nil, err
	}
	result := &ListResult{Partial: e.spent}
	result.Jobs, err = n.infos(ctx, t.sorted(), r.Output, r.Env)
	return result, err
}

// infos completes jobs that were found, without those deleted since.
func (n *Namespace) infos(ctx context.Context, page []found, output, env bool) ([]*Info, error) {
	jobs, err := n.describe(page)
	if err == nil {
		err = n.findPayers(ctx, page, jobs)
	}
	if err != nil {
		return nil, err
	}
	var list []*Info
	for i := range page {
		if jobs[i] == nil {
			continue
		}
		info, err := n.info(&page[i], jobs[i], output, env)
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, nil
}

// top keeps the jobs that come first, as a heap with the last of them at its root.
type top struct {
	ns      *Namespace
	request *ListRequest
	jobs    []ranked
	err     error
}

// ranked is a job with its place: smaller ranks come first.
type ranked struct {
	rank float64
	found
}

func (t *top) visit(f *found, _ *job.Job) bool {
	value, err := t.ns.valueOf(t.request.Order, f)
	if err != nil {
		t.err = err
		return false
	}
	rank := value
	switch {
	case value == 0 && t.request.Order != OrderPriority:
		rank = math.Inf(1)
	case t.request.Descending:
		rank = -value
	}
	r := ranked{rank, *f}
	switch {
	case len(t.jobs) < t.request.Page:
		heap.Push(t, r)
	case compareRanks(&r, &t.jobs[0]) < 0:
		t.jobs[0] = r
		heap.Fix(t, 0)
	case t.request.Order == OrderEnded && t.request.Descending && f.end != 0:
		return false // all that follow ended earlier
	}
	return true
}

// compareRanks orders equal ranks by what was added first.
func compareRanks(a, b *ranked) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.live.Seq, b.live.Seq))
}

func (t *top) sorted() []found {
	slices.SortFunc(t.jobs, func(a, b ranked) int { return compareRanks(&a, &b) })
	page := make([]found, len(t.jobs))
	for i := range t.jobs {
		page[i] = t.jobs[i].found
	}
	return page
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t *top) Len() int           { return len(t.jobs) }
func (t *top) Less(i, k int) bool { return compareRanks(&t.jobs[i], &t.jobs[k]) > 0 }
func (t *top) Swap(i, k int)      { t.jobs[i], t.jobs[k] = t.jobs[k], t.jobs[i] }

// Push implements heap.Interface.
func (t *top) Push(x any) { t.jobs = append(t.jobs, x.(ranked)) }

// Pop implements heap.Interface; nothing is taken out.
func (t *top) Pop() any { return nil }

// valueOf is what a job is ordered by; zero for what it does not have.
func (n *Namespace) valueOf(o Order, f *found) (float64, error) {
	switch l := &f.live; o {
	case OrderAdded:
		return float64(l.Added), nil
	case OrderStarted:
		return float64(l.Started), nil
	case OrderEnded:
		if l.State == job.Buried {
			return float64(l.Since), nil
		}
		return float64(f.ended), nil
	case OrderPriority:
		return l.Priority, nil
	case OrderAttempts:
		return float64(l.Number), nil
	}
	u, err := n.usageOf(f)
	switch o {
	case OrderWall:
		return float64(u.Wall), err
	case OrderCPU:
		return float64(u.CPU), err
	case OrderMemory:
		return float64(u.Memory), err
	}
	return float64(u.Disk), err
}

// usageOf is what the last attempt of a job that ended used.
func (n *Namespace) usageOf(f *found) (u job.Usage, err error) {
	if f.past != nil {
		u = f.past.Used
		if u.Wall == 0 && f.live.Started != 0 {
			u.Wall = f.ended.Sub(f.live.Started)
		}
		return u, nil
	}
	a, err := n.lastAttempt(&f.live)
	if a == nil {
		return u, err
	}
	u = a.Result.Usage()
	if u.Wall == 0 && !a.Started.IsZero() {
		u.Wall = a.Ended.Sub(a.Started)
	}
	return u, nil
}
