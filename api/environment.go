package api

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Environment is the content and digest that "NAME=value" settings are stored
// as: sorted, the last of each name, each followed by a NUL byte. A setting with
// a NUL byte or without a name is an Invalid error.
func Environment(settings []string) (content []byte, digest string, err error) {
	last := map[string]string{}
	for _, s := range settings {
		name, _, ok := strings.Cut(s, "=")
		if !ok || name == "" || strings.IndexByte(s, 0) >= 0 {
			return nil, "", job.Errorf(job.Invalid, "environment: %.60q is not of the form NAME=value", s)
		}
		last[name] = s
	}
	sorted := make([]string, 0, len(last))
	for _, s := range last {
		sorted = append(sorted, s)
	}
	slices.Sort(sorted)
	for _, s := range sorted {
		content = append(append(content, s...), 0)
	}
	return content, EnvironmentDigest(content), nil
}

// EnvironmentDigest is the digest of an environment's content.
func EnvironmentDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ParseEnvironment reads the settings of an environment's content.
func ParseEnvironment(content []byte) ([]string, error) {
	if len(content) == 0 {
		return []string{}, nil // empty, which is not the same as none
	}
	body, ok := strings.CutSuffix(string(content), "\x00")
	if !ok {
		return nil, job.Errorf(job.Invalid, "environment: its content does not end with a NUL byte")
	}
	settings := strings.Split(body, "\x00")
	for _, s := range settings {
		if i := strings.IndexByte(s, '='); i < 1 {
			return nil, job.Errorf(job.Invalid, "environment: %.60q is not of the form NAME=value", s)
		}
	}
	return settings, nil
}
