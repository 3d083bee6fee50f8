package job

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// The table of kinds has every word once, says what happened, and has the audited
// ones first.
func TestEventKinds(t *testing.T) {
	seen := map[string]bool{}
	tasks := false
	for _, k := range EventKinds() {
		if seen[k.Word] || k.Text == "" || CheckName("kind", k.Word) != nil {
			t.Errorf("kind %+v", k)
		}
		seen[k.Word] = true
		tasks = tasks || !k.Audit
		if tasks && k.Audit {
			t.Errorf("%s is audited but behind those of tasks", k.Word)
		}
		if got, err := EventKindOf(k.Word); err != nil || got.Text != k.Text {
			t.Errorf("%s is found as %+v, %v", k.Word, got, err)
		}
		if e := (EventRow{Kind: k.Word}); (e.Log() == AuditLog) != k.Audit || e.Validate() != nil {
			t.Errorf("an entry of kind %s: %v", k.Word, e.Validate())
		}
	}
	if _, err := EventKindOf("stolen"); KindOf(err) != Invalid || !strings.Contains(err.Error(), EventPreempted) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestEventBounds(t *testing.T) {
	for name, e := range map[string]EventRow{
		"unknown kind":    {Kind: "stolen"},
		"no kind":         {},
		"unknown detail":  {Kind: EventAssigned, Details: map[string]string{"colour": "red"}},
		"detail of other": {Kind: EventPaused, Details: map[string]string{"old": "x"}},
		"too long":        {Kind: EventEnqueued, Details: map[string]string{"tags": strings.Repeat("x", maxDetails)}},
		"too long a task": {Kind: EventEnqueued, Task: strings.Repeat("x", maxDetails+1)},
	} {
		if err := e.Validate(); KindOf(err) != Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := EventRow{Kind: EventAssigned, Details: map[string]string{"priority": "0", "preempting": "true", "is_callback": "true"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestAccountSettings(t *testing.T) {
	before := Account{Name: "a", Rate: Quota{1.5}, Window: time.Hour, LabelLimits: map[string]int{"gpu": 2, "arch": 1}}
	after := Account{Name: "a", Rate: Quota{0, 2}, Window: time.Hour, NoFree: true}
	want := map[string]string{
		"rate": "1.5 0 0 0 0 -> 0 2 0 0 0", "label_limits": "arch:1 gpu:2 -> (none)", "no_free": "(none) -> true",
	}
	changed := Differences(before.Settings(), after.Settings())
	if !maps.Equal(changed, want) {
		t.Errorf("changed %v; want %v", changed, want)
	}
	e := EventRow{Kind: EventAccountChanged, Account: "a", Details: changed}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if d := Differences(after.Settings(), after.Settings()); len(d) != 0 {
		t.Errorf("nothing changed, but %v", d)
	}
}
