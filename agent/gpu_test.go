package agent

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/muster-queue/muster/job"
)

// machine makes a root directory with these files.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func a100(pci string) (string, string) {
	return "proc/driver/nvidia/gpus/" + pci + "/information",
		"Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 185\nGPU UUID: \t GPU-0d1c\nVideo BIOS: \t 92.00.45.00.03\n"
}

func TestGPUsAreFound(t *testing.T) {
	first, information := a100("0000:07:00.0")
	second, _ := a100("0000:0f:00.0")
	tests := []struct {
		name   string
		files  map[string]string
		labels job.Labels
		number int64
	}{
		{"none", map[string]string{"proc/meminfo": ""}, nil, 0},
		{"two alike", map[string]string{first: information, second: information}, job.Labels{"gpu:NVIDIA-A100-SXM4-40GB"}, 2},
		{"two kinds", map[string]string{first: information, second: "Model: Tesla V100"}, job.Labels{"gpu:NVIDIA-A100-SXM4-40GB", "gpu:Tesla-V100"}, 2},
		{"no model", map[string]string{first: "IRQ: 5\n"}, job.Labels{"gpu:NVIDIA"}, 1},
		{"of AMD", map[string]string{
			"sys/class/drm/card0/device/vendor": "0x8086\n", // Intel's, for the screen
			"sys/class/drm/card1/device/vendor": "0x1002\n", "sys/class/drm/card1/device/device": "0x740f\n",
			"sys/class/drm/card1/device/product_name": "AMD Instinct MI210\n",
			"sys/class/drm/card2/device/vendor":       "0x1002\n", "sys/class/drm/card2/device/device": "0x744c\n",
			"sys/class/drm/card2-DP-1/device/vendor": "0x1002\n", "sys/class/drm/renderD128/device/vendor": "0x1002\n",
		}, job.Labels{"gpu:AMD-744c", "gpu:AMD-Instinct-MI210"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			models := gpus(t.Context(), machine(t, tt.files))
			labels := builtinLabels("here", models, nil).OfKey("gpu")
			if !slices.Equal(labels, tt.labels) {
				t.Errorf("labels %v, want %v", labels, tt.labels)
			}
			caps, err := capacity(nil, t.TempDir(), models)
			if err != nil {
				t.Fatal(err)
			}
			if n, has := caps[gpu]; n != tt.number*job.Thousandth || has != (tt.number > 0) {
				t.Errorf("it has %d thousandths (%v), want %d gpus", n, has, tt.number)
			}
		})
	}
}

func TestGivenGPUsWin(t *testing.T) {
	for _, given := range []int64{0, 1500} {
		caps, err := capacity(job.Resources{gpu: given}, t.TempDir(), []string{"a", "b"})
		if err != nil || caps[gpu] != given {
			t.Errorf("given %d, it has %d (%v)", given, caps[gpu], err)
		}
	}
}

func TestGPUsThatAreShared(t *testing.T) {
	file, information := a100("0000:07:00.0")
	other, _ := a100("0000:0f:00.0")
	root := machine(t, map[string]string{file: information, other: information})
	for list, want := range map[string]int{"0": 1, "GPU-0d1c,1,2": 2, "": 0, "-1": 0, "0,-1,1": 1, "NoDevFiles": 0} {
		t.Setenv("CUDA_VISIBLE_DEVICES", list)
		if n := len(gpus(t.Context(), root)); n != want {
			t.Errorf("CUDA_VISIBLE_DEVICES=%q leaves %d, want %d", list, n, want)
		}
	}
}

// TestProgramOfGPUs puts a program of the name before the others.
func TestProgramOfGPUs(t *testing.T) {
	dir := machine(t, map[string]string{"nvidia-smi": "#!/bin/sh\n[ \"$1\" = --query-gpu=name ] && printf 'NVIDIA H100 80GB HBM3\\n\\nNVIDIA L4\\n'\n"})
	if err := os.Chmod(filepath.Join(dir, "nvidia-smi"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got, want := smiGPUs(t.Context()), []string{"NVIDIA H100 80GB HBM3", "NVIDIA L4"}; !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
	t.Setenv("PATH", t.TempDir())
	if got := smiGPUs(t.Context()); got != nil {
		t.Errorf("without the program: %q", got)
	}
}

func TestBuiltinLabels(t *testing.T) {
	got := builtinLabels("no de\x01", []string{"A", "A"}, job.Labels{"disk:ssd", "host:alias"})
	want := job.Labels{"arch:" + runtime.GOARCH, "disk:ssd", "gpu:A", "host:alias", "host:no-de", "os:" + runtime.GOOS}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := got.Validate("labels"); err != nil {
		t.Error(err)
	}
}
