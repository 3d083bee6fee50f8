package dispatch

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
)

// Record is one thing of a pool as it is to be stored: under a key that stays the
// same, a message of dispatchpb in its encoded form.
type Record struct {
	// Key is "account/ID", "config/", "error/ID" (of the task), "queue/ID" (of the
	// worker), "request/ID" or "worker/ID".
	Key string
	// Body is an AccountRecord, ConfigRecord, ErrorRecord, QueueRecord, RequestRecord or
	// WorkerRecord.
	Body []byte
	// Gone: there is no such thing any more; Body is empty.
	Gone bool
}

// recordKind is the first part of a key.
type recordKind string

const (
	accountRecord recordKind = "account"
	configRecord  recordKind = "config"
	errorRecord   recordKind = "error"
	queueRecord   recordKind = "queue"
	requestRecord recordKind = "request"
	workerRecord  recordKind = "worker"
)

func (k recordKind) key(id string) string { return string(k) + "/" + id }

// recordID is the second part of a key.
func recordID(key string) (kind recordKind, id string) {
	k, id, _ := strings.Cut(key, "/")
	return recordKind(k), id
}

// journal has the keys of what changed; nil: nobody wants to know.
type journal struct{ keys map[thing]struct{} }

type thing struct {
	kind recordKind
	id   string
}

func newJournal() *journal { return &journal{keys: map[thing]struct{}{}} }

func (j *journal) touch(kind recordKind, id string) {
	if j != nil {
		j.keys[thing{kind, id}] = struct{}{}
	}
}

// message is a thing as a message; nil if it is gone.
func (p *Pool) message(k thing) proto.Message {
	switch k.kind {
	case configRecord:
		return p.Scheduler.configRecord()
	case accountRecord:
		return p.accountRecord(AccountID(k.id))
	case errorRecord:
		if text, ok := p.Reconciler.errors[RequestID(k.id)]; ok {
			return &dispatchpb.ErrorRecord{RequestId: k.id, Error: text}
		}
	case queueRecord:
		if q := p.Reconciler.queues[WorkerID(k.id)]; q != nil {
			return &dispatchpb.QueueRecord{WorkerId: k.id, Queue: q.encode()}
		}
	case requestRecord:
		if r := p.Scheduler.requests[RequestID(k.id)]; r != nil {
			return p.Scheduler.requestRecord(r)
		}
	case workerRecord:
		if w := p.Scheduler.workers[WorkerID(k.id)]; w != nil {
			return w.record()
		}
	}
	return nil
}

func (s *Scheduler) configRecord() proto.Message {
	return &dispatchpb.ConfigRecord{
		LastUpdateTime: timestamppb.New(s.now), DisablePreemption: s.cfg.DisablePreemption,
		BotExpiration: durationpb.New(s.cfg.BotExpiration), RequestExpiration: durationpb.New(s.cfg.RequestExpiration),
	}
}

// accountRecord is an account with its balance now, which is noted when what there
// is later cannot be told from it.
func (p *Pool) accountRecord(id AccountID) proto.Message {
	s := p.Scheduler
	delete(p.rich, id)
	payer := s.payers[id]
	if payer == nil || payer.config == nil {
		return nil
	}
	b := s.reckoned()[id]
	if payer.config.overflows(b) {
		p.rich[id] = b
	}
	return &dispatchpb.AccountRecord{Id: string(id), Config: payer.config.ToProto(), Balance: b[:], BalanceTime: timestamppb.New(s.now)}
}

func (s *Scheduler) requestRecord(r *request) proto.Message {
	p := &dispatchpb.RequestRecord{
		Id: string(r.id), AccountId: string(r.shape.payer.id), EnqueueTime: timestamppb.New(r.enqueued),
		ConfirmedTime: timestamppb.New(r.confirmed), ExaminedTime: timestamppb.New(r.examinedTime()),
		BaseLabels: r.shape.base, ProvisionableLabels: r.shape.provisionable,
	}
	if r.worker != nil {
		cost, priority := s.cost(r)
		p.Run = &dispatchpb.RunRecord{
			WorkerId: string(r.worker.id), Priority: int32(priority), Cost: cost[:], CostTime: timestamppb.New(s.now),
		}
	}
	return p
}

func (w *worker) record() proto.Message {
	return &dispatchpb.WorkerRecord{
		Id: string(w.id), Labels: w.labels, ConfirmedTime: timestamppb.New(w.confirmed), ModifiedTime: timestamppb.New(w.modified),
	}
}
