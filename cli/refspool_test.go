package cli

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func TestSpooledJobsComeBackInPages(t *testing.T) {
	s, err := newRefSpool()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var want []client.Ref
	for i := range 2*pageOfRefs + 1 {
		r := client.Ref{Queue: "q", Key: job.Key(fmt.Sprintf("key \x00\xff %d", i))}
		want = append(want, r)
		times := 1
		if i == 5 {
			times = 2 // an identical line
		}
		for range times {
			if err := s.add(&job.Job{Queue: r.Queue, Key: r.Key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 { // it can be read again
		var got []client.Ref
		pages := 0
		err := s.pages(func(page []client.Ref) error {
			got = append(got, page...)
			pages++
			return nil
		})
		if err != nil || pages != 3 {
			t.Errorf("%d pages, %v", pages, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestShortenedKeys(t *testing.T) {
	for key, want := range map[job.Key]string{
		"422a7814036fe5c59455e20d2cdb7ea2": "422a7814036f",
		"sample-17":                        "sample-17",
		"422a7814036fe5c59455e20d2cdb7ea":  "422a7814036fe5c59455e20d2cdb7ea",
		"\xff":                             "base64:_w",
	} {
		if got := shortened(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
