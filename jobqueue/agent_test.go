package jobqueue_test

import (
	"path/filepath"
	"testing"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/jobqueue"
	"github.com/muster-queue/muster/server"
)

// Jobs of any muster server are those of a façade's client, and its jobs are run by
// agents.
func TestAgentsRunJobs(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	m, err := muster.Open(t.Context(), muster.Config{
		Server: server.Config{Listen: "127.0.0.1:0", HTTP: server.NoHTTP, Data: data}, Agent: &agent.Config{},
	})
	ok(t, err)
	t.Cleanup(func() { ok(t, m.Stop()) })
	t.Setenv("GREETING", "hello")
	c, err := jobqueue.Dial(jobqueue.ClientConfig{Addr: m.Server().Where().Address, Queue: "q", Token: m.Server().Token()})
	ok(t, err)
	t.Cleanup(c.Disconnect)
	add(t, c, newJob("echo $GREETING from $PWD"), newJob("exit 127"))
	counts, err := m.Client().Namespace("").Wait(t.Context(), client.WaitFor{}, nil)
	ok(t, err)
	if counts.Total() != 2 {
		t.Fatalf("%v", counts)
	}
	got := isState(t, c, "echo $GREETING from $PWD", "complete")
	if out, err := got.StdOut(); err != nil || out != "hello from /tmp\n" {
		t.Errorf("it said %q, %v", out, err)
	}
	if got = isState(t, c, "exit 127", "buried"); got.FailReason != jobqueue.FailReasonCFound || got.Exitcode != 127 || got.Host == "" {
		t.Errorf("%+v", got)
	}

	// Whoever knows the data directory needs no token.
	t.Setenv(client.EnvData, data)
	other, err := jobqueue.Connect(c.Addr(), "q", 0)
	ok(t, err)
	defer other.Disconnect()
	isState(t, other, "exit 127", "buried")
	t.Setenv(client.EnvData, "")
	t.Setenv(client.EnvTokenFile, filepath.Join(data, "token"))
	third, err := jobqueue.Connect(c.Addr(), "q", 0)
	ok(t, err)
	defer third.Disconnect()
	isState(t, third, "exit 127", "buried")
}
