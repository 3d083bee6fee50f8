package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// Reach is how a command reaches the server: with a token that it is lent while its
// attempt lasts. The server is found by its data directory, wherever it listens after a
// restart, by those who may read that; else by its address.
type Reach struct {
	Token   string
	Data    string
	Address string
	// CAFile has the authority to trust; empty: the system's, or none.
	CAFile string
}

// reaching are the variables that say how to reach the server.
var reaching = [...]string{"MUSTER_SERVER", "MUSTER_DATA", "MUSTER_CA", "MUSTER_TOKEN", "MUSTER_TOKEN_FILE"}

func isReaching(setting string) bool {
	name, _, _ := strings.Cut(setting, "=")
	return slices.Contains(reaching[:], name)
}

// reach sets them, all of them: halves of two ways are none. What the captured
// environment says is of the machine where the job was added; what the job's own
// settings or secrets say holds.
func (x *attempt) reach(e *env) error {
	r := x.spec.Reach
	if r == nil || slices.ContainsFunc(x.spec.Command.Env, isReaching) || slices.ContainsFunc(x.spec.Secrets, isReaching) {
		return nil
	}
	for _, name := range reaching {
		e.remove(name)
	}
	e.set("MUSTER_TOKEN", r.Token)
	if r.Data != "" && x.who == nil {
		e.set("MUSTER_DATA", r.Data)
		return nil
	}
	e.set("MUSTER_SERVER", r.Address)
	ca := r.CAFile
	if ca != "" && x.who != nil {
		var err error
		if ca, err = x.r.openCA(ca); err != nil {
			return err
		}
	}
	if ca != "" {
		e.set("MUSTER_CA", ca)
	}
	return nil
}

// openCA is a copy of the authority that other users can read.
func (r *Runner) openCA(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	r.linkMu.Lock()
	defer r.linkMu.Unlock()
	dir, err := r.openDir()
	if err != nil {
		return "", err
	}
	open := filepath.Join(dir, "ca.pem")
	return open, renameio.WriteFile(open, b, 0o644)
}
