package emulate

import (
	"regexp"
	"strings"
)

// uuid is what engines name their runs by.
var uuid = regexp.MustCompile(`[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}`)

// KindOf is the kind by which the resources of a job of a name are learned: the name
// without what counts its like, or otherwise when nothing is left.
func KindOf(name, otherwise string) string {
	kind := uuid.ReplaceAllString(name, "")
	kind, _, _ = strings.Cut(kind, "(")
	kind = strings.TrimRight(kind, "0123456789-_. ")
	if kind == "" {
		return otherwise
	}
	return kind
}

// Matches tells whether a name is the one of a pattern, in which each "*" stands for
// anything.
func Matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
