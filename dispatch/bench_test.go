package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
)

// fleet is tasks and workers with labels as a fleet of phones has, twenty accounts, of
// which some have quota at every level and some at none: the load on which the
// original needs more than a minute cold, and 0.1 s per worker that becomes idle.
func fleet(b testing.TB, tasks, workers int) (*Pool, []*IdleWorker) {
	rnd := rand.New(rand.NewPCG(7, 8))
	cfg := Config{AccountConfigs: map[AccountID]*AccountConfig{}}
	for i := range 20 {
		a := rates(3600)
		for level := range i % 6 {
			a.ChargeRate[level] = float64(i + 1)
		}
		cfg.AccountConfigs[AccountID(fmt.Sprint("account ", i))] = a
	}
	p, err := NewPool(at(1000), cfg)
	if err != nil {
		b.Fatal(err)
	}
	p.Scheduler.UpdateTime(at(1001))
	for i := range tasks {
		err := p.Scheduler.AddRequest(&TaskRequest{
			ID: RequestID(fmt.Sprint("task ", i)), AccountID: AccountID(fmt.Sprint("account ", rnd.IntN(20))), EnqueueTime: at(1000 + float64(i)/1e6),
			BaseLabels:          Labels{"pool:ci", fmt.Sprint("model:", rnd.IntN(20))},
			ProvisionableLabels: Labels{fmt.Sprint("image:", rnd.IntN(50))},
		}, at(1000), nil, NullEventSink)
		if err != nil {
			b.Fatal(err)
		}
	}
	list := make([]*IdleWorker, workers)
	for i := range list {
		list[i] = &IdleWorker{ID: WorkerID(fmt.Sprint("worker ", i)), Labels: Labels{
			"pool:ci", fmt.Sprint("model:", rnd.IntN(20)), fmt.Sprint("image:", rnd.IntN(50)), fmt.Sprint("host:", i),
		}}
	}
	return p, list
}

// BenchmarkCold is the first call of 5000 workers, with 100,000 tasks waiting.
func BenchmarkCold(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		p, workers := fleet(b, 100_000, 5000)
		b.StartTimer()
		all := p.Reconciler.AssignTasks(context.Background(), p.Scheduler, at(1002), NullEventSink, workers...)
		b.ReportMetric(float64(len(all)), "assigned")
	}
}

// warm is a fleet where every worker runs something, which is acknowledged.
func warm(b *testing.B) (*Pool, []*IdleWorker) {
	p, workers := fleet(b, 100_000, 5000)
	for _, a := range p.Reconciler.AssignTasks(context.Background(), p.Scheduler, at(1002), NullEventSink, workers...) {
		p.ack(b, a, at(1002))
	}
	return p, workers
}

func (p *Pool) ack(b testing.TB, a Assignment, t time.Time) {
	err := p.Reconciler.NotifyTaskRunning(context.Background(), p.Scheduler, NullEventSink, &TaskRunningRequest{
		RequestID: a.RequestID, WorkerID: a.WorkerID, Time: t,
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFreed is a worker that has ended its task and asks for another, with 95,000
// waiting; and the same with what changed made ready to be stored.
func BenchmarkFreed(b *testing.B) {
	for _, store := range []bool{false, true} {
		b.Run(map[bool]string{false: "pass", true: "pass and records"}[store], func(b *testing.B) {
			p, workers := warm(b)
			if store {
				p.Changed()
			}
			rnd, t, n := rand.New(rand.NewPCG(3, 4)), 1003.0, 0
			for b.Loop() {
				t += 0.01
				w := workers[rnd.IntN(len(workers))]
				for _, a := range p.Reconciler.AssignTasks(context.Background(), p.Scheduler, at(t), NullEventSink, w) {
					n++
					p.ack(b, a, at(t))
				}
				if store {
					n += len(p.Changed())
				}
			}
			b.ReportMetric(float64(n)/float64(b.N), "things/op")
		})
	}
}

// BenchmarkProto is the whole of 100,000 tasks and 5000 workers as a document, and back.
func BenchmarkProto(b *testing.B) {
	p, _ := warm(b)
	data, err := proto.Marshal(p.ToProto())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ToProto", func(b *testing.B) {
		for b.Loop() {
			p.ToProto()
		}
	})
	b.Run("marshal", func(b *testing.B) {
		for b.Loop() {
			if _, err := proto.Marshal(p.ToProto()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(data))/(1<<20), "MiB")
	})
	b.Run("FromProto", func(b *testing.B) {
		for b.Loop() {
			doc := &dispatchpb.Pool{}
			if err := proto.Unmarshal(data, doc); err != nil {
				b.Fatal(err)
			}
			if _, err := NewPoolFromProto(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("LoadPool", func(b *testing.B) {
		records := p.Changed()
		for b.Loop() {
			if _, err := LoadPool(records); err != nil {
				b.Fatal(err)
			}
		}
	})
}
