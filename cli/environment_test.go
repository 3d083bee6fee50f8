package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func TestCaptureLeavesOutSecretsAndWhatPasses(t *testing.T) {
	kept, held := new(capture).of([]string{
		"PATH=/bin", "SHLVL=2", "_=/bin/x", "AWS_SECRET_ACCESS_KEY=s", "GITHUB_TOKEN=t", "db_password=p", "HOME=/h", "EMPTY=", "MUSTER_DATA=/d", "MUSTER_JOB=j", "MUSTER_TOKEN=t", "bad",
	})
	if d := cmp.Diff([]string{"EMPTY=", "HOME=/h", "MUSTER_DATA=/d", "PATH=/bin"}, kept); d != "" {
		t.Errorf("kept: %s", d)
	}
	if d := cmp.Diff([]string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "db_password"}, held); d != "" {
		t.Errorf("held back: %s", d)
	}
}

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
