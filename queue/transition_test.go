package queue

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

var update = flag.Bool("update", false, "write docs/states.md")

// edge is one transition, spelled out.
type edge struct {
	from, to job.State
	cause    Cause
}

func edges() (all []edge) {
	for _, tr := range transitions {
		for _, from := range tr.from {
			all = append(all, edge{from, tr.to, tr.cause})
		}
	}
	return all
}

// TestEveryTransition makes each transition of the table happen, and sees it
// stored, counted and told.
func TestEveryTransition(t *testing.T) {
	seen := map[edge]bool{}
	for _, e := range edges() {
		if seen[e] {
			t.Errorf("%v → %v by %v is in the table twice", e.from, e.to, e.cause)
		}
		seen[e] = true
		t.Run(fmt.Sprintf("%v_%v_%v", e.from, e.to, e.cause), func(t *testing.T) {
			s := &scene{fixture: newFixture(t, Config{Losses: new(0), Retries: new(0)}), e: e}
			s.play()
			var got []string
			for _, ev := range s.Events() {
				if ev.From == e.from && ev.To == e.to && ev.Cause == e.cause {
					s.settled()
					return
				}
				got = append(got, fmt.Sprintf("%v → %v by %v", ev.From, ev.To, ev.Cause))
			}
			t.Fatalf("it did not happen; what did: %v", got)
		})
	}
}

// scene leads a job into the edge's from and then makes the edge happen.
type scene struct {
	*fixture
	e   edge
	seq job.Seq
	ref Ref
}

func (s *scene) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// settled checks counters, storage and a reload after the scene.
func (s *scene) settled() {
	s.t.Helper()
	f := s.t.(fataler)
	var m mirror
	m.reset()
	s.commit()
	s.shelf.sameLive(f, s.State)
	before := s.Counts()
	s.reload()
	for feed := s.Feed(); len(feed) > 0; feed = s.Feed() {
		m.apply(f, feed)
	}
	checkInvariants(f, s.State, &m)
	if s.Counts() != before {
		s.t.Fatalf("counts %v, after a reload %v", before, s.Counts())
	}
}

func (s *scene) play() {
	switch s.e.cause {
	case CauseAdd, CauseReplace, CauseRerun, CauseModify, CauseReopen:
		s.playDescribe()
	case CauseComplete, CauseRelease, CauseFail, CauseStopped:
		s.playReport()
	case CauseLeaseEnd, CauseSuperseded, CauseSilence, CauseHeard, CauseDue:
		s.playTime()
	case CauseRescue:
		s.playRescue()
	case CauseMet, CauseOpened:
		s.playDepend()
	default:
		s.playOrder()
	}
}

// x is the job. Where the edge has to do with dependencies, it waits for the group
// before, which has no members until open, and is met until then.
func (s *scene) x() job.Job {
	j := command("x")
	if s.e.from == job.Blocked || s.e.to == job.Blocked {
		j.Dependencies = []job.Dependency{{Group: "before", IfAbsent: job.IfAbsentMet}}
	}
	return j
}

// open gives the group before a member, if the edge leads to blocked; the job is not
// told yet.
func (s *scene) open() {
	if s.e.to == job.Blocked {
		s.member()
	}
}

func (s *scene) member() job.Seq {
	j := command("before")
	j.DepGroups = []string{"before"}
	return s.add(j, AddOptions{}).Seq
}

func (s *scene) playDepend() {
	if s.e.cause == CauseOpened {
		s.enter(s.e.from, s.x())
		s.open()
		s.Resolve(10)
		return
	}
	s.enter(job.Blocked, s.x())
	if s.e.to == job.Delayed {
		p := s.prepared(s.later())
		s.do(s.Modify(s.seq, &p))
	}
	l, _ := s.Lookup(job.DigestOf(job.DefaultQueue, command("before").Command.Key()))
	s.do(s.Conclude(l.Seq, job.Complete, s.puller, nil, nil))
	s.Resolve(10)
}

