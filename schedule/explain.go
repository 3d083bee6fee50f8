package schedule

import (
	"fmt"

	"github.com/muster-queue/muster/job"
)

// maxCounted is over how many shapes the jobs ahead of one are counted.
const maxCounted = 2048

// Cause is why a ready job is not running.
type Cause uint8

// The causes, from the outermost in.
const (
	// CauseUnknown: the scheduler does not have the job; it is not ready.
	CauseUnknown Cause = iota
	// CausePaused and CauseMaxRunning: its queue gets nothing at present.
	CausePaused
	CauseMaxRunning
	// CauseLimit: a named limit that it carries leaves it no room.
	CauseLimit
	// CausePull: a data job waits for a worker that asks for it.
	CausePull
	// CauseNoAgent: there is no open agent at all.
	CauseNoAgent
	// CauseLabel: no open agent has the label, or all the labels together.
	CauseLabel
	// CauseTooLarge: it needs more than any agent with its labels has.
	CauseTooLarge
	// CauseTime: the agents it fits on end before its time bound.
	CauseTime
	// CauseNoQuota: its account has no quota and starts nothing for free.
	CauseNoQuota
	// CauseFanout: its account may not run more that want the same labels.
	CauseFanout
	// CauseLabelLimit: the agents with room have as many jobs of its account as they may.
	CauseLabelLimit
	// CausePreempting: a job is being stopped to make room for it.
	CausePreempting
	// CauseReserved: the room there is is kept for a job ahead of it.
	CauseReserved
	// CauseStrict: a job ahead of it does not fit, and nothing overtakes.
	CauseStrict
	// CauseBusy: the agents it fits on are busy.
	CauseBusy
	// CauseNext: it fits; the next pass places it.
	CauseNext
)

var causeWords = [...]string{
	"unknown", "paused", "max_running", "limit", "pull", "no_agent", "label", "too_large", "time", "no_quota", "fanout", "label_limit", "preempting", "reserved", "strict", "busy", "next",
}

// String is the cause's word.
func (c Cause) String() string { return causeWords[c] }

// Explanation says why a ready job is not running; its String is for people.
type Explanation struct {
	Cause Cause
	// Running and MaxRunning of the queue, for CauseMaxRunning.
	Running, MaxRunning int64
	// Limit is the one in its way, for CauseLimit, of which it wants Weight units; it
	// opens at Opens, if time alone does that. Never: as it is, it will not fit.
	Limit  LimitState
	Weight int64
	Opens  job.Time
	Never  bool
	// Label that no agent has, for CauseLabel; empty: none has all together.
	Label string
	// Shortage, for CauseTooLarge.
	Shortage Shortage
	// Agents is how many open agents have the job's labels.
	Agents int
	// Ahead is how many ready jobs come before it; with AtLeast there may be more.
	Ahead   int64
	AtLeast bool
	// Account is the name of who pays, when there are accounts; Level is the level
	// at which it would start, and Balance what the account has.
	Account string
	Level   Level
	Balance Balance
	// NoFree: the account starts nothing for free.
	NoFree bool
	// Victim is the job that is being stopped for it.
	Victim job.Seq
	// Reserved is the worker kept for the job's shape, and Start when it should
	// be free for it; zero if not known.
	Reserved job.WorkerID
	Start    job.Time
}

// Explain says why a ready job is not running.
func (s *Scheduler) Explain(id job.ShapeID, it Item, now job.Time) Explanation {
	sh := s.shapes[id]
	if h := s.held[it.Seq]; sh != nil && h != nil && h.victim != nil {
		e := Explanation{Cause: CausePreempting, Victim: h.victim.seq}
		s.explainAccount(sh, &e)
		return e
	}
	if sh == nil || sh.items.len() == 0 {
		return Explanation{}
	}
	if !sh.items.has(&it) {
		return Explanation{}
	}
	s.Advance(now)
	s.tick()
	e := Explanation{Agents: sh.class.free.n}
	s.explainAccount(sh, &e)
	e.Ahead, e.AtLeast = s.countAhead(sh, &it)
	if r := sh.reserved; r != nil {
		e.Reserved, e.Start = r.worker.id, r.start
	}
	s.explainQueue(sh, &e)
	return e
}

// explainAccount tells who pays, as of the last pass.
func (s *Scheduler) explainAccount(sh *shape, e *Explanation) {
	e.Level = s.levelOf(sh)
	if a := sh.lane.account; s.fair {
		e.Account, e.Balance, e.NoFree = a.name, a.balance(s.now), a.NoFree
	}
}

func (s *Scheduler) explainQueue(sh *shape, e *Explanation) {
	q := sh.lane.queue
	switch {
	case q.Paused:
		e.Cause = CausePaused
	case !q.open():
		e.Cause, e.Running, e.MaxRunning = CauseMaxRunning, q.running, q.MaxRunning
	case !sh.lane.limits.open():
		s.explainLimit(sh.lane.limits, e)
	case sh.lane.account.barred():
		e.Cause = CauseNoQuota
	case !s.mayRun(sh):
		e.Cause = CauseFanout
	case !sh.lane.command:
		e.Cause = CausePull
	default:
		s.explainAgents(sh, e)
	}
}

func (s *Scheduler) explainAgents(sh *shape, e *Explanation) {
	switch {
	case len(s.agents) == 0:
		e.Cause = CauseNoAgent
	case e.Agents == 0:
		e.Cause, e.Label = CauseLabel, s.lackingLabel(sh)
	case !sh.suits():
		e.Cause, e.Shortage = CauseTooLarge, sh.shortage()
	default:
		e.Cause = s.explainRoom(sh)
	}
}

