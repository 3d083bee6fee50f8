package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/muster-queue/muster/job"
)

func (b *bench) documents(t *testing.T, room, prefix string) []string {
	t.Helper()
	var all []string
	err := b.ns.Documents(room, prefix, func(key string, body []byte) bool {
		all = append(all, key+"="+string(body))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (b *bench) log(t *testing.T) []string {
	t.Helper()
	rows, next, err := b.ns.Events(b.ctx, EventsRequest{})
	if err != nil || next != 0 {
		t.Fatal(err, next)
	}
	var all []string
	for i := range rows {
		all = append(all, rows[i].Kind)
	}
	return all
}

// Documents of one call and their events are kept together; the last of several
// for one key counts, and what is gone is gone.
func TestDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		put := func(events []job.EventRow, docs ...job.Document) {
			t.Helper()
			if err := b.ns.PutDocuments(b.ctx, docs, events...); err != nil {
				t.Fatal(err)
			}
		}
		d := func(room, key, body string) job.Document {
			return job.Document{Room: room, Key: key, Body: []byte(body)}
		}
		put([]job.EventRow{{Kind: job.EventPoolCreated}, {Kind: job.EventEnqueued}}, d("r", "b/1", "x"), d("r", "b/1", "y"), d("r", "a", "z"), d("s", "b/1", "other"))
		put(nil, d("r", "b/2", "w"), job.Document{Room: "r", Key: "a", Gone: true})
		if got := b.documents(t, "r", ""); !slices.Equal(got, []string{"b/1=y", "b/2=w"}) {
			t.Error(got)
		}
		if got := b.documents(t, "s", "b/"); !slices.Equal(got, []string{"b/1=other"}) {
			t.Error(got)
		}
		put([]job.EventRow{{Kind: job.EventAssigned}})
		if got := b.log(t); !slices.Equal(got, []string{job.EventAssigned, job.EventEnqueued, job.EventPoolCreated}) {
			t.Error(got)
		}
	})
}

func TestDocumentsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		for _, d := range []job.Document{
			{Room: "", Key: "k"},
			{Room: "r", Key: ""},
			{Room: "r", Key: strings.Repeat("k", job.MaxKey+1)},
			{Room: "r", Key: "k", Body: make([]byte, maxDocument+1)},
		} {
			err := b.ns.PutDocuments(b.ctx, []job.Document{{Room: "r", Key: "good"}, d}, job.EventRow{Kind: job.EventEnqueued})
			if !job.IsKind(err, job.Invalid) {
				t.Errorf("%.10s %.10s: %v", d.Room, d.Key, err)
			}
		}
		if got := b.documents(t, "r", ""); got != nil {
			t.Error(got)
		}
		if got := b.log(t); got != nil {
			t.Error(got)
		}
	})
}

// A batch that failed is not there after the namespace was loaded again, and the
// next one is; numbers of the log go on.
func TestDocumentsOfAFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		put := func(key string) error {
			return b.ns.PutDocuments(b.ctx, []job.Document{{Room: "r", Key: key}}, job.EventRow{Kind: job.EventEnqueued, Task: key})
		}
		if err := put("a"); err != nil {
			t.Fatal(err)
		}
		b.store.failNext(errors.New("the disk is gone"))
		if err := put("b"); !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		if err := put("c"); err != nil {
			t.Fatal(err)
		}
		if got := b.documents(t, "r", ""); !slices.Equal(got, []string{"a=", "c="}) {
			t.Error(got)
		}
		rows, _, err := b.ns.Events(b.ctx, EventsRequest{})
		if err != nil || len(rows) != 2 || rows[0].Task != "c" || rows[1].Task != "a" || rows[0].N <= rows[1].N {
			t.Error(rows, err)
		}
	})
}