func (s *scene) later() job.Job {
	j := s.x()
	j.NotBefore = s.now.Add(time.Hour).Std()
	return j
}

// enter brings a new job into a state, on the agent where it is held.
func (s *scene) enter(st job.State, j job.Job) {
	s.t.Helper()
	if st == job.Delayed {
		j.NotBefore = s.later().NotBefore
	}
	if st == job.Blocked {
		s.member()
	}
	a := s.add(j, AddOptions{})
	s.seq = a.Seq
	switch st {
	case job.Buried:
		s.do(s.Bury(s.seq, job.ReasonResource))
	case job.Reserved:
		s.ref = s.grant(s.seq, s.agent).Ref
	case job.Running:
		s.ref = s.run(s.seq, s.agent).Ref
	case job.Lost:
		s.ref = s.run(s.seq, s.agent).Ref
		s.pass(31 * time.Second)
	case job.Complete:
		s.ref = s.run(s.seq, s.agent).Ref
		_, err := s.End(&End{Ref: s.ref, How: Completed})
		s.do(err)
		s.commit()
	}
	if st != job.Complete {
		s.want(s.seq, st)
	}
	s.Begin(s.now)
}

// late brings a job into a waiting state after its last attempt was lost.
func (s *scene) late(st job.State) {
	s.t.Helper()
	def := job.Queue{Name: job.DefaultQueue, Losses: new(5)}
	if st == job.Buried {
		def.Losses = new(0)
	}
	_, err := s.SetQueue(def)
	s.do(err)
	s.enter(job.Running, s.x())
	s.pass(10 * time.Minute)
	if st == job.Blocked {
		s.member()
		s.Resolve(10)
	}
	if st == job.Delayed {
		p := s.prepared(s.later())
		s.do(s.Modify(s.seq, &p))
	}
	s.want(s.seq, st)
	s.Begin(s.now)
}

func (f *fixture) pass(d time.Duration) {
	f.Begin(f.now.Add(d))
	for f.Expire(10) {
	}
}

func (s *scene) playDescribe() {
	j := command("x")
	switch s.e.to {
	case job.Delayed:
		j.NotBefore = s.later().NotBefore
	case job.Blocked:
		j = s.x()
	}
	if s.e.cause == CauseAdd && !s.e.to.Held() {
		s.open()
		s.add(j, AddOptions{})
		return
	}
	if s.e.cause == CauseAdd {
		s.enter(s.e.to, command("x"))
		s.do(s.Delete(s.seq, true))
		s.add(j, AddOptions{})
		return
	}
	s.enter(s.e.from, s.x())
	s.open()
	p := s.prepared(j)
	switch s.e.cause {
	case CauseModify:
		p.Redue = true
		s.do(s.Modify(s.seq, &p))
	case CauseReopen:
		if a := s.Reopen(&p); a.Status != AddRerun {
			s.t.Fatalf("reopened: %+v", a)
		}
	case CauseRerun:
		s.add(j, AddOptions{Existing: job.ExistingRerun})
	default:
		s.add(j, AddOptions{Existing: job.ExistingReplace})
	}
}

func (s *scene) playReport() {
	j := s.x()
	if s.e.to == job.Delayed {
		j.Retries = new(1)
	}
	if s.e.from.Held() {
		s.enter(s.e.from, j)
	} else {
		s.late(s.e.from)
	}
	s.open()
	end := &End{Ref: s.ref, Result: job.Result{Exited: true, ExitCode: 1, Reason: job.ReasonExit}}
	switch s.e.cause {
	case CauseComplete:
		end.How, end.Result = Completed, job.Result{Exited: true}
	case CauseFail:
		end.How = Failed
	case CauseRelease:
		end.How = Released
		switch s.e.to {
		case job.Ready, job.Blocked:
			end.Result.Reason = job.ReasonSignal
		case job.Delayed:
			end.Delay = new(time.Minute)
			end.Result.Reason = job.ReasonSignal
		case job.Buried:
			end.Result.Reason = job.ReasonNotFound
		}
	case CauseStopped:
		end.How = Released
		if s.e.to != job.Buried {
			s.do(s.Preempt(s.seq))
		} else if s.e.from == job.Lost {
			s.do(s.Heard(s.agent))
			_, err := s.Cancel(s.seq)
			s.do(err)
			s.pass(31 * time.Second)
		} else {
			_, err := s.Cancel(s.seq)
			s.do(err)
		}
	}
	_, err := s.End(end)
	s.do(err)
}

