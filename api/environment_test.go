package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/job"
)

func TestEnvironment(t *testing.T) {
	content, digest, err := api.Environment([]string{"B=2=x", "A=old", "A=1\xff", "C="})
	if err != nil {
		t.Fatal(err)
	}
	other, otherDigest, _ := api.Environment([]string{"C=", "A=1\xff", "B=2=x"})
	if digest != otherDigest || string(content) != string(other) || len(digest) != 64 {
		t.Errorf("the same settings in another order differ: %q and %q", content, other)
	}
	got, err := api.ParseEnvironment(content)
	if d := cmp.Diff([]string{"A=1\xff", "B=2=x", "C="}, got); d != "" || err != nil {
		t.Errorf("read back (-want +got):\n%s%v", d, err)
	}
	if got, err := api.ParseEnvironment(nil); got == nil || len(got) != 0 || err != nil {
		t.Errorf("empty content: %v, %v; want an empty environment, which is not the agent's own", got, err)
	}
	for _, bad := range []string{"A", "=x", "A=\x00"} {
		if _, _, err := api.Environment([]string{bad}); !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: error %v; want invalid", bad, err)
		}
	}
	for _, bad := range []string{"A=1", "A\x00", "=1\x00"} {
		if _, err := api.ParseEnvironment([]byte(bad)); !job.IsKind(err, job.Invalid) {
			t.Errorf("content %q: error %v; want invalid", bad, err)
		}
	}
}
