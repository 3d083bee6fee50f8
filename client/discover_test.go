package client_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// away makes the test see no server of its user.
func away(t *testing.T) (data string) {
	t.Helper()
	for _, name := range []string{client.EnvServer, client.EnvToken, client.EnvTokenFile, client.EnvCA} {
		t.Setenv(name, "")
	}
	data = t.TempDir()
	t.Setenv(client.EnvData, data)
	return data
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDiscover(t *testing.T) {
	data := away(t)
	if _, err := client.Discover(); !job.IsKind(err, job.NotFound) {
		t.Errorf("without a server: %v; want not found", err)
	}
	write(t, data, "server.json", `{"address":"127.0.0.1:7","tls":true,"ca_file":"ca.pem","token_file":"","later":1}`)
	if _, err := client.Discover(); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("without a token: %v; want unauthenticated", err)
	}
	write(t, data, "token", "secret\n")
	got, err := client.Discover()
	want := client.Config{Address: "127.0.0.1:7", Token: "secret", TLS: true, CAFile: filepath.Join(data, "ca.pem"), Data: data}
	if d := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Dialer" }, cmp.Ignore())); d != "" || err != nil {
		t.Errorf("local server (-want +got):\n%s%v", d, err)
	}
	t.Setenv(client.EnvToken, "mine")
	if got, err := client.Discover(); err != nil || got.Token != "mine" {
		t.Errorf("token of the environment: %q, %v", got.Token, err)
	}
	write(t, data, "server.json", `{`)
	if _, err := client.Discover(); !job.IsKind(err, job.Damaged) {
		t.Errorf("damaged file: %v", err)
	}
}

func TestDiscoverByEnvironment(t *testing.T) {
	data := away(t)
	write(t, data, "server.json", `{"address":"127.0.0.1:7"}`)
	write(t, data, "token", "local")
	t.Setenv(client.EnvServer, "far.example:7411")
	if got, err := client.Discover(); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("a foreign server without a token: %+v, %v; the local token must not be given to it", got, err)
	}
	t.Setenv(client.EnvTokenFile, write(t, data, "other", " far \n"))
	t.Setenv(client.EnvCA, "/ca.pem")
	got, err := client.Discover()
	if err != nil || got.Address != "far.example:7411" || got.Token != "far" || got.CAFile != "/ca.pem" {
		t.Errorf("got %+v, %v", got, err)
	}
	t.Setenv(client.EnvTokenFile, write(t, data, "bad", "two words"))
	if _, err := client.Discover(); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("a token of two words: %v", err)
	}
}

func TestDefaultData(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	if got := client.DefaultData(); got != "/state/muster" {
		t.Errorf("got %s", got)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/h/x")
	if got := client.DefaultData(); got != "/h/x/.local/state/muster" {
		t.Errorf("got %s", got)
	}
}

func TestBadConfigs(t *testing.T) {
	dir := t.TempDir()
	for want, cfg := range map[string]client.Config{
		"HOST:PORT":      {Address: "nowhere"},
		"no certificate": {Address: "127.0.0.1:1", CAFile: write(t, dir, "ca.pem", "not one")},
		"authority":      {Address: "127.0.0.1:1", CAFile: filepath.Join(dir, "absent")},
	} {
		_, err := client.New(cfg)
		if !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want an invalid one about %q", cfg, err, want)
		}
	}
}
