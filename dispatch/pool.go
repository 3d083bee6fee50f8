package dispatch

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
)

// Pool is a scheduler with its reconciler, for those who store what changed instead
// of everything.
type Pool struct {
	Scheduler  *Scheduler
	Reconciler *Reconciler

	// journal is that of both, once anybody wants to know what changed. rich are the
	// balances that were stored of accounts with more than their cap.
	journal *journal
	rich    map[AccountID]Balance
}

// NewPool makes a pool with nothing in it but accounts. Errors: Invalid.
func NewPool(t time.Time, cfg Config) (*Pool, error) {
	s, err := NewWithConfig(t, cfg)
	if err != nil {
		return nil, err
	}
	return &Pool{Scheduler: s, Reconciler: New()}, nil
}

// NewPoolFromProto makes the pool that ToProto described. Errors: Invalid.
func NewPoolFromProto(doc *dispatchpb.Pool) (*Pool, error) {
	s, err := NewSchedulerFromProto(doc.GetScheduler())
	if err != nil {
		return nil, err
	}
	r, err := NewFromProto(doc.GetReconciler())
	if err != nil {
		return nil, err
	}
	return &Pool{Scheduler: s, Reconciler: r}, nil
}

// ToProto describes the pool with all it knows.
func (p *Pool) ToProto() *dispatchpb.Pool {
	return &dispatchpb.Pool{Scheduler: p.Scheduler.ToProto(), Reconciler: p.Reconciler.ToProto()}
}

// Wipe forgets everything but the settings and the accounts, which have nothing on
// them afterwards. The clock begins anew at a time, which heals a pool that was told
// of times to come.
func (p *Pool) Wipe(t time.Time) {
	old, cfg := *p, p.Scheduler.Config()
	s := newScheduler(cfg)
	s.start(normal(t))
	p.Scheduler, p.Reconciler = s, New()
	s.journal, p.Reconciler.journal = p.journal, p.journal
	for id, a := range cfg.AccountConfigs {
		s.setAccount(id, a)
	}
	old.touchAll(p.journal)
}

// Changed are the records of all that changed since the last call, by key; at the first
// call, of everything. Stored one over the other they are what LoadPool takes. A
// request's ExaminedTime is that of its last change.
func (p *Pool) Changed() []Record {
	if p.journal == nil {
		p.follow()
		p.touchAll(p.journal)
	}
	for _, a := range p.Scheduler.core.Changed() {
		p.journal.touch(accountRecord, a.Name)
	}
	for id, b := range p.rich {
		if p.Scheduler.reckoned()[id] != b {
			p.journal.touch(accountRecord, string(id))
		}
	}
	all := make([]Record, 0, len(p.journal.keys))
	for k := range p.journal.keys {
		all = append(all, p.record(k))
	}
	clear(p.journal.keys)
	slices.SortFunc(all, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// follow begins to note what changes.
func (p *Pool) follow() {
	p.journal, p.rich = newJournal(), map[AccountID]Balance{}
	p.Scheduler.journal, p.Reconciler.journal = p.journal, p.journal
}

// touchAll notes everything there is.
func (p *Pool) touchAll(j *journal) {
	j.touch(configRecord, "")
	for id, payer := range p.Scheduler.payers {
		if payer.config != nil {
			j.touch(accountRecord, string(id))
		}
	}
	for id := range p.Scheduler.requests {
		j.touch(requestRecord, string(id))
	}
	for id := range p.Scheduler.workers {
		j.touch(workerRecord, string(id))
	}
	for id := range p.Reconciler.queues {
		j.touch(queueRecord, string(id))
	}
	for id := range p.Reconciler.errors {
		j.touch(errorRecord, string(id))
	}
}

// record is the thing as it is to be stored.
func (p *Pool) record(k thing) Record {
	r := Record{Key: k.kind.key(k.id)}
	m := p.message(k)
	if m == nil {
		r.Gone = true
		return r
	}
	body, err := proto.Marshal(m)
	if err != nil {
		// Only text that is not UTF-8 cannot be encoded, and none gets in.
		panic("dispatch: encoding " + r.Key + ": " + err.Error())
	}
	r.Body = body
	return r
}
