package coordinate_test

import (
	"testing"

	"github.com/muster-queue/muster/coordinate"
)

// TestStatusWords writes and reads the names of states.
func TestStatusWords(t *testing.T) {
	for want, s := range map[string]coordinate.WorkUnitStatus{
		"any": coordinate.AnyStatus, "available": coordinate.AvailableUnit, "pending": coordinate.PendingUnit, "finished": coordinate.FinishedUnit,
		"failed": coordinate.FailedUnit, "delayed": coordinate.DelayedUnit,
	} {
		text, err := s.MarshalText()
		var back coordinate.WorkUnitStatus
		if err != nil || string(text) != want || s.String() != want || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%d is %q, %v, and back %d; want %s", s, text, err, back, want)
		}
	}
	for want, s := range map[string]coordinate.AttemptStatus{
		"pending": coordinate.Pending, "expired": coordinate.Expired, "finished": coordinate.Finished, "failed": coordinate.Failed, "retryable": coordinate.Retryable,
	} {
		text, err := s.MarshalText()
		var back coordinate.AttemptStatus
		if err != nil || string(text) != want || s.String() != want || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%d is %q, %v, and back %d; want %s", s, text, err, back, want)
		}
	}
	if _, err := coordinate.WorkUnitStatus(17).MarshalText(); err == nil {
		t.Error("status 17 has a name")
	}
	if err := new(coordinate.AttemptStatus).UnmarshalText([]byte("nix")); err == nil {
		t.Error("nix is a status")
	}
}
