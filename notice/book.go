package notice

import (
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
)

// Book finds the notices that something concerns: what that costs does not depend on
// how many there are.
type Book struct {
	any   Events
	all   shelf
	group map[string]shelf
	queue map[string]shelf
	payer map[string]shelf
	job   map[job.Digest]shelf
}

// shelf are notices with the same scope.
type shelf []*Notice

// NewBook is a book of the notices given.
func NewBook(notices map[string]*Notice) *Book {
	b := &Book{group: map[string]shelf{}, queue: map[string]shelf{}, payer: map[string]shelf{}, job: map[job.Digest]shelf{}}
	for _, name := range slices.Sorted(maps.Keys(notices)) {
		n := notices[name]
		b.any |= n.On
		switch {
		case n.Group != "":
			b.group[n.Group] = append(b.group[n.Group], n)
		case n.Account != "":
			b.payer[n.Account] = append(b.payer[n.Account], n)
		case n.Key != "":
			d := job.DigestOf(n.queue(), n.Key)
			b.job[d] = append(b.job[d], n)
		case n.Queue != "":
			b.queue[n.Queue] = append(b.queue[n.Queue], n)
		default:
			b.all = append(b.all, n)
		}
	}
	return b
}

// Wants reports whether anybody is told of such an event.
func (b *Book) Wants(e Event) bool { return b.any.Has(e) }

// Subject is a job as notices name it.
type Subject struct {
	Group, Queue, Account string
	Digest                job.Digest
}

// Match gives the notices that an event of a job concerns.
func (b *Book) Match(e Event, s *Subject, tell func(*Notice)) {
	for _, list := range [...]shelf{b.all, b.group[s.Group], b.queue[s.Queue], b.payer[s.Account], b.job[s.Digest]} {
		list.tell(e, tell)
	}
}

// Groups gives the notices that the end of a group concerns.
func (b *Book) Groups(group string, tell func(*Notice)) { b.group[group].tell(GroupEnd, tell) }

func (s shelf) tell(e Event, tell func(*Notice)) {
	for _, n := range s {
		if n.On.Has(e) {
			tell(n)
		}
	}
}
