package api

import (
	"strings"

	"github.com/muster-queue/muster/job"
)

// words are the names of a closed list, in the order of its numbers; the first
// one is the default, which an empty text means too.
type words struct {
	field string
	names []string
}

var (
	existingWords  = words{"existing", []string{"keep", "replace", "rerun"}}
	overrideWords  = words{"override", []string{"no", "higher", "always"}}
	onLostWords    = words{"on_lost", []string{"rerun", "hold"}}
	conditionWords = words{"condition", []string{"ok", "failed", "any"}}
	ifAbsentWords  = words{"if_absent", []string{"wait", "met"}}
	orderWords     = words{"order", []string{"fifo", "key"}}
)

// parse is the number of a word.
func (w *words) parse(word string) (uint8, error) {
	if word == "" {
		return 0, nil
	}
	for i, name := range w.names {
		if name == word {
			return uint8(i), nil
		}
	}
	return 0, job.Errorf(job.Invalid, "%s: %.60q is unknown; use one of %s", w.field, word, strings.Join(w.names, ", "))
}

// text is the word of a number, empty for the default.
func (w *words) text(n uint8) string {
	if n == 0 || int(n) >= len(w.names) {
		return ""
	}
	return w.names[n]
}

// ParseExisting reads what an add does about jobs that are there.
func ParseExisting(word string) (job.Existing, error) {
	n, err := existingWords.parse(word)
	return job.Existing(n), err
}

// ExistingText is the word ParseExisting reads.
func ExistingText(e job.Existing) string { return existingWords.text(uint8(e)) }

// ParseOverride reads when given needs give way to learned ones.
func ParseOverride(word string) (job.Override, error) {
	n, err := overrideWords.parse(word)
	return job.Override(n), err
}

// ParseOnLost reads what follows when an attempt's worker fell silent for good.
func ParseOnLost(word string) (job.OnLost, error) {
	n, err := onLostWords.parse(word)
	return job.OnLost(n), err
}

// ParseOrder reads the order of a queue.
func ParseOrder(word string) (job.Order, error) {
	n, err := orderWords.parse(word)
	return job.Order(n), err
}

// outcomes has the outcomes of attempts by their words.
var outcomes = func() map[string]job.Outcome {
	m := map[string]job.Outcome{}
	for o := job.OutcomeNone; o <= job.OutcomeRevoked; o++ {
		m[o.String()] = o
	}
	return m
}()

// ParseOutcome reads how an attempt ended; empty means it has not.
func ParseOutcome(word string) (job.Outcome, error) {
	o, ok := outcomes[word]
	if !ok {
		return 0, job.Errorf(job.Invalid, "unknown outcome %.60q", word)
	}
	return o, nil
}

var marks = func() map[string]job.Mark {
	m := map[string]job.Mark{}
	for k := job.MarkNone; k <= job.MarkWithdrawn; k++ {
		m[k.String()] = k
	}
	return m
}()

// ParseMark reads why an attempt is being stopped; empty means it is not.
func ParseMark(word string) (job.Mark, error) {
	m, ok := marks[word]
	if !ok {
		return 0, job.Errorf(job.Invalid, "unknown reason to stop %.60q", word)
	}
	return m, nil
}
