package run

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/muster-queue/muster/agent/proc"
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
	name, path, err := x.findRuntime(runtimes)
	if err != nil {
		return nil, err
	}
	k := &container{runtime: name, path: path, name: "muster-" + x.scope.String()}
	switch name {
	case "docker", "podman":
		k.argv = x.dockerArgs(k)
	default:
		k.argv = x.apptainerArgs(path)
	}
	return k, x.r.noteContainer(x, k)
}

// findRuntime is the runtime that the job names, or the first of some that can be
// used here.
func (x *attempt) findRuntime(try []string) (name, path string, err error) {
	if named := x.spec.Command.Runtime; named != "" {
		if !slices.Contains(runtimes, named) {
			return "", "", failed(job.ReasonContainer, "container runtime %q is not known; known are %s", named, strings.Join(runtimes, ", "))
		}
		if path, err := x.find(named); err == nil {
			return named, path, nil
		}
		return "", "", failed(job.ReasonContainer, "the container runtime %s is not in PATH; install it on this machine, or send the job to one that has it", named)
	}
	why := ""
	for _, name := range try {
		path, err := x.find(name)
		switch {
		case err != nil:
		case name == "docker" && !x.dockerd():
			why = " (docker is there, but no daemon of it runs)"
		default:
			return name, path, nil
		}
	}
	return "", "", failed(job.ReasonContainer, "none of %s is in PATH%s; install a container runtime on this machine, or send the job to one that has it", strings.Join(try, ", "), why)
}

// dockerd reports whether docker's daemon may be there: its client alone runs
// nothing. A daemon that is not this machine's is believed.
func (x *attempt) dockerd() bool {
	socket := "/var/run/docker.sock"
	if host := getenv(x.env, "DOCKER_HOST"); host != "" {
		local, ok := strings.CutPrefix(host, "unix://")
		if !ok {
			return true
		}
		socket = local
	}
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// daemon reports whether the container's processes are those of a daemon, and not
// of the attempt's control group.
func (k *container) daemon() bool { return k != nil && k.runtime == "docker" }

// wrap is the argument list that runs argv in the container. A line written for
// bash needs an image that has one; that it has none is the image's answer.
func (k *container) wrap(argv []string) []string { return slices.Concat(k.argv, argv) }

func (x *attempt) dockerArgs(k *container) []string {
	args := []string{k.path, "run", "--rm", "--name", k.name, "--workdir", x.dir.cwd}
	for _, m := range x.mounts() {
		args = append(args, "--volume", m)
	}
	for _, name := range x.containerEnv() {
		args = append(args, "--env", name) // the value comes from the client's environment, unsplit
	}
	args = append(args, x.containerLimits(k)...)
	return append(append(args, x.containerUser(k)...), x.spec.Command.Image)
}

// containerLimits keeps the container to what the attempt may use: podman's stays
// where the attempt is, in its control group if it has one, and is measured and
// bounded like any command.
func (x *attempt) containerLimits(k *container) (args []string) {
	if k.runtime == "podman" && x.r.inOwnGroup(x, k) {
		return []string{"--cgroups=disabled"}
	}
	if mem := x.spec.Needs[job.Memory]; mem > 0 {
		args = append(args, "--memory", strconv.FormatInt(mem, 10))
	}
	if cpu := x.spec.Needs[job.CPU]; cpu > 0 && x.r.cfg.CPUCap {
		args = append(args, "--cpus", strconv.FormatFloat(float64(cpu)/job.Thousandth, 'f', -1, 64))
	}
	return args
}

// inOwnGroup reports whether podman's own runtime can do without a control group for
// each container; asked once for each configuration.
func (r *Runner) inOwnGroup(x *attempt, k *container) bool {
	key := k.path + "\x00" + getenv(x.env, "CONTAINERS_CONF") + "\x00" + getenv(x.env, "HOME")
	if known, ok := r.groups.Load(key); ok {
		return known.(bool)
	}
	name, err := x.runtimeCommand(k.path, "info", "--format", "{{.Host.OCIRuntime.Name}}")
	can := err == nil && filepath.Base(name) == "crun"
	if err == nil {
		r.groups.Store(key, can)
	}
	return can
}

// containerUser makes files in the container the attempt's user's.
func (x *attempt) containerUser(k *container) []string {
	uid, gid := os.Geteuid(), os.Getegid()
	if x.who != nil {
		uid, gid = int(x.who.uid), int(x.who.gid)
	}
	args := []string{"--user", strconv.Itoa(uid) + ":" + strconv.Itoa(gid)}
	if k.runtime == "podman" && uid != 0 {
		args = append(args, "--userns=keep-id") // without it the user is another one outside
	}
	return args
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

// endContainer removes a container that was stopped: killing the runtime's client
// is not the end of what a daemon runs, nor of what the runtime keeps of it.
func (x *attempt) endContainer() {
	k := x.prog.container
	if k == nil || !k.removes() {
		return
	}
	if x.stop.reason != job.ReasonNone || x.keptBy() {
		out, err := x.runtimeCommand(k.path, "rm", "--force", k.name)
		if err != nil && k.runtime == "podman" {
			// Its monitor was killed too; what podman waited for in vain it now knows.
			out, err = x.runtimeCommand(k.path, "rm", "--force", k.name)
		}
		if err != nil {
			x.note("remove container %s: %v: %s", k.name, err, out)
		}
	}
	x.r.forgetContainer(k)
}

// removes reports whether the runtime keeps anything of a container that ended.
func (k *container) removes() bool { return k.runtime == "docker" || k.runtime == "podman" }

// runtimeTime bounds what is asked of a container runtime.
const runtimeTime = 30 * time.Second

// runtimeCommand asks a container runtime something as the attempt's user, but not
// as part of the attempt.
func (x *attempt) runtimeCommand(path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), runtimeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = slices.DeleteFunc(slices.Clone(x.env), isMark) // it is not to be ended with the attempt
	cmd.Dir = "/"
	if x.who != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: x.who.credential()}
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func isMark(entry string) bool { return strings.HasPrefix(entry, proc.ScopeVar+"=") }
