package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// AddOptions say how jobs are added. The zero value keeps what exists and
// refuses a batch with a bad job in it.
type AddOptions struct {
	// Existing says what about jobs that are there.
	Existing job.Existing
	// Kick also kicks those that are there and buried.
	Kick bool
	// Partial adds the good jobs of a batch when others are bad; Item gets those.
	Partial bool
	// Defined adds only to queues that have a definition: a batch for others is
	// refused (job.ErrNoQueue).
	Defined bool
	// Defaults is what jobs that leave a field out take; maps and lists are joined.
	Defaults *job.Job
	// Item, if set, is told what became of refused jobs, and with EveryItem of
	// all. It is called from another goroutine, one call at a time, in order.
	Item      func(AddedItem)
	EveryItem bool
	// Batch is how many jobs are sent together, Window how many batches may be
	// unanswered; zero means 1000 and 8.
	Batch, Window int
}

// Added says what became of added jobs; each is counted once.
type Added struct {
	Added, Existed, Replaced, Rerun, Kicked, Refused int64
}

// Total is how many jobs were answered for.
func (a *Added) Total() int64 {
	return a.Added + a.Existed + a.Replaced + a.Rerun + a.Kicked + a.Refused
}

func (a *Added) add(m *musterv1.AddJobsResponse) {
	a.Added += m.Added
	a.Existed += m.Existed
	a.Replaced += m.Replaced
	a.Rerun += m.Rerun
	a.Kicked += m.Kicked
	a.Refused += m.Refused
}

// AddedItem is what became of one job.
type AddedItem struct {
	// Number is its place among the jobs of the Adder, from 1; Line the one
	// given with it, or zero.
	Number, Line int64
	Queue        string
	Key          job.Key
	ID           string
	// Seq is its number; zero when it was refused or is complete.
	Seq job.Seq
	// Result is added, existed, replaced, rerun, kicked or refused; Err why.
	Result string
	Err    error
}

// AddJobs adds a few jobs at once, all or (unless Partial) none, and tells what
// became of each. Many are better added with an Adder.
func (n *Namespace) AddJobs(ctx context.Context, o AddOptions, jobs ...*job.Job) (Added, []AddedItem, error) {
	q := o.request(n.name)
	q.Items = true
	for _, j := range jobs {
		q.Jobs = append(q.Jobs, api.FromJob(j))
	}
	m, err := call(ctx, n.c, n.c.jobs.AddBatch, q)
	if err != nil {
		return Added{}, nil, err
	}
	var sum Added
	sum.add(m)
	items, err := addedItems(m, 0)
	return sum, items, err
}

func (o *AddOptions) request(namespace string) *musterv1.AddJobsRequest {
	q := &musterv1.AddJobsRequest{
		Namespace: namespace, Existing: api.ExistingText(o.Existing), Kick: o.Kick, Partial: o.Partial, Items: o.EveryItem,
		Defined: o.Defined, RequestId: newID(),
	}
	if o.Defaults != nil {
		q.Defaults = api.FromJob(o.Defaults)
	}
	return q
}

func addedItems(m *musterv1.AddJobsResponse, before int64) ([]AddedItem, error) {
	items := make([]AddedItem, len(m.Items))
	for i, item := range m.Items {
		key, err := api.ParseKey(item.Key)
		if err != nil {
			return nil, answered(err)
		}
		items[i] = AddedItem{
			Number: before + int64(item.Item), Line: item.Line, Queue: item.Queue, Key: key, ID: item.Id, Seq: job.Seq(item.Seq),
			Result: item.Result, Err: api.ToError(item.Error),
		}
	}
	slices.SortFunc(items, func(a, b AddedItem) int { return cmp.Compare(a.Number, b.Number) })
	return items, nil
}

// Bounds of a batch beside its number of jobs, and the defaults.
const (
	batchBytes    = 1 << 20
	defaultBatch  = 1000
	defaultWindow = 8
)

// Adder adds any number of jobs over one stream, in batches, with a bounded
// number of them unanswered: it takes the memory of those, and Add waits when
// the server is busy. A lost connection is made again; jobs are neither lost nor
// added twice by that. Its methods are called from one goroutine at a time.
type Adder struct {
	c    *Client
	ctx  context.Context
	end  context.CancelFunc
	o    AddOptions
	next *batch // being filled
	size int
	seen int64 // jobs given to Add
	common

	slots chan struct{} // one taken for each batch that is not answered
	wake  chan struct{}
	done  chan struct{} // closed when run has ended

	mu      sync.Mutex
	pending []*batch // not answered, in order
	sent    int      // how many of pending went over the present stream
	closed  bool
	sum     Added
	err     error
}

// batch is a message with its place among the jobs.
type batch struct {
	*musterv1.AddJobsRequest
	before int64 // jobs in earlier batches
}

