package engine

import (
	"testing"
	"testing/synctest"

	"github.com/muster-queue/muster/job"
)

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		const jobs = 400
		var seqs []job.Seq
		for i := range jobs {
			j := &job.Job{Queue: "q", Key: job.Key(rune('a' + i)), Data: make([]byte, 8<<10)}
			seqs = append(seqs, b.add(t, j).Items[0].Seq)
		}
		for _, g := range b.reserve(t, ReserveRequest{N: 2}) {
			if g.Seq == seqs[0] {
				b.report(t, Report{Ref: refTo(g), Kind: ReportComplete})
			}
		}
		if _, err := b.ns.Delete(b.ctx, Selector{IDs: []JobID{{Seq: seqs[5]}}}, DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		hurry := func(j *job.Job) error { j.Group = "new"; return nil }
		if _, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Seq: seqs[7]}}}, hurry); err != nil {
			t.Fatal(err)
		}
		asked := []job.Seq{seqs[399], seqs[0], seqs[7], seqs[1], seqs[5], seqs[7], seqs[200], seqs[300], 1 << 40}
		got, err := b.ns.Names(b.ctx, append(asked, seqs[60:190]...))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 6+130 {
			t.Errorf("%d names; want 136", len(got))
		}
		for i, seq := range seqs {
			if n, ok := got[seq]; ok && n.Job.Key != job.Key(rune('a'+i)) {
				t.Errorf("job %d is called %q", seq, n.Job.Key)
			}
		}
		for _, i := range []int{0, 1, 7, 60, 189, 200, 300, 399} {
			if _, ok := got[seqs[i]]; !ok {
				t.Errorf("job %d has no name", i)
			}
		}
		if got[seqs[7]].Job.Group != "new" || got[seqs[1]].Worker != "w" || got[seqs[0]].Worker != "" {
			t.Errorf("%+v, %+v, %+v", got[seqs[7]], got[seqs[1]], got[seqs[0]])
		}
		if _, err := b.ns.Names(b.ctx, make([]job.Seq, MaxPage+1)); job.KindOf(err) != job.Invalid {
			t.Error(err)
		}
	})
}
