package home

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/muster-queue/muster/job"
)

// identity is what is stored of an agent in its directory.
type identity struct {
	Format      int    `json:"format"`
	ID          string `json:"id"`
	Incarnation uint64 `json:"incarnation"`
	Machine     string `json:"machine"`
	Boot        string `json:"boot"`
	// PidNamespace is where the incarnation's processes can be seen.
	PidNamespace string `json:"pid_namespace"`
	// Cgroup is the incarnation's control group.
	Cgroup string `json:"cgroup,omitempty"`
}

// identityFormat is the newest form of the identity file this release reads.
const identityFormat = 1

// provable reports whether the end of everything the incarnation old started
// can be brought about, or is certain, from where now is. On another machine, or
// in another container of the same boot, its processes cannot be seen: nothing
// may be said about them, and their leases have to run out.
func (old identity) provable(now identity) bool {
	return old.ID != "" && old.Machine == now.Machine &&
		(old.Boot != now.Boot || old.PidNamespace == now.PidNamespace)
}

// present is the identity of a new incarnation here, without id and number.
func present(dir string) (identity, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, job.Errorf(job.Unavailable, "read the machine's boot id (is /proc mounted?): %w", err)
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return identity{}, err
	}
	machine, err := machineID(dir)
	return identity{Format: identityFormat, Machine: machine, Boot: strings.TrimSpace(string(boot)), PidNamespace: ns}, err
}

// machineID is the machine's own id, else one made up and kept in the directory.
func machineID(dir string) (string, error) {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id", filepath.Join(dir, "machine-id")} {
		b, err := os.ReadFile(path)
		if id := strings.TrimSpace(string(b)); err == nil && len(id) >= 32 {
			return id, nil
		}
	}
	id := newID() + newID()
	return id, renameio.WriteFile(filepath.Join(dir, "machine-id"), []byte(id+"\n"), 0o600)
}

// newID is 64 random bits: enough to tell the agents of one machine apart.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

const identityFile = "identity.json"

func readIdentity(dir string) (identity, error) {
	var id identity
	path := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil
	} else if err != nil {
		return id, err
	}
	if err := json.Unmarshal(b, &id); err != nil || id.Format < 1 || id.ID == "" {
		return id, job.Errorf(job.Damaged, "%s cannot be read (%v); once no command of this agent runs any more, delete it", path, err)
	}
	if id.Format > identityFormat {
		return id, job.Errorf(job.Damaged, "%s was written by a newer release", path)
	}
	return id, nil
}

func writeIdentity(dir string, id identity) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, identityFile), append(b, '\n'), 0o600)
}
