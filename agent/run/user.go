package run

import (
	"cmp"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/muster-queue/muster/job"
)

// identity is another user, or another group, that a command is to run as.
type identity struct {
	name     string // empty: only the group changes
	home     string
	uid, gid uint32
	groups   []uint32
}

// lookUp finds the user and group a command names; nil means the agent's own.
// Only root may become somebody else.
func lookUp(name, group string) (*identity, error) {
	if name == "" && group == "" {
		return nil, nil
	}
	id := &identity{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
	if name != "" {
		if err := id.user(name); err != nil {
			return nil, err
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return nil, failed(job.ReasonPermission, "the group to run as: %w", err)
		}
		id.gid = number(g.Gid)
	}
	if id.uid == uint32(os.Geteuid()) && id.gid == uint32(os.Getegid()) {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, failed(job.ReasonPermission, "the job is to run as user %q, group %q, but this agent runs as user %d and may not become another; start the agent as root, or as that user and group", name, group, os.Geteuid())
	}
	return id, nil
}

func (id *identity) user(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return failed(job.ReasonPermission, "the user to run as: %w", err)
	}
	id.name, id.home, id.uid, id.gid = u.Username, u.HomeDir, number(u.Uid), number(u.Gid)
	groups, err := u.GroupIds()
	if err != nil {
		return failed(job.ReasonPermission, "the groups of user %s: %w", name, err)
	}
	for _, g := range groups {
		id.groups = append(id.groups, number(g))
	}
	return nil
}

// title is the user's name, or number where only the group changes.
func (id *identity) title() string { return cmp.Or(id.name, strconv.Itoa(int(id.uid))) }

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

func (id *identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: id.uid, Gid: id.gid, Groups: id.groups}
}

// own makes a directory the identity's; nil is the agent's own, which it is.
func (id *identity) own(dir string) error {
	if id == nil {
		return nil
	}
	return os.Lchown(dir, int(id.uid), int(id.gid))
}
