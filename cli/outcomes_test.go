package cli

import (
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Python sends its traceback as a byte string, Go as a text.
func TestEvidenceOfAFailedUnitIsItsTraceback(t *testing.T) {
	for _, traceback := range []any{[]byte("Traceback\n  in f\nValueError: broken\n"), "Traceback\n  in f\nValueError: broken\n"} {
		data, err := cbor.Marshal(map[string]any{"n": 0, "traceback": traceback})
		if err != nil {
			t.Fatal(err)
		}
		i := &client.Info{State: job.Buried, Attempt: &job.Attempt{Data: data}}
		want := []string{"Traceback", "  in f", "ValueError: broken"}
		if diff := cmp.Diff(want, (&app{}).evidence(i)); diff != "" {
			t.Errorf("%T: -want +got:\n%s", traceback, diff)
		}
	}
}

func TestEvidenceWithoutTraceback(t *testing.T) {
	for name, data := range map[string][]byte{"none": nil, "no map": {0x01}, "cut off": {0xa1, 0x61}, "empty": {0xa0}} {
		i := &client.Info{State: job.Buried, Attempt: &job.Attempt{Data: data}}
		if got := (&app{}).evidence(i); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}