// explainRoom tries what would have to be different for the job to fit now.
func (s *Scheduler) explainRoom(sh *shape) Cause {
	d, c := sh.demand, sh.class
	need := d.from(s.now)
	start, o := rank{place: uint64(d.vol)}, sh.offers[len(sh.offers)-1]
	full := fit{not: sh.lane.account.full()}
	if firstFit(&c.free, start, &need, d, full) != nil || s.chooseReserved(o, need) != nil {
		if s.cfg.Strict {
			return CauseStrict
		}
		return CauseNext
	}
	if firstFit(&c.free, start, &need, d, fit{}) != nil {
		return CauseLabelLimit
	}
	need[colStart] = never
	if firstFit(&c.free, start, &need, d, fit{}) != nil {
		return CauseReserved
	}
	need[colUntil] = never
	if firstFit(&c.free, start, &need, d, fit{}) != nil {
		return CauseTime
	}
	return CauseBusy
}

// lackingLabel is the first label of the shape that no open agent has.
func (s *Scheduler) lackingLabel(sh *shape) string {
	for _, name := range sh.labels.Sorted() {
		if s.labels.all[s.labels.ids[name]].count == 0 {
			return name
		}
	}
	return ""
}

// countAhead counts the ready jobs of open queues that come before the job, over
// at most maxCounted shapes.
func (s *Scheduler) countAhead(sh *shape, it *Item) (n int64, atLeast bool) {
	end := sh.items.rank(it).in(sh.lane)
	n = int64(sh.items.ahead(it))
	seen := 0
	for _, p := range s.partiesInTurn() {
		if p.account != sh.lane.account && p.account.level >= sh.lane.account.level {
			continue
		}
		for o, r := range s.inOrder(p, sh.lane.command) {
			if p.account == sh.lane.account && !r.less(end) {
				break
			}
			if seen++; seen > maxCounted {
				return n, true
			}
			if o.shape != sh {
				n += o.aheadOf(p.account != sh.lane.account, end)
			}
		}
	}
	return n, false
}

// aheadOf counts the jobs of the offer before a position, or all.
func (o *offer) aheadOf(all bool, end rank) int64 {
	from, within := o.lane.from(end)
	switch {
	case all || !within:
		return int64(o.shape.items.len())
	case from == rank{}:
		return 0
	}
	return int64(o.shape.items.aheadOf(from))
}

// barred reports whether the account starts nothing at the level it has come to.
func (e Explanation) barred() bool {
	return e.Cause == CauseNoQuota || e.Cause == CauseFanout && e.NoFree
}

// String is a sentence.
func (e Explanation) String() string {
	s := e.reason()
	if e.Ahead > 0 && e.Cause > CauseMaxRunning && !e.Never {
		least := ""
		if e.AtLeast {
			least = "at least "
		}
		are := " are"
		if e.Ahead == 1 {
			are = " is"
		}
		s += "; " + least + job.Plural(e.Ahead, "job") + are + " ahead of it"
	}
	if e.Account != "" && e.Cause != CausePreempting && !e.barred() {
		s += fmt.Sprintf("; account %q would run it %s", e.Account, e.Level)
	}
	if e.Reserved != 0 {
		s += "; an agent is reserved for it"
		if e.Start != 0 {
			s += ", free by " + e.Start.Std().Format("2006-01-02 15:04:05Z")
		}
	}
	return s
}

// sizeReason says what it needs more of than any agent has.
func (e *Explanation) sizeReason() string {
	r := e.Shortage.Resource
	agents, most := "any of "+job.Plural(e.Agents, "agent")+" has", "at most "
	if e.Agents == 1 {
		agents, most = "the one agent for it has", ""
	}
	return fmt.Sprintf("it needs %s of %s, more than %s (%s%s)",
		job.ShowAmount(r, e.Shortage.Need), r, agents, most, job.ShowAmount(r, e.Shortage.Largest))
}

func (e Explanation) reason() string {
	switch e.Cause {
	case CausePaused:
		return "its queue is paused"
	case CauseMaxRunning:
		return fmt.Sprintf("its queue has %s running and may have %d", job.Plural(e.Running, "job"), e.MaxRunning)
	case CauseLimit:
		return e.limitReason()
	case CausePull:
		return "it waits for a worker to ask for it"
	case CauseNoAgent:
		return "there is no agent that takes jobs; start one with: muster agent"
	case CauseLabel:
		if e.Label == "" {
			return "no agent has all the labels it asks for together"
		}
		return fmt.Sprintf("no agent has the label %s", e.Label)
	case CauseTooLarge:
		return e.sizeReason()
	case CauseTime:
		return "the agents with room for it end before its time limit"
	case CauseNoQuota:
		return fmt.Sprintf("account %q has no quota left, and does not run jobs for free", e.Account)
	case CauseFanout:
		s := fmt.Sprintf("account %q runs as many jobs that want the same labels as it may", e.Account)
		if e.NoFree {
			s += ", and does not run jobs for free"
		}
		return s
	case CauseLabelLimit:
		return fmt.Sprintf("account %q runs as many jobs as it may on agents with the labels of those with room", e.Account)
	case CausePreempting:
		return "a job is being stopped to make room for it"
	case CauseReserved:
		return "the agents with room for it are reserved for jobs ahead of it"
	case CauseStrict:
		return "a job ahead of it does not fit yet, and strict order is set"
	case CauseBusy:
		if e.Agents == 1 {
			return "the only agent it could run on is busy"
		}
		return "all " + job.Plural(e.Agents, "agent") + " it could run on are busy"
	case CauseNext:
		return "it is about to be placed"
	}
	return "it is not waiting for a worker"
}
