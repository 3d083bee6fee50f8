package agent

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/job"
)

// gpu is the resource that counts graphics processors.
const gpu = "gpu"

// Capacity is what this machine has, for those who start commands on it themselves;
// a resource that is given is not measured. Graphics processors are not looked for.
func Capacity(given job.Resources, dir string) (job.Resources, error) {
	return capacity(given, dir, nil)
}

// capacity completes what was given with what the machine has: the cores this
// process may use, its memory, the free space of the state directory's disk, and
// graphics processors, if any.
func capacity(given job.Resources, dir string, gpus []string) (job.Resources, error) {
	caps := given.Clone()
	if _, ok := caps[gpu]; !ok && len(gpus) > 0 {
		caps[gpu] = int64(len(gpus)) * job.Thousandth
	}
	if _, ok := caps[job.CPU]; !ok {
		caps[job.CPU] = int64(runtime.NumCPU()) * job.Thousandth
	}
	if _, ok := caps[job.Memory]; !ok {
		total, err := totalMemory()
		if err != nil {
			return nil, err
		}
		caps[job.Memory] = total
	}
	if _, ok := caps[job.Disk]; !ok {
		var fs unix.Statfs_t
		if err := unix.Statfs(existing(dir), &fs); err != nil {
			return nil, job.Errorf(job.Unavailable, "measure the disk of %s: %w", dir, err)
		}
		caps[job.Disk] = int64(fs.Bavail) * fs.Bsize
	}
	return caps, caps.Validate()
}

// existing is dir, or the working directory when it is not there yet.
func existing(dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return "."
	}
	return dir
}

func totalMemory() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, job.Errorf(job.Unavailable, "measure the memory: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		f := bytes.Fields(lines.Bytes())
		if len(f) >= 2 && string(f[0]) == "MemTotal:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, job.Errorf(job.Unavailable, "measure the memory: /proc/meminfo has no MemTotal; give it with --memory")
}

// builtinLabels are what every agent announces of itself, with those that were
// given: its host, system and processor family, and the models of its graphics
// processors.
func builtinLabels(host string, gpus []string, given job.Labels) job.Labels {
	labels := append(job.Labels{"os:" + runtime.GOOS, "arch:" + runtime.GOARCH}, given...)
	if l := job.Label("host", host); l != "" {
		labels = append(labels, l)
	}
	for _, model := range gpus {
		if l := job.Label(gpu, model); l != "" {
			labels = append(labels, l)
		}
	}
	return labels.Sorted()
}

// untilMessage is a time as a message; nil for the zero time.
func untilMessage(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
