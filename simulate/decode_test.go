package simulate

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// sameAfterwards writes a workload, reads it, and compares.
func sameAfterwards(t fataler, w *Workload) {
	t.Helper()
	text, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode("again", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if d := cmp.Diff(w, again); d != "" {
		t.Fatalf("it was (-) and is read as (+):\n%s\n%s", d, text)
	}
}

func TestExampleIsReadAndRuns(t *testing.T) {
	w, err := Decode("example", Example)
	if err != nil {
		t.Fatal(err)
	}
	sameAfterwards(t, w)
	r := run(t, w, Options{})
	if r.Done < 2000 || r.Preemptions() == 0 || len(r.Notes) > 0 {
		t.Errorf("%d done, %d preempted, %q", r.Done, r.Preemptions(), r.Notes)
	}
}

// fieldNames are the fields that an error about one that is not there lists.
func fieldNames(t *testing.T, text string) []string {
	t.Helper()
	_, err := Decode("f", []byte(text))
	if err == nil {
		t.Fatal("it is read")
	}
	_, list, _ := strings.Cut(err.Error(), "there are ")
	return strings.Split(list, ", ")
}

// The example shows every field there is.
func TestExampleIsComplete(t *testing.T) {
	for _, place := range []string{"x: 1", "accounts: {a: {x: 1}}", "queues: {q: {x: 1}}", "workers: {w: {x: 1}}", "jobs: {j: {x: 1}}", "jobs: {j: {duration: {x: 1}}}"} {
		names := fieldNames(t, place)
		if len(names) < 3 {
			t.Errorf("%s: there are only %q", place, names)
		}
		for _, name := range names {
			// A history has the times of every job, a name is that of the file, and a
			// fixed duration needs no word.
			if name != "recorded" && name != "name" && name != "fixed" && !strings.Contains(string(Example), name) {
				t.Errorf("the example does not show %s", name)
			}
		}
	}
}

const rest = "\nworkers: {w: {}}\njobs: {j: {duration: 1m}}\n"

// Every error says where it is and what should be there.
func TestWrongWorkloads(t *testing.T) {
	for text, want := range map[string]string{
		"":                "it is empty",
		"[1]":             "a workload must be an object",
		"a: [":            "line 1",
		"a: b: c":         "line 1: mapping values",
		"a: 1\nb: @c":     "line 2: found character",
		"a: 1\n\nb: \x01": "line 3: control characters",
		"a: 1\nb: \xff":   "line 2: ",
		"duration: 1h\nworkrs:\n  w: {}\njobs: {j: {duration: 1m}}":                 "line 2: workrs: there is no such field",
		"duration: 1h\nworkers:\n  w:\n    labels:\n      - a:b\n      - {}" + rest: "line 6: workers.w.labels[2] must be",
		"duration: soon" + rest:                                                           `line 1: duration must be a time, e.g. "90s", "1h30m" or "2d", not "soon"`,
		"\nspeed: 1" + rest:                                                               "line 2: speed: there is no such field; there are name, duration, seed",
		"seed: 1\nseed: 2" + rest:                                                         "line 2: seed is there twice",
		"seed: -1" + rest:                                                                 "whole number that is not negative",
		"preemption: maybe" + rest:                                                        "preemption must be true or false",
		"accounts: {a: {rate: [1, 2, 3, 4, 5, 6]}}" + rest:                                "accounts.a.rate must be at most five numbers",
		"accounts: {a: {rate: fast}}" + rest:                                              `accounts.a.rate must be a number, not "fast"`,
		"accounts: {a: {rate: -1}}" + rest:                                                "rate -1",
		"accounts: {a: {arrive: 2h, changes: [{at: 1h, rate: 2}]}}" + rest:                "it arrives at 2h",
		"accounts: {a: {changes: [{at: 2h}, {at: 1h}]}}" + rest:                           "write them in order",
		"accounts: &x {a: {}}\nqueues: *x" + rest:                                         "anchors and aliases",
		"workers: {w: {}}":                                                                "there are no jobs",
		"jobs: {j: {duration: 1m}}":                                                       "there are no workers",
		"workers: {w: {count: 0}}\njobs: {j: {duration: 1m}}":                             "0 workers",
		"workers: {w: {slots: 2, resources: {cpu: 4}}}\njobs: {j: {duration: 1m}}":        "either slots or resources",
		"workers: {w: {}}\njobs: {j: {duration: 1m, every: 0s}}":                          `line 2: jobs.j.every must be a time, at least a microsecond, not "0s"`,
		"workers: {w: {}}\njobs: {j: {duration: 1m, count: 0}}":                           "jobs.j.count must be at least 1",
		"workers: {w: {}}\njobs: {j: {duration: 1m, burst: 0}}":                           "jobs.j.burst must be at least 1",
		"workers: {w: {slots: 0}}\njobs: {j: {duration: 1m}}":                             "they have nothing",
		"workers: {w: {resources: {mem: 64}}}\njobs: {j: {duration: 1m}}":                 "workers.w.resources.mem must be an amount",
		"workers: {w: {labels: [fast]}}\njobs: {j: {duration: 1m}}":                       "KEY:VALUE",
		"workers: {w: {arrive: 2h, leave: 1h}}\njobs: {j: {duration: 1m}}":                "they leave at 1h",
		"workers: {w: {}}\njobs: {j: {}}":                                                 "say how long a job takes",
		"workers: {w: {}}\njobs: {j: {duration: {fixed: 1m, exponential: 2m}}}":           "has a form already",
		"workers: {w: {}}\njobs: {j: {duration: {uniform: [2m, 1m]}}}":                    "the second must be the longer",
		"workers: {w: {}}\njobs: {j: {duration: {uniform: 2m}}}":                          "the shortest and the longest",
		"workers: {w: {}}\njobs: {j: {duration: {list: []}}}":                             "the list is empty",
		"workers: {w: {}}\njobs: {j: {duration: 1m, every: 1m}}":                          "they come for ever",
		"workers: {w: {}}\njobs: {j: {duration: 1m, every: 1m, poisson: 1/h, count: 1}}":  "give one of them",
		"workers: {w: {}}\njobs: {j: {duration: 1m, poisson: often, count: 1}}":           `e.g. "100/h"`,
		"workers: {w: {}}\njobs: {j: {duration: 1m, at: [2h, 1h]}}":                       "the times are in order",
		"workers: {w: {}}\njobs: {j: {duration: 1m, count: 100000000}}":                   "at most 10000000 jobs",
		"duration: 365d\nworkers: {w: {}}\njobs: {j: {duration: 1m, every: 1ms}}":         "about 31536000001 jobs would come",
		"duration: 365d\nsample: 1s" + rest:                                               "a sample every 1s",
		"workers: {w: {}}\njobs: {j: {recorded: [[1s, 2s], [3s]]}}":                       "jobs.j.recorded[2] must be",
		"workers: {w: {}}\njobs: {j: {recorded: [[2s, 2s], [1s, 1s]]}}":                   "in order of time",
		"workers: {w: {}}\njobs: {j: {duration: 1m}, j2: {duration: 1m, labels: [nope]}}": "KEY:VALUE",
	} {
		_, err := Decode("file", []byte(text))
		if !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "file: ") {
			t.Errorf("%q\n is told: %v\n want: %s", text, err, want)
		}
	}
}