func (s *scene) playTime() {
	j := s.x()
	if s.e.cause == CauseLeaseEnd && s.e.to == job.Lost {
		j.OnLost = job.OnLostHold
	}
	if (s.e.to == job.Ready || s.e.to == job.Blocked) && s.e.from.Held() {
		_, err := s.SetQueue(job.Queue{Name: job.DefaultQueue, Losses: new(5)})
		s.do(err)
	}
	switch s.e.cause {
	case CauseDue:
		s.enter(s.e.from, j)
		s.pass(2 * time.Hour)
	case CauseSilence:
		s.enter(s.e.from, j)
		s.pass(31 * time.Second)
	case CauseHeard:
		if s.e.to == job.Reserved {
			j.OnLost = job.OnLostHold
			s.enter(job.Reserved, j)
			s.pass(10 * time.Minute)
			s.Begin(s.now)
		} else {
			s.enter(job.Lost, j)
		}
		s.do(s.Heard(s.agent))
	case CauseSuperseded:
		s.enter(s.e.from, j)
		s.open()
		s.do(s.Supersede(s.agent))
	case CauseLeaseEnd:
		s.playLeaseEnd(j)
	}
}

// playLeaseEnd: what runs at an agent is shown lost before its lease ends, so a
// running job's lease ends only at a puller.
func (s *scene) playLeaseEnd(j job.Job) {
	by := s.agent
	if s.e.from == job.Running {
		by = s.puller
	}
	if s.e.from == job.Lost {
		s.enter(job.Lost, j)
		s.open()
		s.pass(10 * time.Minute)
		return
	}
	s.seq = s.add(j, AddOptions{}).Seq
	g, ok := s.Grant(s.seq, by, time.Minute, false)
	if !ok {
		s.t.Fatal("not granted")
	}
	if s.e.from == job.Running {
		_, err := s.Start(g.Ref, 0)
		s.do(err)
	}
	s.open()
	s.pass(10 * time.Minute)
}

// playRescue: a puller whose lease ended comes back before anybody else.
func (s *scene) playRescue() {
	_, err := s.SetQueue(job.Queue{Name: job.DefaultQueue, Losses: new(5)})
	s.do(err)
	j := data("x")
	j.Dependencies = s.x().Dependencies
	s.seq = s.add(j, AddOptions{}).Seq
	ref := s.grant(s.seq, s.puller).Ref
	if s.e.to == job.Running {
		_, err := s.Start(ref, 0)
		s.do(err)
	}
	s.pass(time.Hour)
	if s.e.from == job.Blocked {
		s.member()
		s.Resolve(10)
	}
	if s.e.from == job.Delayed {
		j.NotBefore = s.later().NotBefore
		p := s.prepared(j)
		s.do(s.Modify(s.seq, &p))
	}
	s.want(s.seq, s.e.from)
	s.Begin(s.now)
	_, err = s.Rescue(ref, 0)
	s.do(err)
}

