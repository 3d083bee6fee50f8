package e2e

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

var pluginTasks = flag.Int("plugin-tasks", 400, "how many tasks the outside dispatcher has")

// TestPlugin has an outside dispatcher with tasks and bots of its own, whose news are
// late, doubled and lost, share them out by a pool of a server that is killed with -9
// again and again. Every task runs as the dispatcher has it run, none is given to two
// bots at once, and quota is neither made nor lost.
func TestPlugin(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	p := newPlugin(t)
	p.accounts()
	ctx, end := context.WithCancel(t.Context())
	o := newOutside(t, ctx, p.Scheduler("phones"), *pluginTasks, seed)
	p.share(o)
	p.killUntil(o, rand.New(rand.NewPCG(seed, 3)))
	p.settle()
	end()
	o.work.Wait()
	runs, preempted := o.check()
	t.Logf("%d runs of %d tasks, %d preempted, the server was killed %d times", runs, *pluginTasks, preempted, p.server.kills)
	if preempted == 0 {
		t.Error("nothing was preempted; the test shows less than it should")
	}
	p.checkLog()
	p.checkBalances()
}

// plugin is a server with a pool, and a client that bears with its being killed.
type plugin struct {
	*cluster
	*client.Namespace
	begun map[string]job.Quota
}

func newPlugin(t *testing.T) *plugin {
	dir := t.TempDir()
	c := &cluster{t: t, dir: dir, bin: build(t, dir)}
	address := freeAddress(t)
	c.server = c.daemon("server", "server", "--data", filepath.Join(dir, "data"), "--no-agent", "--listen", address, "--http", "off")
	c.server.start()
	c.awaitServer()
	token, err := os.ReadFile(filepath.Join(dir, "data", "token"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.New(client.Config{Address: address, Token: strings.TrimSpace(string(token)), Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &plugin{cluster: c, Namespace: conn.Namespace("")}
}

// accounts makes a pool with two accounts that gain nothing: all that they lose is
// what runs have cost.
func (p *plugin) accounts() {
	p.must("pool", "create", "phones")
	p.must("account", "add", "urgent", "--pool", "phones", "--rate", "0", "--balance", "1000")
	p.must("account", "add", "usual", "--pool", "phones", "--rate", "0", "--balance", "0,1000")
	p.begun = p.balances()
}

func (p *plugin) balances() map[string]job.Quota {
	all := map[string]job.Quota{}
	for a, err := range p.Accounts("phones").All(p.t.Context()) {
		if err != nil {
			p.t.Fatal(err)
		}
		all[a.Name] = a.Balance
	}
	return all
}

// share starts bots, and tasks that come bit by bit: of two accounts and of none.
func (p *plugin) share(o *outside) {
	for i := range 12 {
		labels := []string{"os:linux", "model:" + strconv.Itoa(i%3)}
		if i%2 == 0 {
			labels = append(labels, "app:installed")
		}
		o.bot("bot"+strconv.Itoa(i), labels...)
	}
	o.work.Go(o.cancel)
	o.work.Go(o.callBack)
	o.work.Go(o.remind)
	for i := range *pluginTasks {
		var tags, prefer []string
		switch {
		case i%8 == 0:
			tags = []string{"qs_account:urgent"}
		case i%2 == 0:
			tags = []string{"qs_account:usual"}
		}
		if i%5 == 0 {
			prefer = []string{"app:installed"}
		}
		labels := []string{"os:linux"}
		if i%4 == 1 {
			labels = append(labels, "model:"+strconv.Itoa(i%3))
		}
		o.enqueue(taskName(i), tags, labels, prefer)
		if i%20 == 0 && !o.pause(500*time.Millisecond) {
			return
		}
	}
}

// killUntil kills the server with -9 and starts it, until all tasks are done.
func (p *plugin) killUntil(o *outside, rng *rand.Rand) {
	limit := time.After(2 * time.Minute)
	for {
		select {
		case <-o.done:
			return
		case <-limit:
			p.explain(o.undone())
			p.t.FailNow()
		case <-time.After(500*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Second)))):
			p.server.kill()
			p.server.start()
		}
	}
}

// explain tells what became of tasks that are not done.
func (p *plugin) explain(tasks []string) {
	p.t.Errorf("not done in time: %v", tasks)
	for _, e := range p.log() {
		if slices.Contains(tasks[:min(len(tasks), 3)], e.Task) {
			p.t.Logf("%s %s %s on %q: %v", e.Time.Format("15:04:05.000"), e.Kind, e.Task, e.Worker, e.Details)
		}
	}
}

// settle waits until the server knows that nothing is left: lost news are healed.
func (p *plugin) settle() {
	limit := time.After(2 * time.Minute)
	for {
		info, err := p.Pool(p.t.Context(), "phones")
		if err != nil {
			p.t.Fatal(err)
		}
		if info.Waiting+info.Running == 0 {
			return
		}
		select {
		case <-limit:
			p.t.Fatalf("the server has still %+v", info)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// log has the entries about the pool's tasks, the oldest first.
func (p *plugin) log() []client.LogEntry {
	pool := "phones"
	var all []client.LogEntry
	for e, err := range p.Events(p.t.Context(), client.LogFilter{Pool: &pool}) {
		if err != nil {
			p.t.Fatal(err)
		}
		if e.Task != "" {
			all = append(all, e)
		}
	}
	slices.Reverse(all)
	return all
}

// checkLog finds tasks that were assigned while they were assigned.
func (p *plugin) checkLog() {
	assigned := map[string]string{}
	for _, e := range p.log() {
		switch e.Kind {
		case job.EventAssigned:
			if other, ok := assigned[e.Task]; ok {
				p.t.Errorf("%s was assigned to %s, and to %s", e.Task, other, e.Worker)
			}
			assigned[e.Task] = e.Worker
		case job.EventEnqueued, job.EventCompleted, job.EventPreempted, job.EventUnassigned:
			delete(assigned, e.Task)
		}
	}
}

// checkBalances finds that accounts have lost what ended runs had cost, no more and
// no less; where a run was forgotten on the outside's word that its task waits, at
// most what it could have cost. And that all is the same after another kill.
func (p *plugin) checkBalances() {
	now := p.balances()
	spent, unsure := p.spent()
	for name, begun := range p.begun {
		for level := range begun {
			lost := begun[level] - now[name][level]
			if lost < spent[name][level]-1e-6 || lost > spent[name][level]+unsure+1e-6 {
				p.t.Errorf("%s at level %d: lost %v, spent %v (and up to %v)", name, level, lost, spent[name][level], unsure)
			}
		}
	}
	p.t.Logf("spent %v, unsure %.3f", spent, unsure)
	if spent["urgent"][0] == 0 || spent["usual"][1] == 0 {
		p.t.Errorf("nothing was spent: %v", spent)
	}
	p.server.kill()
	p.server.start()
	if after := p.balances(); !reflect.DeepEqual(after, now) {
		p.t.Errorf("after a kill: %v, not %v", after, now)
	}
}

// spent is what the runs that ended had cost, by account, and how long runs lasted
// that were forgotten, in seconds.
func (p *plugin) spent() (map[string]job.Quota, float64) {
	spent, unsure := map[string]job.Quota{}, 0.0
	since := map[string]time.Time{}
	for _, e := range p.log() {
		switch e.Kind {
		case job.EventAssigned:
			since[e.Task] = e.Time
		case job.EventCompleted:
			delete(since, e.Task)
			q := spent[e.Account]
			for level, word := range strings.Fields(e.Details["cost"]) {
				cost, err := strconv.ParseFloat(word, 64)
				if err != nil {
					p.t.Fatal(err)
				}
				q[level] += cost
			}
			spent[e.Account] = q
		case job.EventPreempted:
			delete(since, e.Task)
		case job.EventEnqueued:
			if at, ok := since[e.Task]; ok {
				delete(since, e.Task)
				unsure += math.Max(e.Time.Sub(at).Seconds(), 0) + 1
			}
		}
	}
	return spent, unsure
}
