// Package home is an agent's state directory: the lock that keeps a second agent
// out, who the agent is (machine, boot, directory, incarnation), and the table of
// what it runs, which survives its death. Taking a directory over first ends,
// and verifies the end of, everything a predecessor there started; so whoever
// holds a Home may say that all attempts of earlier incarnations are over
// (see Proven). The agent opens it; packages run and keeper write and read the table.
package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-queue/muster/agent/cgroup"
	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// Home is a state directory held under its lock.
type Home struct {
	Dir string
	// ID names the agent through all its incarnations here; Machine and Boot are
	// the machine's identity and that of its present boot.
	ID, Machine, Boot string
	// Incarnation counts the agent's starts, from 1.
	Incarnation uint64
	// Table is what this incarnation runs.
	Table *Table
	// Tree is its control group; nil where there is none, NoTree says why.
	Tree   *cgroup.Tree
	NoTree error
	// Proven tells that nothing any earlier incarnation here started runs any
	// more. It is false after the directory came from another machine or another
	// container of this boot, whose processes cannot be seen.
	Proven bool
	// Superseded are the attempts a predecessor was running when it died. They
	// have ended.
	Superseded []job.AttemptID

	lock *os.File
}

// Config is how a state directory is taken over.
type Config struct {
	Dir string
	// Cgroup is the control group below which the agent's is made; empty means
	// the one the process is in.
	Cgroup string
	// NoCgroup does without.
	NoCgroup bool
	// Slots is how many commands may run at once; zero means DefaultSlots.
	Slots int
}

// endTimeout bounds the wait for a predecessor's processes to end.
const endTimeout = 30 * time.Second

// Takeover locks a state directory, creating it if need be, ends what earlier
// incarnations left running, and begins a new incarnation. It fails with
// job.Conflict when an agent lives there, with job.Timeout when something a
// predecessor started does not end.
func Takeover(ctx context.Context, cfg Config) (*Home, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, job.Errorf(job.Unavailable, "create the agent's state directory: %w", err)
	}
	dir, err := filepath.EvalSymlinks(cfg.Dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	h := &Home{Dir: dir}
	if h.lock, err = lock(ctx, dir); err != nil {
		return nil, err
	}
	if err := h.begin(ctx, cfg); err != nil {
		h.lock.Close()
		return nil, job.Wrap(err, "take over the agent's state directory", dir)
	}
	return h, nil
}

func (h *Home) begin(ctx context.Context, cfg Config) error {
	old, err := readIdentity(h.Dir)
	if err != nil {
		return err
	}
	now, err := present(h.Dir)
	if err != nil {
		return err
	}
	now.ID, now.Incarnation = old.ID, old.Incarnation+1
	if h.Proven = old.ID == "" || old.provable(now); !h.Proven || old.ID == "" {
		now.ID = newID()
	} else if err := h.supersede(ctx, old, now); err != nil {
		return err
	}
	h.ID, h.Incarnation, h.Machine, h.Boot = now.ID, now.Incarnation, now.Machine, now.Boot
	h.openTree(cfg)
	if h.Tree != nil {
		now.Cgroup = h.Tree.Path()
	}
	forgetTables(h.Dir)
	if h.Table, err = createTable(tablePath(h.Dir, now.Incarnation), cfg.Slots); err == nil {
		err = writeIdentity(h.Dir, now)
	}
	if err != nil && h.Tree != nil {
		h.Tree.Close()
	}
	return err
}

// supersede ends what the incarnation old left running on this boot, and lists
// the attempts that were cut off.
func (h *Home) supersede(ctx context.Context, old, now identity) error {
	if old.Boot == now.Boot {
		ctx, cancel := context.WithTimeout(ctx, endTimeout)
		defer cancel()
		if old.Cgroup != "" {
			if err := cgroup.End(ctx, old.Cgroup); err != nil {
				return err
			}
		}
		if err := (proc.Scope{Agent: old.ID}).End(ctx); err != nil {
			return err
		}
	}
	table, err := OpenTable(h.Dir, old.Incarnation)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer table.Close()
	for _, s := range table.Running() {
		h.Superseded = append(h.Superseded, s.Attempt)
	}
	return nil
}

func (h *Home) openTree(cfg Config) {
	if cfg.NoCgroup {
		h.NoTree = job.Errorf(job.Unimplemented, "control groups are switched off")
		return
	}
	parent := cfg.Cgroup
	if parent == "" {
		if parent, h.NoTree = cgroup.Own(); h.NoTree != nil {
			return
		}
	}
	h.Tree, h.NoTree = cgroup.Open(parent, fmt.Sprintf("muster-%s-%d", h.ID, h.Incarnation))
}

// Scope is the mark of everything this incarnation starts.
func (h *Home) Scope() proc.Scope {
	return proc.Scope{Agent: h.ID, Incarnation: h.Incarnation}
}

// Path is a name in the state directory.
func (h *Home) Path(elem ...string) string {
	return filepath.Join(append([]string{h.Dir}, elem...)...)
}

// Close gives the directory up. Everything the agent started must have ended.
func (h *Home) Close() error {
	if h.Tree != nil {
		h.Tree.Close()
	}
	return errors.Join(h.Table.Close(), h.lock.Close())
}
