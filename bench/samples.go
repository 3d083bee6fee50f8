package bench

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
)

// samples are latencies.
type samples struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

func (s *samples) percentile(p int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return 0
	}
	slices.Sort(s.all)
	return s.all[min(len(s.all)-1, len(s.all)*p/100)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// rate is a row of n jobs in d, with the latency of single requests.
func rate(name string, n int, d time.Duration, goal float64, s *samples) Result {
	return Result{
		Name: name, Value: float64(n) / d.Seconds(), Unit: "jobs/s", Goal: goal,
		P50: ms(s.percentile(50)), P99: ms(s.percentile(99)), RSS: rss(os.Getpid()),
	}
}

// rss is a process's resident memory in MB; zero when it cannot be read.
func rss(pid int) float64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kib / 1024
}

// cpuTime is the processor time a process has used.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, job.Errorf(job.Unavailable, "read a process's time: %w", err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, job.Errorf(job.Unavailable, "read a process's time: unexpected /proc format")
	}
	return time.Duration(user+system) * time.Second / clockTicks, nil
}

// clockTicks is USER_HZ, which Linux fixes at 100 for user space.
const clockTicks = 100
