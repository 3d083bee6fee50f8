package run

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/muster-queue/muster/job"
)

// containersName is the directory, in the state directory, of a file for each
// container that runs: a successor ends those of an agent that was killed.
const containersName = "containers"

// leftover is what is noted of a container: how to remove it.
type leftover struct {
	Path, Name string
	// Env are the variables that say which daemon or store the runtime uses.
	Env      []string
	UID, GID uint32
}

// ofRuntimes tells the variables that a runtime needs to find its containers again.
func ofRuntimes(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	switch name {
	case "PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TMPDIR":
		return true
	}
	return strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "CONTAINER")
}

// noteContainer notes a container before it is made.
func (r *Runner) noteContainer(x *attempt, k *container) error {
	if !k.removes() {
		return nil
	}
	l := leftover{Path: k.path, Name: k.name, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	l.Env = slices.DeleteFunc(slices.Clone(x.env), func(entry string) bool { return !ofRuntimes(entry) })
	if x.who != nil {
		l.UID, l.GID = x.who.uid, x.who.gid
	}
	b, err := json.Marshal(l)
	if err == nil {
		err = os.MkdirAll(r.cfg.Home.Path(containersName), 0o700)
	}
	if err == nil {
		err = renameio.WriteFile(r.cfg.Home.Path(containersName, k.name), b, 0o600)
	}
	if err != nil {
		return failed(job.ReasonContainer, "note the container, so that it can be ended whatever happens: %w", err)
	}
	return nil
}

// forgetContainer notes that a container is gone.
func (r *Runner) forgetContainer(k *container) {
	if k.removes() {
		_ = os.Remove(r.cfg.Home.Path(containersName, k.name))
	}
}

// endLeftovers removes the containers that earlier incarnations left. Their
// processes have ended already, where they could be seen (see home.Takeover); a
// daemon on which they cannot has to confirm it, or the agent may not begin.
func (r *Runner) endLeftovers() error {
	files, err := os.ReadDir(r.cfg.Home.Path(containersName))
	if err != nil {
		return nil //nolint:nilerr // there never was one
	}
	var all sync.WaitGroup
	errs := make([]error, len(files))
	for i, f := range files {
		all.Go(func() { errs[i] = endLeftover(r.cfg.Home.Path(containersName, f.Name())) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func endLeftover(file string) error {
	var l leftover
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &l) != nil {
		return os.Remove(file) // it was not written whole: there was no container yet
	}
	said, err := l.remove()
	if err != nil {
		said, err = l.remove() // see endContainer
	}
	if err != nil && filepath.Base(l.Path) == "docker" && !strings.Contains(strings.ToLower(said), "no such container") {
		return job.Errorf(job.Unavailable, "the container %s, which this agent's predecessor started, could not be ended: %w: %s; when you know that it is gone, remove %s", l.Name, err, said, file)
	}
	return os.Remove(file)
}

func (l *leftover) remove() (said string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), runtimeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.Path, "rm", "--force", l.Name)
	cmd.Env, cmd.Dir = l.Env, "/"
	if os.Geteuid() == 0 && l.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: l.UID, Gid: l.GID}}
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