func TestSet(t *testing.T) {
	w, err := Decode("example", Example)
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.With("physics.rate=10,0,2", "jobs.assembly.account=chemistry", "accounts.chemistry.window=2h", "jobs.report.account=new.dotted", "new.dotted.rate=1", "jobs.report.queue=late", "queues.late.weight=2", "workers.node.count=3", "jobs.guest.priority=2.5",
		"queues.nightly.weight=7", "duration=2d", "preemption=no", "jobs.guest.labels=a:b,c:d", "jobs.guest.duration={uniform: [1m, 2m]}")
	if err != nil {
		t.Fatal(err)
	}
	if *c.Accounts[0].Rate != *quotaOf(10, 0, 2) || *c.Accounts[0].Window != 30*time.Minute || c.Accounts[2].Name != "chemistry" || c.Accounts[3].Name != "new.dotted" ||
		c.Workers[0].Count != 3 || c.Jobs[3].Priority != 2.5 || len(c.Jobs[3].Labels) != 2 || c.Queues[0].Weight != 7 || c.Queues[0].Priority != -5 || c.Queues[1].Weight != 2 ||
		c.Duration != 48*time.Hour || !c.NoPreemption || c.Jobs[3].Lasts.Form != Uniform {
		t.Errorf("%+v", c)
	}
	if *w.Accounts[0].Rate != *quotaOf(8) || w.Workers[0].Count != 16 || w.Jobs[3].Priority != 0 || len(w.Accounts) != 2 {
		t.Error("the workload itself was changed")
	}
	for set, want := range map[string]string{
		"rate": "write WHAT=VALUE", "=3": "write WHAT=VALUE", "physics.speed=3": "there is no such field", "physics.rate=-3": "rate -3",
		"workers.none.count=3": `there are no workers of the name "none" in the workload; there are big, node`,
		"jobs.none.count=3":    `there are no jobs of the name "none" in the workload; there are assembly, guest, report, simulation`,
		"phisics.rate=3":       `there are no accounts of the name "phisics" in the workload; there are biology, physics`,
		"queues.daily.weight=": `there are no queues of the name "daily" in the workload; there are nightly`,
		"speed=3":              "there is no such field",
	} {
		if _, err := w.With(set); !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is told %v, want %s", set, err, want)
		}
	}
}

