package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func TestEnvByNameTakesTheSubmittersValue(t *testing.T) {
	look := func(name string) (string, bool) { return "v=" + name, name == "HERE" }
	got, err := resolveEnv([]string{"A=b", "HERE"}, look)
	if d := cmp.Diff([]string{"A=b", "HERE=v=HERE"}, got); d != "" || err != nil {
		t.Errorf("%s %v", d, err)
	}
	if _, err := resolveEnv([]string{"GONE"}, look); !job.IsKind(err, job.Invalid) {
		t.Errorf("a missing variable: %v", err)
	}
}
