package agent

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// gpus finds the graphics processors that commands could compute with: the model
// of each, as its maker calls it. Found are those of NVIDIA, by what the driver
// says or the program nvidia-smi, and those of AMD whose driver is loaded; chips
// that only drive a screen, as most of Intel, are not counted. The root is "/"; a
// test has a tree of its own.
func gpus(ctx context.Context, root string) []string {
	models := driverGPUs(root)
	if len(models) == 0 && root == "/" {
		models = smiGPUs(ctx)
	}
	return visible(append(models, amdGPUs(root)...))
}

// driverGPUs asks NVIDIA's driver, which has a directory for each.
func driverGPUs(root string) (models []string) {
	files, _ := filepath.Glob(filepath.Join(root, "proc/driver/nvidia/gpus/*/information"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		model := "NVIDIA"
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "Model" {
				model = strings.TrimSpace(value)
			}
		}
		models = append(models, model)
	}
	return models
}

// smiTime is how long nvidia-smi may take: the first call loads the driver.
const smiTime = 10 * time.Second

// smiGPUs asks the program, where the driver shows nothing (some containers, WSL).
func smiGPUs(ctx context.Context) (models []string) {
	ctx, cancel := context.WithTimeout(ctx, smiTime)
	defer cancel()
	c := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
	c.WaitDelay = time.Second
	out, err := c.Output()
	if err != nil {
		return nil // there is none, or it says that there is no device
	}
	for line := range bytes.Lines(out) {
		if model := strings.TrimSpace(string(line)); model != "" {
			models = append(models, model)
		}
	}
	return models
}

// AMD's number as a maker of PCI devices.
const amd = "0x1002"

// amdGPUs looks at the devices that the kernel's graphics drivers have.
func amdGPUs(root string) (models []string) {
	cards, _ := filepath.Glob(filepath.Join(root, "sys/class/drm/card*/device"))
	for _, device := range cards {
		connector := strings.Contains(filepath.Base(filepath.Dir(device)), "-") // card0-DP-1, a part of card0
		if connector || word(device, "vendor") != amd {
			continue
		}
		model := word(device, "product_name")
		if model == "" { // an older driver, or a card without a serial number
			model = "AMD " + strings.TrimPrefix(word(device, "device"), "0x")
		}
		models = append(models, model)
	}
	return models
}

// word is what a small file says, empty if it is not there.
func word(dir, name string) string {
	b, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(b))
}

// visible leaves as many as whoever started the agent lets it see, as batch
// systems do that share a machine.
func visible(models []string) []string {
	for _, name := range []string{"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"} {
		list, given := os.LookupEnv(name)
		if !given {
			continue
		}
		n := 0
		for device := range strings.SplitSeq(list, ",") {
			if device = strings.TrimSpace(device); device == "" || device == "-1" || strings.EqualFold(device, "NoDevFiles") {
				break // as the driver does: what follows is not seen either
			}
			n++
		}
		models = models[:min(n, len(models))]
	}
	return slices.Clip(models)
}
