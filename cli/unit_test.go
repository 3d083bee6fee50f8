package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// TestStatusOfAUnit: a job with data is shown with its data, and its attempts with
// the times that are known of them.
func TestStatusOfAUnit(t *testing.T) {
	var b bytes.Buffer
	a := &app{System: System{Stdout: &b}, out: &output.Screen{Writer: &b}}
	given := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	i := &client.Info{
		Queue: "u", Key: "k", State: job.Ready, Attempts: 1, RetriesLeft: 3, Added: given,
		Job: &job.Job{Queue: "u", Key: "k", Data: []byte("\xa1\x41n\x07")}, // {b"n": 7}
		Attempt: &job.Attempt{
			Number: 1, Worker: "puller", Granted: given, Ended: given.Add(5 * time.Second), Outcome: job.OutcomeReleased, Data: []byte{0xff},
		},
	}
	p := page{a}
	p.job(i)
	if err := p.attempts([]*job.Attempt{i.Attempt}, i.Job); err != nil {
		t.Fatal(err)
	}
	p.data("data", i.Job.Data)
	p.data("data of the attempt", i.Attempt.Data)
	got := b.String()
	for _, want := range []string{
		"tries      1 so far\n", "5.0s", "puller", given.Local().Format(time.DateTime),
		"\ndata\n  {\"n\": 7}\n", "data of the attempt\n  1 bytes that are no CBOR\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "failures left") {
		t.Errorf("a unit's failures are counted:\n%s", got)
	}
	if w := wallTime(&client.Info{Attempt: &job.Attempt{Granted: given, Ended: given.Add(time.Hour), Outcome: job.OutcomeReleased}}); w != 0 {
		t.Errorf("a command that never began has run for %v", w)
	}
}
