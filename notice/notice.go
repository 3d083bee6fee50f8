// Package notice says who is told of what: notices, which name jobs and what of them
// is told, whom a piece of news concerns, and what is sent, signed as Standard
// Webhooks has it. It is pure.
//
// Package engine keeps the notices of a namespace, notes in the commit in which
// something happens what is to be delivered, and delivers it; package webhook sends it.
package notice

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Notice tells somebody of what becomes of jobs.
type Notice struct {
	Name string `cbor:"1,keyasint"`
	// Which jobs: those of a group, of a queue, of an account, or the one of a key in
	// a queue (default: the default one); all empty: every job.
	Group   string  `cbor:"2,keyasint,omitempty"`
	Queue   string  `cbor:"3,keyasint,omitempty"`
	Account string  `cbor:"4,keyasint,omitempty"`
	Key     job.Key `cbor:"5,keyasint,omitempty"`
	// On are the events that are told.
	On Events `cbor:"6,keyasint"`
	// URL is where they are sent to, or Job is added for each.
	URL string   `cbor:"7,keyasint,omitempty"`
	Job *job.Job `cbor:"-"`
	// GiveUp is for how long a delivery is tried; zero: DefaultGiveUp.
	GiveUp time.Duration `cbor:"8,keyasint,omitempty"`
	// Paused: what happens is kept, and delivered when it is resumed.
	Paused bool `cbor:"9,keyasint,omitempty"`
}

// Bounds.
const (
	DefaultGiveUp = 24 * time.Hour
	MaxGiveUp     = 30 * 24 * time.Hour
	maxURL        = 2000
	maxNoticeName = 100
)

// HookPrefix begins the groups of the jobs that notices add, which end in the name
// of the notice. Nobody is told of jobs in such groups: no notice feeds itself.
const HookPrefix = "muster.notice/"

// Event is something that is told.
type Event uint8

// The events.
const (
	// Complete, Buried: the job ended so.
	Complete Event = iota
	Buried
	// Failed: an attempt at it failed, whether it is tried again or not.
	Failed
	// Lost: its worker fell silent.
	Lost
	// GroupEnd: no unfinished job is left in the group.
	GroupEnd
	// Test is made up.
	Test
	numEvents
)

var eventWords = [numEvents]string{"complete", "buried", "failed", "lost", "group_end", "test"}

// String is the event's word.
func (e Event) String() string {
	if e < numEvents {
		return eventWords[e]
	}
	return "unknown"
}

// Events is a set: 1 << event for each.
type Events uint8

// Ends are the events that end a job.
const Ends = Events(1<<Complete | 1<<Buried)

// Has reports whether an event is in the set.
func (s Events) Has(e Event) bool { return s>>e&1 != 0 }

// Words are the set's events.
func (s Events) Words() []string {
	var words []string
	for e := range numEvents {
		if s.Has(e) {
			words = append(words, e.String())
		}
	}
	return words
}

// ParseEvents is the set of some words, of which "end" is both ends of a job; without
// any it is that. Errors: Invalid.
func ParseEvents(words []string) (Events, error) {
	if len(words) == 0 {
		return Ends, nil
	}
	var s Events
	for _, w := range words {
		switch i := slices.Index(eventWords[:Test], w); {
		case w == "end":
			s |= Ends
		case i < 0:
			return 0, job.Errorf(job.Invalid, "on: %.40q; there are end, %s", w, strings.Join(eventWords[:Test], ", "))
		default:
			s |= 1 << i
		}
	}
	return s, nil
}

// Validate checks the notice. Errors: Invalid.
func (n *Notice) Validate() error {
	if err := job.CheckName("notice", n.Name); err != nil {
		return err
	}
	if len(n.Name) > maxNoticeName {
		return job.Errorf(job.Invalid, "notice: a name of %d bytes; at most %d", len(n.Name), maxNoticeName)
	}
	return job.Wrap(n.check(), "read notice", n.Name)
}

