package cli

import "testing"

// TestObstacleOnce: what the summary says already is not said again below it.
func TestObstacleOnce(t *testing.T) {
	const waits = "It waits for job q/a."
	for summary, want := range map[string]bool{
		waits: true, waits + " It asks for mem 1G, learned from 7 runs.": true,
		"It waits for job q/ab.": false, "It waits for other jobs.": false,
	} {
		if saysIt(summary, waits) != want {
			t.Errorf("%q: want %t", summary, want)
		}
	}
	if !saysIt("no agent has it. It asks for time 30m0s.", "no agent has it") {
		t.Error("a text without a full stop is said twice")
	}
}
