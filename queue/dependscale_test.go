package queue

import (
	"fmt"
	"testing"

	"github.com/muster-queue/muster/job"
)

// These tests count what many dependencies cost.

// linear fails when more ties are looked at than a few for each job.
func linear(t *testing.T, build func(f *fixture, n int)) {
	t.Helper()
	const n = 30_000
	f := newFixture(t, Config{})
	f.Begin(start)
	build(f, n)
	if looked := f.dep.looked; looked > 8*n {
		t.Errorf("%d jobs: %d ties were looked at", n, looked)
	}
}

func (f *fixture) resolveAll() {
	for f.Resolve(2000) {
	}
}

// bulk adds jobs that need no look-up, without keeping what is to be stored.
func (f *fixture) bulk(n int, describe func(i int) job.Job) {
	f.t.Helper()
	for i := range n {
		j := describe(i)
		j.Normalise()
		p := Prepared{Job: &j, Digest: job.DigestOf(j.Queue, j.Key), Body: []byte{1}, Reach: f.meta.NextEnd}
		if a := f.Add([]Prepared{p}, AddOptions{})[0]; a.Err != nil {
			f.t.Fatal(a.Err)
		}
		if i%1000 == 999 {
			f.Take()
			f.Begin(f.now)
			f.Feed()
		}
	}
	f.Take()
	f.Begin(f.now)
	f.Feed()
}

// finish completes all jobs in the order in which they become ready.
func (f *fixture) finish(n int) {
	f.t.Helper()
	for done, seq := 0, job.Seq(0); done < n; seq++ {
		if seq == f.meta.NextSeq {
			f.t.Fatalf("%d of %d jobs became ready", done, n)
		}
		if l, ok := f.BySeq(seq); !ok || l.State != job.Ready {
			continue
		}
		f.do(f.Conclude(seq, job.Complete, f.puller, nil, nil))
		f.resolveAll()
		if done++; done%1000 == 0 {
			f.Take()
			f.Begin(f.now)
			f.Feed()
		}
	}
}

func member(i int, groups ...string) job.Job {
	j := data(fmt.Sprint("job", i))
	j.DepGroups = groups
	return j
}

func on(j job.Job, groups ...string) job.Job {
	for _, g := range groups {
		j.Dependencies = append(j.Dependencies, job.Dependency{Group: g})
	}
	return j
}

func name(i int) string { return fmt.Sprint("group", i) }

func TestDependenciesAreLinear(t *testing.T) {
	t.Run("chain", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(n, func(i int) job.Job { return on(member(i, name(i)), name(i-1)) })
		})
	})
	t.Run("chain resolved", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(n, func(i int) job.Job {
				if i == 0 {
					return member(i, name(i))
				}
				return on(member(i, name(i)), name(i-1))
			})
			f.finish(n)
		})
	})
	t.Run("chain added from its end", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(n, func(i int) job.Job { return on(member(i, name(n-i)), name(n-i-1)) })
		})
	})
	t.Run("chain by key", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(n, func(i int) job.Job {
				j := data(name(i))
				if i > 0 {
					j.Dependencies = []job.Dependency{{Key: job.Key(name(i - 1))}}
				}
				return j
			})
			f.finish(n)
		})
	})
	t.Run("fan in", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(1, func(int) job.Job { return on(data("last"), "all") })
			f.bulk(n, func(i int) job.Job { return member(i, "all") })
			for seq := job.Seq(2); seq < f.meta.NextSeq; seq++ {
				f.do(f.Conclude(seq, job.Complete, f.puller, nil, nil))
				f.resolveAll()
			}
			f.want(1, job.Ready)
		})
	})
	t.Run("fan out", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(1, func(int) job.Job { return member(0, "first") })
			f.bulk(n, func(i int) job.Job { return on(data(name(i)), "first") })
			f.do(f.Conclude(1, job.Complete, f.puller, nil, nil))
			f.resolveAll()
			if c := f.Counts(); c[job.Ready] != int64(n) {
				t.Fatalf("%v", c)
			}
		})
	})
	t.Run("map and reduce", func(t *testing.T) {
		linear(t, func(f *fixture, n int) {
			f.bulk(n, func(i int) job.Job { return member(i, "split") })
			f.bulk(n, func(i int) job.Job { return on(member(n+i), "mapped") })
			f.bulk(n, func(i int) job.Job { return on(member(2*n+i, "mapped"), "split") })
		})
	})
}

// TestReleaseInSteps: whoever waits is told so many at a time.
func TestReleaseInSteps(t *testing.T) {
	f := newFixture(t, Config{})
	f.Begin(start)
	f.add(member(0, "first"), AddOptions{})
	for i := range 100 {
		f.add(on(data(name(i)), "first"), AddOptions{})
	}
	f.do(f.Conclude(1, job.Complete, f.puller, nil, nil))
	if !f.Resolve(40) || f.Counts()[job.Ready] != 40 {
		t.Fatalf("%v after 40", f.Counts())
	}
	f.commit()
	f.reload()
	f.Begin(f.now)
	f.resolveAll()
	if c := f.Counts(); c[job.Ready] != 100 {
		t.Fatalf("%v after a restart in between", c)
	}
}