func (n *Notice) check() error {
	switch {
	case n.On == 0 || n.On>>Test != 0:
		return job.Errorf(job.Invalid, "it does not say of what to tell")
	case n.scopes() > 1:
		return job.Errorf(job.Invalid, "it names more than one of a group, a queue, an account and a job; make a notice for each")
	case n.On.Has(GroupEnd) && n.Group == "":
		return job.Errorf(job.Invalid, "the end of a group is told of a group: name it")
	case strings.HasPrefix(n.Group, HookPrefix):
		return job.Errorf(job.Invalid, "group %s has jobs that notices added, of which nobody is told", n.Group)
	case n.GiveUp < 0 || n.GiveUp > MaxGiveUp:
		return job.Errorf(job.Invalid, "a delivery is tried for %v at most, not %v", MaxGiveUp, n.GiveUp)
	case (n.URL == "") == (n.Job == nil):
		return job.Errorf(job.Invalid, "give a URL or a command, one of them")
	case n.URL != "":
		return CheckURL(n.URL)
	}
	return n.checkJob()
}

// scopes counts what the notice names.
func (n *Notice) scopes() (count int) {
	for _, is := range []bool{n.Group != "", n.Account != "", n.Queue != "" || n.Key != ""} {
		if is {
			count++
		}
	}
	return count
}

func (n *Notice) checkJob() error {
	switch {
	case n.Job.Command == nil:
		return job.Errorf(job.Invalid, "what is added is a command")
	case n.Job.Key != "" || n.Job.Group != "" || !n.Job.NotBefore.IsZero():
		return job.Errorf(job.Invalid, "its jobs have a key and a group of their own, and are not held back")
	}
	return n.JobFor(&Delivery{ID: "msg", Notice: n.Name}, "{}").Validate()
}

// CheckURL refuses what nothing can be sent to. Errors: Invalid.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return job.Errorf(job.Invalid, "a URL of %d bytes; at most %d", len(text), maxURL)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return job.Errorf(job.Invalid, "%.100q is no URL to send to; write e.g. https://example.org/hook", text)
	case u.Fragment != "":
		return job.Errorf(job.Invalid, "URL %.100q has a fragment, which is never sent", text)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return CheckAddress(ip)
	}
	return nil
}

// CheckAddress refuses addresses at which no receiver is, but the secrets of a machine
// in a cloud may be. Errors: Invalid.
func CheckAddress(ip netip.Addr) error {
	if ip = ip.Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == metadataV6 {
		return job.Errorf(job.Invalid, "nothing is sent to %s: link-local addresses are refused", ip)
	}
	return nil
}

// metadataV6 is where a cloud tells its machines their secrets, but for its IPv4.
var metadataV6 = netip.MustParseAddr("fd00:ec2::254")

// Scope is which jobs, as text.
func (n *Notice) Scope() string {
	switch {
	case n.Group != "":
		return "group " + n.Group
	case n.Account != "":
		return "account " + n.Account
	case n.Key != "":
		return "job " + n.queue() + "/" + string(n.Key)
	case n.Queue != "":
		return "queue " + n.Queue
	}
	return "all jobs"
}

func (n *Notice) queue() string { return (&job.Job{Queue: n.Queue}).QueueName() }

// Target is where to, for people: a URL without what may be secret in it.
func (n *Notice) Target() string {
	u, err := url.Parse(n.URL)
	if n.URL == "" || err != nil {
		return ""
	}
	u.RawQuery = ""
	return u.Redacted()
}

// Settings are the notice's settings as text, for the namespace's log.
func (n *Notice) Settings() map[string]string {
	m := map[string]string{"notice": n.Name, "scope": strings.ToValidUTF8(n.Scope(), "\uFFFD"), "on": strings.Join(n.On.Words(), " ")}
	if n.URL != "" {
		m["url"] = n.Target()
	}
	if n.Job != nil && n.Job.Command != nil {
		text := n.Job.Command.String()
		m["queue"], m["command"] = n.Job.QueueName(), strings.ToValidUTF8(text[:min(len(text), 1000)], "")
	}
	if n.GiveUp != 0 {
		m["give_up"] = n.GiveUp.String()
	}
	if n.Paused {
		m["paused"] = "true"
	}
	return m
}
