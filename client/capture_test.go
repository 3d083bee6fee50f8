package client

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func TestCaptureLeavesOutSecretsAndWhatPasses(t *testing.T) {
	kept, held := new(Capture).Of([]string{
		"PATH=/bin", "SHLVL=2", "_=/bin/x", "AWS_SECRET_ACCESS_KEY=s", "GITHUB_TOKEN=t", "db_password=p", "HOME=/h", "EMPTY=", "MUSTER_DATA=/d", "MUSTER_JOB=j", "MUSTER_TOKEN=t", "bad",
	})
	if d := cmp.Diff([]string{"EMPTY=", "HOME=/h", "MUSTER_DATA=/d", "PATH=/bin"}, kept); d != "" {
		t.Errorf("kept: %s", d)
	}
	if d := cmp.Diff([]string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "db_password"}, held); d != "" {
		t.Errorf("held back: %s", d)
	}
}

func TestCapturePatterns(t *testing.T) {
	environ := []string{"PATH=/bin", "LC_ALL=C", "LESS=x", "GITHUB_TOKEN=t", "DB_PASSWORD=p", "SHLVL=2", "MUSTER_TOKEN=m", "MUSTER_DATA=/d"}
	set := map[string]string{}
	getenv := func(name string) (string, bool) { v, ok := set[name]; return v, ok }
	for name, test := range map[string]struct {
		allow, deny, setAllow, setDeny string
		want                           []string
	}{
		"none":       {want: []string{"LC_ALL=C", "LESS=x", "MUSTER_DATA=/d", "PATH=/bin"}},
		"deny":       {deny: "L*", want: []string{"MUSTER_DATA=/d", "PATH=/bin"}},
		"allow":      {allow: "*_TOKEN", want: []string{"GITHUB_TOKEN=t", "LC_ALL=C", "LESS=x", "MUSTER_DATA=/d", "PATH=/bin"}},
		"only":       {deny: "*", allow: "LC_*", want: []string{"LC_ALL=C"}},
		"variables":  {setDeny: "LESS, PATH", setAllow: "SHLVL", want: []string{"LC_ALL=C", "MUSTER_DATA=/d", "SHLVL=2"}},
		"both ways":  {setDeny: "*", allow: "PATH", want: []string{"PATH=/bin"}},
		"everything": {allow: "*", want: []string{"DB_PASSWORD=p", "GITHUB_TOKEN=t", "LC_ALL=C", "LESS=x", "MUSTER_DATA=/d", "PATH=/bin", "SHLVL=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			set[EnvAllow], set[EnvDeny] = test.setAllow, test.setDeny
			c, err := NewCapture([]string{test.allow}, []string{test.deny}, getenv)
			if err != nil {
				t.Fatal(err)
			}
			kept, _ := c.Of(environ)
			if d := cmp.Diff(test.want, kept); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := NewCapture([]string{"[a"}, nil, getenv); !job.IsKind(err, job.Invalid) {
		t.Errorf("a bad pattern: %v", err)
	}
}
