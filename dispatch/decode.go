package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// NewSchedulerFromProto makes the scheduler that ToProto described. Errors: Invalid,
// with what is wrong in the document.
func NewSchedulerFromProto(p *dispatchpb.Scheduler) (*Scheduler, error) {
	d := &schedulerDecoder{state: p.GetState()}
	cfg, err := decodeConfig(p.GetConfig())
	if err != nil {
		return nil, err
	}
	if d.now, err = timeIn("last_update_time", d.state.GetLastUpdateTime(), unixZero); err != nil {
		return nil, err
	}
	d.s = newScheduler(cfg)
	for _, step := range []func() error{d.labels, func() error { return d.accounts(&cfg) }, d.workers, d.queued} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	d.s.watchIdle()
	d.s.start(d.now)
	d.s.core.Changed() // nothing of it is new
	return d.s, nil
}

// schedulerDecoder makes a scheduler of a document. Its clock starts at the end: all that
// has a time is loaded before.
type schedulerDecoder struct {
	s     *Scheduler
	state *dispatchpb.SchedulerState
	now   time.Time
	// sets are the sets of labels that were met, by their numbers.
	sets map[string]Labels
}

func (d *schedulerDecoder) labels() error {
	d.sets = map[string]Labels{}
	for id, l := range d.state.GetLabelMap() {
		if err := job.CheckName("label", l); err != nil {
			return job.Errorf(job.Invalid, "label_map %d: %w", id, err)
		}
	}
	return nil
}

// set is the set of labels with the numbers, sorted.
func (d *schedulerDecoder) set(ids []uint64) (Labels, error) {
	if len(ids) > job.MaxList {
		return nil, job.Errorf(job.Invalid, "%d labels; at most %d", len(ids), job.MaxList)
	}
	key := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		for ; id >= 0x80; id >>= 7 {
			key = append(key, byte(id)|0x80)
		}
		key = append(key, byte(id))
	}
	if l, ok := d.sets[string(key)]; ok {
		return l, nil
	}
	list := make(Labels, 0, len(ids))
	for _, id := range ids {
		l, ok := d.state.GetLabelMap()[id]
		if !ok {
			return nil, job.Errorf(job.Invalid, "label %d is not in label_map", id)
		}
		list = append(list, l)
	}
	sorted := setOf(list)
	d.sets[string(key)] = sorted
	return sorted, nil
}

func (d *schedulerDecoder) accounts(cfg *Config) error {
	for _, id := range slices.Sorted(maps.Keys(cfg.AccountConfigs)) {
		b, err := balanceOf(d.state.GetBalances()[string(id)].GetValue())
		if err != nil {
			return job.Wrap(err, "balance of account", string(id))
		}
		d.s.loadAccount(id, cfg.AccountConfigs[id], b, d.now)
	}
	return nil
}

func (d *schedulerDecoder) workers() error {
	for _, id := range slices.Sorted(maps.Keys(d.state.GetWorkers())) {
		if err := d.worker(WorkerID(id), d.state.GetWorkers()[id]); err != nil {
			return job.Wrap(err, "worker", id)
		}
	}
	return nil
}

func (d *schedulerDecoder) worker(id WorkerID, p *dispatchpb.Worker) error {
	if err := job.CheckName("worker", string(id)); err != nil {
		return err
	}
	labels, err := d.set(p.GetLabelIds())
	if err != nil {
		return err
	}
	confirmed, err := timeIn("confirmed_time", p.GetConfirmedTime(), unixZero)
	if err != nil {
		return err
	}
	modified, err := timeIn("modified_time", p.GetModifiedTime(), d.now)
	if err != nil {
		return err
	}
	w := d.s.enrol(id, labels, confirmed, modified)
	if p.GetRunningTask() == nil {
		return nil
	}
	return d.run(w, p.GetRunningTask())
}

func (d *schedulerDecoder) run(w *worker, p *dispatchpb.TaskRun) error {
	req, err := d.request(p.GetRequestId(), p.GetRequest())
	if err != nil {
		return job.Wrap(err, "running task", p.GetRequestId())
	}
	c, err := chargeOf(p.GetPriority(), p.GetCost(), d.now)
	if err != nil {
		return job.Wrap(err, "running task", p.GetRequestId())
	}
	d.s.run(d.s.enter(req), w, c)
	return nil
}

// chargeOf is how a task runs.
func chargeOf(priority int32, cost []float64, at time.Time) (c schedule.Charge, err error) {
	if priority < 0 || priority > int32(FreeBucket) {
		return c, job.Errorf(job.Invalid, "priority %d; it must be 0 to %d", priority, FreeBucket)
	}
	b, err := balanceOf(cost)
	for _, v := range b {
		if err == nil && v < 0 {
			err = job.Errorf(job.Invalid, "a cost of %g worker-seconds", v)
		}
	}
	return schedule.Charge{Level: schedule.Level(priority), Cost: b, At: stamp(at), Share: 1}, err
}

