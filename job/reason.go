package job

import (
	"fmt"
	"strings"
)

// Reason is why an attempt failed, from a closed list that only grows.
type Reason uint8

// The reasons of failure. The texts are those wr's users know.
const (
	ReasonNone Reason = iota
	ReasonEnv
	ReasonCwd
	ReasonStart
	ReasonPermission
	ReasonNotFound
	ReasonInvalidExit
	ReasonExit
	ReasonMemory
	ReasonTime
	ReasonAbnormal
	ReasonSignal
	ReasonResource
	ReasonDisk
	ReasonContainer
	ReasonLost
	ReasonMount
	ReasonUpload
	ReasonCancelled
	ReasonPreempted
	ReasonInput
	ReasonWorker
	numReasons int = iota
)

var reasons = [numReasons]struct{ word, text string }{
	ReasonNone:        {"", ""},
	ReasonEnv:         {"env", "failed to get environment variables"},
	ReasonCwd:         {"cwd", "working directory does not exist"},
	ReasonStart:       {"start", "command failed to start"},
	ReasonPermission:  {"cperm", "command permission problem"},
	ReasonNotFound:    {"cfound", "command not found"},
	ReasonInvalidExit: {"cexit", "command invalid exit code"},
	ReasonExit:        {"exit", "command exited non-zero"},
	ReasonMemory:      {"ram", "command used too much RAM"},
	ReasonTime:        {"time", "command used too much time"},
	ReasonAbnormal:    {"abnormal", "command failed to complete normally"},
	ReasonSignal:      {"signal", "runner received a signal to stop"},
	ReasonResource:    {"resource", "resource requirements cannot be met"},
	ReasonDisk:        {"disk", "ran out of disk space"},
	ReasonContainer:   {"container", "container runtime could not be used"},
	ReasonLost:        {"lost", "lost contact with the worker"},
	ReasonMount:       {"mount", "mounting of remote file system(s) failed"},
	ReasonUpload:      {"upload", "failed to upload files to remote file system"},
	ReasonCancelled:   {"cancelled", "cancelled by a person"},
	ReasonPreempted:   {"preempted", "preempted by a better job"},
	ReasonInput:       {"input", "an input could not be staged"},
	ReasonWorker:      {"worker", "failed as its worker reported"},
}

// String is the reason's text.
func (r Reason) String() string {
	if int(r) < numReasons {
		return reasons[r].text
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Word is the reason's short name, for filters and JSON.
func (r Reason) Word() string {
	if int(r) < numReasons {
		return reasons[r].word
	}
	return fmt.Sprintf("reason%d", uint8(r))
}

// ParseReason reads a reason's word.
func ParseReason(word string) (Reason, error) {
	words := make([]string, 0, numReasons)
	for i := range reasons {
		if reasons[i].word == word {
			return Reason(i), nil
		}
		words = append(words, reasons[i].word)
	}
	return 0, Errorf(Invalid, "unknown failure reason %q; the reasons are %s", word, strings.Join(words[1:], ", "))
}

// Innocent reports whether the command was stopped for others' sake: it did not
// fail, costs no retry, and runs again.
func (r Reason) Innocent() bool { return r == ReasonSignal || r == ReasonPreempted }

// Final reports whether a failure for this reason is buried at once: trying
// again cannot help.
func (r Reason) Final() bool {
	switch r {
	case ReasonEnv, ReasonCwd, ReasonPermission, ReasonNotFound, ReasonInvalidExit,
		ReasonResource, ReasonContainer, ReasonMount, ReasonCancelled:
		return true
	}
	return false
}
