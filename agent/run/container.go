package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// container runs a command in an image with a runtime found on the machine.
type container struct {
	runtime string // docker, podman, apptainer, singularity
	path    string
	name    string
	argv    []string // the runtime's arguments up to and including the image
}

// Runtimes in the order in which they are tried when the job names none.
var runtimes = []string{"docker", "podman", "apptainer", "singularity"}

// contain prepares the container for the attempt's image.
func (x *attempt) contain() (*container, error) {
	c := x.spec.Command
	try := runtimes
	if c.Runtime != "" {
		if !slices.Contains(runtimes, c.Runtime) {
			return nil, failed(job.ReasonContainer, "container runtime %q is not known; known are %s", c.Runtime, strings.Join(runtimes, ", "))
		}
		try = []string{c.Runtime}
	}
	for _, name := range try {
		path, err := x.find(name)
		if err != nil {
			continue
		}
		k := &container{runtime: name, path: path, name: "muster-" + x.scope.String()}
		if name == "docker" || name == "podman" {
			k.argv = x.dockerArgs(path, k.name)
		} else {
			k.argv = x.apptainerArgs(path)
		}
		return k, nil
	}
	return nil, failed(job.ReasonContainer, "none of %s is in PATH; install a container runtime on this machine, or send the job to one that has it", strings.Join(try, ", "))
}

// wrap is the argument list that runs argv in the container. A line written for
// bash needs an image that has one; that it has none is the image's answer.
func (k *container) wrap(argv []string) []string { return slices.Concat(k.argv, argv) }

func (x *attempt) dockerArgs(path, name string) []string {
	args := []string{path, "run", "--rm", "--name", name, "--workdir", x.dir.cwd}
	for _, m := range x.mounts() {
		args = append(args, "--volume", m)
	}
	for _, name := range x.containerEnv() {
		args = append(args, "--env", name) // the value comes from the client's environment, unsplit
	}
	if mem := x.spec.Needs[job.Memory]; mem > 0 {
		args = append(args, "--memory", strconv.FormatInt(mem, 10))
	}
	if cpu := x.spec.Needs[job.CPU]; cpu > 0 && x.r.cfg.CPUCap {
		args = append(args, "--cpus", strconv.FormatFloat(float64(cpu)/job.Thousandth, 'f', -1, 64))
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if x.who != nil {
		uid, gid = int(x.who.uid), int(x.who.gid)
	}
	args = append(args, "--user", strconv.Itoa(uid)+":"+strconv.Itoa(gid))
	return append(args, x.spec.Command.Image)
}

func (x *attempt) apptainerArgs(path string) []string {
	args := []string{path, "exec", "--pwd", x.dir.cwd}
	for _, m := range x.mounts() {
		args = append(args, "--bind", m)
	}
	image := x.spec.Command.Image
	if !strings.Contains(image, "://") && !strings.HasSuffix(image, ".sif") && !filepath.IsAbs(image) {
		image = "docker://" + image
	}
	return append(args, image)
}

// mounts are the directories seen in the container, "out:in[:options]".
func (x *attempt) mounts() []string {
	list := []string{x.dir.cwd + ":" + x.dir.cwd}
	if x.dir.tmp != "" {
		list = append(list, x.dir.tmp+":"+x.dir.tmp)
	}
	for _, m := range x.spec.Command.ContainerMounts {
		if !strings.Contains(m, ":") {
			m += ":" + m
		}
		list = append(list, m)
	}
	return list
}

// containerEnv names the variables a docker container gets: the job's own and
// those that name the attempt, not the whole environment of another system.
func (x *attempt) containerEnv() []string {
	var names []string
	for _, entry := range slices.Concat(x.spec.Command.Env, x.spec.Secrets) {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	for _, entry := range x.env {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "MUSTER_") || name == "TMPDIR" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// containerFailed reports whether an exit code is the runtime's own failure.
func (x *attempt) containerFailed(code int) bool {
	return x.prog.container != nil && code == 125
}

// endContainer removes a container that runs under a daemon, outside of what the
// attempt's other processes are ended by.
func (x *attempt) endContainer() {
	k := x.prog.container
	if k == nil || k.runtime != "docker" && k.runtime != "podman" {
		return
	}
	if x.stop.reason == job.ReasonNone {
		return // it ended by itself, and --rm removed it
	}
	cmd := exec.Command(k.path, "rm", "--force", k.name)
	cmd.Env = x.env
	if out, err := cmd.CombinedOutput(); err != nil {
		x.note("remove container %s: %v: %s", k.name, err, strings.TrimSpace(string(out)))
	}
}
