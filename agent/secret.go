package agent

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// secrets finds the values that commands name. None is kept: each attempt asks anew.
type secrets struct {
	ns  *client.Namespace
	dir string // of files; empty: there are none here
}

// Secrets are the settings that the secrets of a granted command come to, for those
// who run it without an agent; dir is the directory of files that it may name, empty
// for none.
func Secrets(ctx context.Context, ns *client.Namespace, dir string, g *client.Grant, c *job.Command) ([]string, error) {
	s := secrets{ns: ns, dir: dir}
	settings, _, err := s.of(ctx, c, g.Attempt, g.Seq)
	return settings, err
}

// of are the settings that the secrets of an attempt come to, by variable, and the
// token that its command is lent.
func (s *secrets) of(ctx context.Context, c *job.Command, id job.AttemptID, seq job.Seq) (settings []string, lent string, err error) {
	if len(c.Secrets) == 0 && c.Emulate == "" {
		return nil, "", nil
	}
	var revealed client.Revealed
	if c.Emulate != "" || storedNamed(c.Secrets) {
		if revealed, err = s.ns.RevealSecrets(ctx, id, uint64(seq)); err != nil {
			return nil, "", err
		}
	}
	settings, err = s.settings(c.Secrets, revealed.Values)
	return settings, revealed.Token, err
}

// settings are those that secrets come to.
func (s *secrets) settings(names map[string]string, stored map[string][]byte) ([]string, error) {
	settings := make([]string, 0, len(names))
	for _, variable := range slices.Sorted(maps.Keys(names)) {
		ref, err := job.ParseSecretRef(names[variable])
		if err != nil {
			return nil, err
		}
		value, err := s.find(ref, stored)
		if err != nil {
			return nil, job.Wrap(err, "", "secret for "+variable)
		}
		settings = append(settings, variable+"="+value)
	}
	return settings, nil
}

// storedNamed tells whether there are secrets that the server keeps.
func storedNamed(names map[string]string) bool {
	for _, text := range names {
		if ref, err := job.ParseSecretRef(text); err == nil && ref.Source == job.SecretStore {
			return true
		}
	}
	return false
}

func (s *secrets) find(ref job.SecretRef, stored map[string][]byte) (string, error) {
	switch ref.Source {
	case job.SecretFile:
		return s.file(ref.Name)
	case job.SecretEnv:
		value, ok := os.LookupEnv(ref.Name)
		if !ok || strings.HasPrefix(ref.Name, "MUSTER_") { // the agent's own access is not for jobs
			return "", job.Errorf(job.NotFound, "%s: the agent has no such variable for jobs; start it with one, or name another source", ref)
		}
		return value, nil
	}
	value, ok := stored[ref.Name]
	if !ok {
		return "", job.Errorf(job.NotFound, "%s: the server did not send it", ref)
	}
	return string(value), nil
}

// file is the content of a file in the directory of secrets, without one newline at
// its end.
func (s *secrets) file(name string) (string, error) {
	if s.dir == "" {
		return "", job.Errorf(job.NotFound, "file:%s: this agent has no directory of secrets; start it with --secrets DIR", name)
	}
	if err := job.CheckSecretName(name); err != nil {
		return "", err
	}
	path := filepath.Join(s.dir, name)
	f, err := os.Open(path)
	if err != nil {
		return "", job.Errorf(job.NotFound, "file:%s: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", job.Errorf(job.Denied, "file:%s: %s is not a file", name, path)
	case info.Mode().Perm()&0o077 != 0:
		return "", job.Errorf(job.Denied, "file:%s: %s may be read by others than its owner (its mode is %#o); chmod 600 it", name, path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, job.MaxSecret+2))
	if err != nil {
		return "", job.Errorf(job.NotFound, "file:%s: %w", name, err)
	}
	b = bytes.TrimSuffix(b, []byte{'\n'})
	if len(b) > job.MaxSecret || bytes.IndexByte(b, 0) >= 0 {
		return "", job.Errorf(job.Invalid, "file:%s: %s has more than %d bytes or a NUL byte, so no variable can carry it", name, path, job.MaxSecret)
	}
	return string(b), nil
}
