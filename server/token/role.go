package token

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Role is what a token's holder may do.
type Role string

// The roles. They do not include each other: the server's table says for each
// method which of them may call it.
const (
	// Admin may do everything, tokens included.
	Admin Role = "admin"
	// Operator runs the place: namespaces, queues, pausing, draining, backups.
	Operator Role = "operator"
	// Submitter adds, watches and changes jobs.
	Submitter Role = "submitter"
	// Worker takes jobs and reports on them: agents and pulling clients.
	Worker Role = "worker"
	// Reader looks and changes nothing.
	Reader Role = "reader"
)

// Roles are all roles, the mightiest first.
var Roles = [...]Role{Admin, Operator, Submitter, Worker, Reader}

// ParseRole reads a role; an unknown one is an Invalid error that lists them.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles[:], Role(s)) {
		return Role(s), nil
	}
	words := make([]string, len(Roles))
	for i, r := range Roles {
		words[i] = string(r)
	}
	return "", job.Errorf(job.Invalid, "role: %.40q is none; the roles are %s", s, strings.Join(words, ", "))
}