// Add begins to add jobs. The Adder must be closed.
func (n *Namespace) Add(ctx context.Context, o AddOptions) *Adder {
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	if o.Window <= 0 {
		o.Window = defaultWindow
	}
	ctx, end := context.WithCancel(ctx)
	a := &Adder{
		c: n.c, ctx: ctx, end: end, o: o,
		slots: make(chan struct{}, o.Window), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	a.next = &batch{AddJobsRequest: o.request(n.name)}
	go a.run()
	return a
}

// Add adds a job, some time until Flush; nobody may write into it any more. Line
// is its place in the input it is from, for messages; zero if there is none.
func (a *Adder) Add(j *job.Job, line int64) error {
	m := api.FromJob(j)
	if err := a.share(m); err != nil {
		return err
	}
	a.next.Jobs = append(a.next.Jobs, m)
	a.next.Lines = append(a.next.Lines, line)
	a.seen++
	if a.size += proto.Size(m); len(a.next.Jobs) >= a.o.Batch || a.size >= batchBytes {
		return a.push()
	}
	return nil
}

// share takes out of m what the jobs of the batch have in common, in a new batch
// if need be.
func (a *Adder) share(m *musterv1.Job) error {
	if a.o.Defaults != nil {
		return nil
	}
	if !a.common.fits(m) {
		a.common.misses++
		if err := a.push(); err != nil {
			return err
		}
	}
	if len(a.next.Jobs) == 0 {
		a.next.Defaults = a.common.begin(m)
	}
	a.common.take(m)
	return nil
}

// push hands the batch that is being filled over, when there is room for it.
func (a *Adder) push() error {
	if len(a.next.Jobs) == 0 {
		return a.failed()
	}
	if err := a.acquire(); err != nil {
		return err
	}
	b := a.next
	a.next = &batch{before: a.seen, AddJobsRequest: a.o.request(b.Namespace)}
	a.size = 0
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return job.Errorf(job.Invalid, "add: the adder was closed")
	}
	a.pending = append(a.pending, b)
	a.signal()
	return nil
}

// acquire takes a slot, or tells why there will be none.
func (a *Adder) acquire() error {
	select {
	case a.slots <- struct{}{}:
		return a.failed()
	case <-a.done:
		return a.failed()
	}
}

func (a *Adder) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

func (a *Adder) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Flush waits until every job so far is durably added or refused.
func (a *Adder) Flush() error {
	if err := a.push(); err != nil {
		return err
	}
	for range cap(a.slots) {
		if err := a.acquire(); err != nil {
			return err
		}
	}
	for range cap(a.slots) {
		<-a.slots
	}
	return nil
}

// Sum is what became of the jobs answered for so far.
func (a *Adder) Sum() Added {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sum
}

// Close flushes, ends the adding, and sums it up. After an error the sum is of
// what was answered before.
func (a *Adder) Close() (Added, error) {
	defer a.end()
	if err := a.Flush(); err != nil {
		a.end()
		<-a.done
		return a.Sum(), err
	}
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.signal()
	<-a.done
	return a.Sum(), a.failed()
}

// run keeps a stream until the adder is closed, or fails.
func (a *Adder) run() {
	defer close(a.done)
	r := a.c.retry()
	for {
		err := a.stream(r)
		if err == nil {
			return
		}
		if err = r.again(a.ctx, err); err != nil {
			a.mu.Lock()
			a.err = err
			a.mu.Unlock()
			return
		}
	}
}

// stream is one connection: what is not answered is sent again, and the server
// knows by the request ids what it did already.
func (a *Adder) stream(r *retry) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	stream, err := a.c.jobs.AddJobs(ctx)
	if err != nil {
		return a.c.failure(a.ctx, err)
	}
	a.mu.Lock()
	a.sent = 0
	a.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- a.receive(stream.Recv, r) }()
	for {
		b, last := a.toSend()
		switch {
		case b != nil:
			if stream.Send(b.AddJobsRequest) != nil {
				return <-ended // it knows why
			}
			continue
		case last:
			_ = stream.CloseSend() // what goes wrong with it, receive tells
			return a.ending(<-ended)
		}
		select {
		case <-a.wake:
		case err := <-ended:
			return a.ending(err)
		}
	}
}

// ending is the end of a stream: in peace only when nothing is left to do.
func (a *Adder) ending(err error) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed && len(a.pending) == 0 {
		return nil
	}
	return job.ErrClosed
}

// toSend is the next batch to send, and whether the last one is answered.
func (a *Adder) toSend() (b *batch, last bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent < len(a.pending) {
		b = a.pending[a.sent]
		a.sent++
		return b, false
	}
	return nil, a.closed && len(a.pending) == 0
}

// receive takes the answers of a stream until it ends.
func (a *Adder) receive(recv func() (*musterv1.AddJobsResponse, error), r *retry) error {
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return a.located(a.c.failure(a.ctx, err))
		}
		if err := a.answer(m, r); err != nil {
			return err
		}
	}
}

func (a *Adder) answer(m *musterv1.AddJobsResponse, r *retry) error {
	a.mu.Lock()
	if len(a.pending) == 0 || a.pending[0].RequestId != m.RequestId {
		a.mu.Unlock()
		return job.Errorf(job.Internal, "add jobs: the server at %s answered out of order", a.c.cfg.Address)
	}
	b := a.pending[0]
	a.pending = a.pending[1:]
	a.sent--
	a.sum.add(m)
	a.mu.Unlock()
	r.worked()
	if a.o.Item != nil {
		items, err := addedItems(m, b.before)
		if err != nil {
			return err
		}
		for _, item := range items {
			a.o.Item(item)
		}
	}
	<-a.slots
	return nil
}

// located makes the place of a bad job one among all, where no line was given.
func (a *Adder) located(err error) error {
	var item *api.ItemError
	if !errors.As(err, &item) || item.Line > 0 {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending) == 0 || a.pending[0].before == 0 {
		return err
	}
	return job.Wrap(err, "add", fmt.Sprintf("jobs %d to %d", a.pending[0].before+1, a.pending[0].before+int64(len(a.pending[0].Jobs))))
}
