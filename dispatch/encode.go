package dispatch

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
)

// ToProto describes the scheduler with all it knows. Numbers of labels are shared by
// requests that are alike: the document is to be read, or encoded, not changed.
func (s *Scheduler) ToProto() *dispatchpb.Scheduler {
	e := s.encoder()
	state := &dispatchpb.SchedulerState{
		QueuedRequests: make(map[string]*dispatchpb.TaskRequest, s.waiting), Balances: map[string]*dispatchpb.Balance{},
		Workers: make(map[string]*dispatchpb.Worker, len(s.workers)), LastUpdateTime: timestamppb.New(s.now), LabelMap: e.labels,
	}
	for id, b := range s.reckoned() {
		state.Balances[string(id)] = &dispatchpb.Balance{Value: b[:]}
	}
	for id, r := range s.requests {
		if r.worker == nil {
			state.QueuedRequests[string(id)] = e.request(r)
		}
	}
	for id, w := range s.workers {
		state.Workers[string(id)] = e.worker(w)
	}
	return &dispatchpb.Scheduler{State: state, Config: s.encodeConfig()}
}

// schedulerEncoder describes requests and workers, each label by a number.
type schedulerEncoder struct {
	s      *Scheduler
	ids    map[string]uint64
	labels map[uint64]string
	shapes map[*shape]labelIDs
	// There are very many times and requests: their memory comes in slabs.
	times    []timestamppb.Timestamp
	requests []dispatchpb.TaskRequest
}

type labelIDs struct{ base, provisionable []uint64 }

// encoder numbers all labels, in their order.
func (s *Scheduler) encoder() *schedulerEncoder {
	e := &schedulerEncoder{
		s: s, ids: map[string]uint64{}, labels: map[uint64]string{}, shapes: make(map[*shape]labelIDs, len(s.shapes)),
		times: make([]timestamppb.Timestamp, 3*len(s.requests)), requests: make([]dispatchpb.TaskRequest, len(s.requests)),
	}
	note := func(labels Labels) {
		for _, l := range labels {
			e.ids[l] = 0
		}
	}
	for _, sh := range s.shapes {
		note(sh.base)
		note(sh.provisionable)
	}
	for _, w := range s.workers {
		note(w.labels)
	}
	for i, l := range slices.Sorted(maps.Keys(e.ids)) {
		e.ids[l], e.labels[uint64(i+1)] = uint64(i+1), l
	}
	for _, sh := range s.shapes {
		e.shapes[sh] = labelIDs{e.numbers(sh.base), e.numbers(sh.provisionable)}
	}
	return e
}

func (e *schedulerEncoder) numbers(labels Labels) []uint64 {
	if len(labels) == 0 {
		return nil
	}
	ids := make([]uint64, len(labels))
	for i, l := range labels {
		ids[i] = e.ids[l]
	}
	return ids
}

func (e *schedulerEncoder) time(t time.Time) *timestamppb.Timestamp {
	p := &e.times[0]
	e.times = e.times[1:]
	p.Seconds, p.Nanos = t.Unix(), int32(t.Nanosecond())
	return p
}

func (e *schedulerEncoder) request(r *request) *dispatchpb.TaskRequest {
	p := &e.requests[0]
	e.requests = e.requests[1:]
	ids := e.shapes[r.shape]
	p.AccountId, p.ProvisionableLabelIds, p.BaseLabelIds = string(r.shape.payer.id), ids.provisionable, ids.base
	p.EnqueueTime, p.ConfirmedTime, p.ExaminedTime = e.time(r.enqueued), e.time(r.confirmed), e.time(r.examinedTime())
	return p
}

func (e *schedulerEncoder) worker(w *worker) *dispatchpb.Worker {
	p := &dispatchpb.Worker{
		ConfirmedTime: timestamppb.New(w.confirmed), ModifiedTime: timestamppb.New(w.modified), LabelIds: e.numbers(w.labels),
	}
	if r := w.run; r != nil {
		cost, priority := e.s.cost(r)
		p.RunningTask = &dispatchpb.TaskRun{Cost: cost[:], Priority: int32(priority), Request: e.request(r), RequestId: string(r.id)}
	}
	return p
}

func (s *Scheduler) encodeConfig() *dispatchpb.SchedulerConfig {
	p := &dispatchpb.SchedulerConfig{
		AccountConfigs: map[string]*dispatchpb.AccountConfig{}, DisablePreemption: s.cfg.DisablePreemption,
		BotExpiration: durationpb.New(s.cfg.BotExpiration), RequestExpiration: durationpb.New(s.cfg.RequestExpiration),
	}
	for id, payer := range s.payers {
		if payer.config != nil {
			p.AccountConfigs[string(id)] = payer.config.ToProto()
		}
	}
	return p
}

// ToProto describes an account's settings.
func (c *AccountConfig) ToProto() *dispatchpb.AccountConfig {
	return &dispatchpb.AccountConfig{
		ChargeRate: slices.Clone(c.ChargeRate[:]), MaxChargeSeconds: c.MaxChargeSeconds, MaxFanout: c.MaxFanout,
		DisableFreeTasks: c.DisableFreeTasks, Description: c.Description, PerLabelTaskLimits: maps.Clone(c.PerLabelTaskLimits),
	}
}