func (d *schedulerDecoder) queued() error {
	var all []*request
	for id, p := range d.state.GetQueuedRequests() {
		req, err := d.request(id, p)
		if err != nil {
			return job.Wrap(err, "queued task", id)
		}
		all = append(all, d.s.enter(req))
	}
	d.s.queueAll(all)
	return nil
}

func (d *schedulerDecoder) request(id string, p *dispatchpb.TaskRequest) (*TaskRequest, error) {
	if d.s.requests[RequestID(id)] != nil {
		return nil, job.Errorf(job.Invalid, "it is there twice")
	}
	base, err := d.set(p.GetBaseLabelIds())
	if err != nil {
		return nil, err
	}
	provisionable, err := d.set(p.GetProvisionableLabelIds())
	if err != nil {
		return nil, err
	}
	r := &TaskRequest{
		ID: RequestID(id), AccountID: AccountID(p.GetAccountId()), BaseLabels: base, ProvisionableLabels: provisionable,
	}
	if err := r.times(p.GetEnqueueTime(), p.GetConfirmedTime(), p.GetExaminedTime()); err != nil {
		return nil, err
	}
	return r, r.Validate()
}

// times sets the times of a request; those that are absent are 1970.
func (r *TaskRequest) times(enqueue, confirmed, examined *timestamppb.Timestamp) (err error) {
	if r.EnqueueTime, err = timeIn("enqueue_time", enqueue, unixZero); err != nil {
		return err
	}
	if r.ConfirmedTime, err = timeIn("confirmed_time", confirmed, unixZero); err != nil {
		return err
	}
	r.ExaminedTime, err = timeIn("examined_time", examined, unixZero)
	return err
}

// queueAll queues requests as they came: by time, then by name.
func (s *Scheduler) queueAll(all []*request) {
	slices.SortFunc(all, func(a, b *request) int {
		return cmp.Or(a.enqueued.Compare(b.enqueued), cmp.Compare(a.id, b.id))
	})
	for _, r := range all {
		delete(s.bySeq, r.seq)
	}
	for _, r := range all {
		s.lastSeq++
		r.seq = s.lastSeq
		s.bySeq[r.seq] = r
		s.queue(r)
	}
}

// loadAccount sets an account with what it had at a time, before the clock goes.
func (s *Scheduler) loadAccount(id AccountID, cfg *AccountConfig, b Balance, at time.Time) {
	s.setAccount(id, cfg)
	s.core.SetBalance(string(id), b, stamp(at))
}

// timeIn is the time in a message; absent: the default. Errors: Invalid.
func timeIn(field string, p *timestamppb.Timestamp, absent time.Time) (time.Time, error) {
	if p == nil {
		return absent, nil
	}
	if err := p.CheckValid(); err != nil {
		return absent, job.Errorf(job.Invalid, "%s: %w", field, err)
	}
	return normal(p.AsTime()), nil
}

func decodeConfig(p *dispatchpb.SchedulerConfig) (c Config, err error) {
	c.DisablePreemption = p.GetDisablePreemption()
	if c.BotExpiration, err = durationIn("bot_expiration", p.GetBotExpiration()); err != nil {
		return c, err
	}
	if c.RequestExpiration, err = durationIn("request_expiration", p.GetRequestExpiration()); err != nil {
		return c, err
	}
	c.AccountConfigs = map[AccountID]*AccountConfig{}
	for id, a := range p.GetAccountConfigs() {
		c.AccountConfigs[AccountID(id)] = AccountConfigFromProto(a)
	}
	return c, c.Validate()
}

func durationIn(field string, p *durationpb.Duration) (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	if err := p.CheckValid(); err != nil {
		return 0, job.Errorf(job.Invalid, "%s: %w", field, err)
	}
	return p.AsDuration(), nil
}

// AccountConfigFromProto is an account's settings as in a document; rates beyond the
// fifth are left out, as the original does.
func AccountConfigFromProto(p *dispatchpb.AccountConfig) *AccountConfig {
	c := &AccountConfig{
		MaxChargeSeconds: p.GetMaxChargeSeconds(), MaxFanout: p.GetMaxFanout(), DisableFreeTasks: p.GetDisableFreeTasks(),
		Description: p.GetDescription(), PerLabelTaskLimits: maps.Clone(p.GetPerLabelTaskLimits()),
	}
	copy(c.ChargeRate[:], p.GetChargeRate())
	return c
}
