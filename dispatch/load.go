package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
)

// LoadPool makes a pool of the latest record under each key, in any order; Changed
// then goes on from there. Errors: Damaged, when a record is missing or cannot be
// read; the message names its key.
func LoadPool(records []Record) (*Pool, error) {
	l := &loader{by: map[recordKind][]*Record{}, rich: map[AccountID]Balance{}}
	for i := range records {
		if records[i].Gone {
			continue
		}
		kind, _ := recordID(records[i].Key)
		l.by[kind] = append(l.by[kind], &records[i])
	}
	if err := l.load(); err != nil {
		return nil, err
	}
	p := &Pool{Scheduler: l.s, Reconciler: l.r}
	p.follow()
	maps.Copy(p.rich, l.rich)
	return p, nil
}

// loader makes a pool of records.
type loader struct {
	by   map[recordKind][]*Record
	s    *Scheduler
	r    *Reconciler
	now  time.Time
	rich map[AccountID]Balance

	queued []*request
}

func (l *loader) load() error {
	l.r = New()
	if len(l.by[configRecord]) != 1 {
		return job.Errorf(job.Damaged, "the pool has %d records config/; it needs one", len(l.by[configRecord]))
	}
	for _, step := range []struct {
		kind recordKind
		read func(body []byte) error
	}{
		{configRecord, l.config}, {accountRecord, l.account}, {workerRecord, l.worker}, {requestRecord, l.request},
		{queueRecord, l.queue}, {errorRecord, l.taskError},
	} {
		list := l.by[step.kind]
		delete(l.by, step.kind)
		slices.SortFunc(list, func(a, b *Record) int { return cmp.Compare(a.Key, b.Key) })
		for _, rec := range list {
			if err := step.read(rec.Body); err != nil {
				return damaged(rec.Key, err)
			}
		}
	}
	for kind, list := range l.by {
		return damaged(list[0].Key, job.Errorf(job.Damaged, "%q is no kind of record", kind))
	}
	l.s.queueAll(l.queued)
	l.s.watchIdle()
	l.s.start(l.now)
	l.s.core.Changed() // nothing of it is new
	return nil
}

func damaged(key string, err error) error {
	return job.Errorf(job.Damaged, "the record %q of the pool: %w", key, err)
}

func (l *loader) config(body []byte) error {
	p := &dispatchpb.ConfigRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	cfg, err := decodeConfig(&dispatchpb.SchedulerConfig{
		DisablePreemption: p.GetDisablePreemption(), BotExpiration: p.GetBotExpiration(), RequestExpiration: p.GetRequestExpiration(),
	})
	if err != nil {
		return err
	}
	l.s = newScheduler(cfg)
	l.now, err = timeIn("last_update_time", p.GetLastUpdateTime(), unixZero)
	return err
}

func (l *loader) account(body []byte) error {
	p := &dispatchpb.AccountRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	id, cfg := AccountID(p.GetId()), AccountConfigFromProto(p.GetConfig())
	if err := cfg.validate(id); err != nil {
		return err
	}
	b, err := balanceOf(p.GetBalance())
	if err != nil {
		return err
	}
	at, err := timeIn("balance_time", p.GetBalanceTime(), l.now)
	if err != nil {
		return err
	}
	if at.After(l.now) {
		return job.Errorf(job.Damaged, "its balance is of %v, but the pool of %v", at, l.now)
	}
	if cfg.overflows(b) {
		l.rich[id] = b
	}
	l.s.loadAccount(id, cfg, b, at)
	return nil
}

func (l *loader) worker(body []byte) error {
	p := &dispatchpb.WorkerRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	id, labels := WorkerID(p.GetId()), Labels(p.GetLabels())
	if err := checkWorker(id, labels); err != nil {
		return err
	}
	confirmed, err := timeIn("confirmed_time", p.GetConfirmedTime(), unixZero)
	if err != nil {
		return err
	}
	modified, err := timeIn("modified_time", p.GetModifiedTime(), l.now)
	if err != nil {
		return err
	}
	if l.s.workers[id] != nil {
		return job.Errorf(job.Damaged, "worker %s is there twice", id)
	}
	l.s.enrol(id, setOf(labels), confirmed, modified)
	return nil
}

func (l *loader) request(body []byte) error {
	p := &dispatchpb.RequestRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	req := &TaskRequest{
		ID: RequestID(p.GetId()), AccountID: AccountID(p.GetAccountId()), BaseLabels: p.GetBaseLabels(),
		ProvisionableLabels: p.GetProvisionableLabels(),
	}
	if err := req.times(p.GetEnqueueTime(), p.GetConfirmedTime(), p.GetExaminedTime()); err != nil {
		return err
	}
	if err := req.Validate(); err != nil {
		return err
	}
	if l.s.requests[req.ID] != nil {
		return job.Errorf(job.Damaged, "task %s is there twice", req.ID)
	}
	r := l.s.enter(req)
	if p.GetRun() == nil {
		l.queued = append(l.queued, r)
		return nil
	}
	return l.run(r, p.GetRun())
}

func (l *loader) run(r *request, p *dispatchpb.RunRecord) error {
	w := l.s.workers[WorkerID(p.GetWorkerId())]
	if w == nil || w.run != nil {
		return job.Errorf(job.Damaged, "its worker %q is not there, or runs another task", p.GetWorkerId())
	}
	at, err := timeIn("cost_time", p.GetCostTime(), l.now)
	if err != nil {
		return err
	}
	c, err := chargeOf(p.GetPriority(), p.GetCost(), at)
	if err != nil {
		return err
	}
	l.s.run(r, w, c)
	return nil
}

func (l *loader) queue(body []byte) error {
	p := &dispatchpb.QueueRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	l.r.discard(WorkerID(p.GetWorkerId()))
	return l.r.load(WorkerID(p.GetWorkerId()), p.GetQueue())
}

func (l *loader) taskError(body []byte) error {
	p := &dispatchpb.ErrorRecord{}
	if err := proto.Unmarshal(body, p); err != nil {
		return err
	}
	return l.r.AddTaskError(RequestID(p.GetRequestId()), textError(p.GetError()))
}