func (s *scene) playOrder() {
	switch s.e.cause {
	case CauseGrant:
		if s.e.to == job.Buried {
			_, err := s.SetQueue(job.Queue{Name: job.DefaultQueue, MaxAttempts: 1, Losses: new(9)})
			s.do(err)
			s.late(job.Ready)
			_, err = s.SetQueue(job.Queue{Name: job.DefaultQueue, MaxAttempts: 1})
			s.do(err)
			if _, ok := s.Grant(s.seq, s.puller, 0, false); ok {
				s.t.Fatal("granted beyond the cap")
			}
			return
		}
		s.enter(job.Ready, command("x"))
		s.grant(s.seq, s.agent)
	case CauseStart:
		s.enter(s.e.from, command("x"))
		_, err := s.Start(s.ref, 0)
		s.do(err)
	case CauseCancel:
		s.enter(s.e.from, s.x())
		_, err := s.Cancel(s.seq)
		s.do(err)
	case CauseDelete:
		s.enter(s.e.from, s.x())
		if s.e.from == job.Complete {
			p := s.prepared(command("x"))
			s.do(s.DeleteFinished(p.Finished))
			return
		}
		s.do(s.Delete(s.seq, true))
	case CauseKick:
		if s.e.from == job.Lost {
			j := s.x()
			j.OnLost = job.OnLostHold
			s.enter(job.Running, j)
			s.pass(10 * time.Minute)
		} else {
			s.enter(s.e.from, s.x())
		}
		s.open()
		s.do(s.Kick(s.seq))
	case CauseBury:
		s.enter(s.e.from, command("x"))
		s.do(s.Bury(s.seq, job.ReasonResource))
	case CauseConclude:
		s.enter(s.e.from, s.x())
		s.do(s.Conclude(s.seq, s.e.to, s.puller, nil, nil))
	}
}

// TestForbidden: what is not in the table cannot happen.
func TestForbidden(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	slot, r := f.find(seq)
	defer func() {
		var bug *Bug
		if err, _ := recover().(error); !errors.As(err, &bug) || bug.Seq != seq || !strings.Contains(bug.Error(), "cannot go from ready to lost") {
			t.Fatalf("no Bug, but %v", err)
		}
	}()
	f.move(slot, r, job.Lost, CauseSilence)
}

// TestStatesDocument keeps docs/states.md equal to the table.
func TestStatesDocument(t *testing.T) {
	const path = "../docs/states.md"
	want := statesDocument()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Fatalf("docs/states.md is not what the transition table says (%v); write it with: go test ./queue -run StatesDocument -update", err)
	}
}

func statesDocument() string {
	var b strings.Builder
	b.WriteString(`# States of a job

Made from the transition table in queue/transition.go, which is the only place where a job can change its state;
do not edit. Absent means that there is no such job, complete that it is in history.

| from | to | by | who | when |
|---|---|---|---|---|
`)
	for _, tr := range transitions {
		var from []string
		for _, st := range tr.from {
			from = append(from, st.String())
		}
		fmt.Fprintf(&b, "| %s | %v | %v | %s | %s |\n", strings.Join(from, ", "), tr.to, tr.cause, causes[tr.cause].who, tr.when)
	}
	b.WriteString(`
A held job (reserved, running or lost) can be marked, beside its state; the mark says why it is being stopped and
what follows when its worker reports the end, or its lease and the margin have ended. If its command completed all
the same, it is complete.

| mark | by | what follows |
|---|---|---|
| cancelled | a person cancelled it | buried, for the reason cancelled |
| preempted | the scheduler wants its place | ready, at its old place, nothing charged |
| withdrawn | the scheduler wants a prefetched job back | ready, at its old place; if it had just started, it goes on |
| deleted | a person deleted it by force | it is gone; people see it no more from the start; its reports are refused |
| revoked | deleted by force, or cancelled, and then added again | ready; its reports are refused |
`)
	return b.String()
}

// TestTableIsWhole: every cause leads somewhere, and every live state can be left.
func TestTableIsWhole(t *testing.T) {
	all := edges()
	for c := range Cause(NumCauses) {
		moves := c != CausePreempt && c != CauseWithdraw
		if slices.ContainsFunc(all, func(e edge) bool { return e.cause == c }) != moves {
			t.Errorf("cause %v: leads somewhere: %v", c, !moves)
		}
		if causes[c].word == "" || causes[c].who == "" {
			t.Errorf("cause %d has no words", c)
		}
	}
	for st := job.Blocked; st < job.Complete; st++ {
		if st != job.Ready && !slices.ContainsFunc(all, func(e edge) bool { return e.from == st && e.to == job.Ready }) {
			t.Errorf("from %v nothing leads to ready", st)
		}
	}
}