// Whatever is read can be written and read again.
func FuzzDecode(f *testing.F) {
	f.Add(string(Example))
	f.Add(`{"duration": "1h", "workers": {"w": {"resources": {"cpu": 4, "mem": "8G"}}}, "jobs": {"j": {"recorded": [["1s", "2m"]], "needs": {"cpu": 0.5}}}}`)
	f.Add("accounts: {a: {rate: [1, 2], changes: [{at: 1h, label_limits: {gpu: 2}}]}}\nworkers: {w: {}}\njobs: {j: {at: [1h], duration: {list: [1m, 2m]}}}")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Decode("fuzzed", []byte(text))
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Errorf("%v is of another kind", err)
			}
			return
		}
		written, err := w.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode("again", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		rewritten, err := again.Encode()
		if err != nil || string(rewritten) != string(written) {
			t.Errorf("written as\n%s\nand then as\n%s", written, rewritten)
		}
	})
}

func TestRecall(t *testing.T) {
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	past := func(account string, added, lasts time.Duration) Past {
		return Past{Account: account, Queue: "q", Needs: job.Resources{job.CPU: 2000}, Labels: job.Labels{"b:2", "a:1"}, Added: noon.Add(added), Lasts: lasts}
	}
	other := past("x", time.Second, time.Minute)
	other.Priority = 3
	got := Recall([]Past{past("x", time.Minute, 1500*time.Microsecond), past("x", -time.Hour, time.Hour), past("y", 0, 0), other}, noon)
	like := Stream{Queue: "q", Needs: job.Resources{job.CPU: 2000}, Labels: job.Labels{"a:1", "b:2"}}
	x, x2, y := like, like, like
	x.Name, x.Account, x.Recorded = "x-q", "x", []Recorded{{0, time.Hour}, {time.Minute, 2 * time.Millisecond}}
	x2.Name, x2.Account, x2.Priority, x2.Recorded = "x-q-2", "x", 3, []Recorded{{time.Second, time.Minute}}
	y.Name, y.Account, y.Recorded = "y-q", "y", []Recorded{{0, time.Millisecond}}
	if d := cmp.Diff([]Stream{x, x2, y}, got); d != "" {
		t.Error(d)
	}
}

// The result for programs has seconds, and names for everything.
func TestJSON(t *testing.T) {
	r := run(t, &Workload{Name: "n", Workers: []Workers{oneSlot("w", 1)}, Jobs: []Stream{atOnce("j", "", 2, 0, 10*time.Second)}}, Options{})
	b, err := r.JSON(true)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name           string
		Duration       float64
		Jobs, Done     int
		Resources      map[string]struct{ Taken, Part float64 }
		Accounts       []struct{ Wait struct{ Max float64 } }
		Samples        []struct{ At float64 }
		Notes, Nothing []string
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "n" || got.Duration != 20 || got.Jobs != 2 || got.Done != 2 || got.Resources[Slot].Taken != 20 || got.Accounts[0].Wait.Max != 10 || len(got.Samples) != 21 || got.Notes == nil {
		t.Errorf("%+v\n%s", got, b)
	}
}

// What was measured on a server is written as people would.
func TestWrittenForPeople(t *testing.T) {
	w := &Workload{
		Duration: time.Hour, Seed: 1, Grace: DefaultGrace,
		Accounts: []Account{NewAccount(job.Account{Name: "a", Rate: job.Quota{2}}, job.Quota{169.01463386900002, -0.2, 5})},
		Workers: []Workers{
			NewWorker("n", job.Resources{job.CPU: 4000, job.Memory: 1040 << 30, job.Disk: 37115620 << 10}, nil),
			NewWorker("small", job.Resources{job.CPU: 4000, job.Memory: 999, job.Disk: 2 << 30}, nil),
		},
		Jobs: []Stream{{Name: "j", Queue: job.DefaultQueue, Arrivals: Arrivals{Rate: 55. / 3600}, Lasts: Lengths{A: time.Minute}}},
	}
	text, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"balance: [169, 0, 5]", "resources: {cpu: 4, disk: 35.4G, mem: 1040G}", "resources: {cpu: 4, disk: 2G, mem: 999B}", "poisson: 55/h",
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	if _, err := Decode("again", text); err != nil {
		t.Error(err)
	}
	for n := int64(1); n < 1<<50; n = n*3/2 + 1 {
		if r := roundedUp(n); r < n || float64(r) > 1.0101*float64(n) {
			t.Errorf("%d is rounded to %d", n, r)
		}
	}
}
