package server

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Whatever JSON asks to add, it is refused as invalid or is as many jobs as it
// says.
func FuzzAddJSON(f *testing.F) {
	for _, x := range exchanges {
		if strings.HasSuffix(x.path, "/jobs") {
			f.Add(x.body)
		}
	}
	f.Add(`{"jobs":[{"encoded":"AaA="}],"defaults":{"needs":{"cpu":"1"}}}`)
	f.Add(`{"jobs":[{"key":"base64:_w","data":"","priority":"NaN"}],"lines":["1"],"partial":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := &v1.AddJobsRequest{}
		if protojson.Unmarshal([]byte(text), m) != nil {
			return
		}
		b, err := newBatch(m, "")
		if err != nil {
			if k := job.KindOf(err); k != job.Invalid {
				t.Errorf("%q: %v is %v", text, err, k)
			}
			return
		}
		if len(b.jobs)+len(b.refused) != len(m.Jobs) {
			t.Errorf("%q: %d jobs and %d refused of %d", text, len(b.jobs), len(b.refused), len(m.Jobs))
		}
		for i := range b.jobs {
			if p := b.place(i); p < 0 || p >= len(m.Jobs) {
				t.Errorf("%q: job %d is at %d", text, i, p)
			}
		}
	})
}

func FuzzFilterJSON(f *testing.F) {
	f.Add(`{"states":["ready","live"],"reasons":["exit"],"exit_code":0,"key_prefix":"base64:_w"}`)
	f.Add(`{"states":["lunch"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := &v1.Filter{}
		if protojson.Unmarshal([]byte(text), m) != nil {
			return
		}
		if _, err := filter(m); err != nil && !job.IsKind(err, job.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A page token is good only for the listing it was made for.
func FuzzPageToken(f *testing.F) {
	f.Add("queues", nextPage("queues", "a"))
	f.Add("queues", nextPage("workers", "a\x00b"))
	f.Add("queues", "====")
	f.Fuzz(func(t *testing.T, listing, token string) {
		after, limit, err := pageOf(listing, token, 7)
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if limit != 7 || token != "" && nextPage(listing, after) != token {
			t.Errorf("%q means after %q, limit %d", token, after, limit)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("1-2-3-4")
	f.Add("1--2-3-4")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		switch {
		case err != nil && !job.IsKind(err, job.Invalid):
			t.Errorf("%q: %v", text, err)
		case err == nil && text != "" && cursorText(c) != text:
			t.Errorf("%q is read as %+v", text, c)
		}
	})
}

// A change of some fields leaves the others alone, whatever is named.
func FuzzMask(f *testing.F) {
	f.Add("priority,needs.mem", `{"priority":3,"needs":{"mem":"5"}}`)
	f.Add("command.env,backoff.base", `{"command":{"env":["A=1"]},"backoff":{"base":"3s"}}`)
	f.Add("needs.mem.x,labels.0,.", `{}`)
	f.Fuzz(func(t *testing.T, fields, text string) {
		changes := &v1.Job{}
		if protojson.Unmarshal([]byte(text), changes) != nil {
			return
		}
		m := &v1.ModifyJobsRequest{Changes: changes, UpdateMask: &fieldmaskpb.FieldMask{Paths: strings.Split(fields, ",")}}
		edit, err := editor(m)
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Errorf("%q %q: %v", fields, text, err)
			}
			return
		}
		j := &job.Job{Queue: "q", Key: "k", Group: "g", Command: &job.Command{Line: "true"}}
		if edit(j) == nil && !strings.Contains(fields, "group") && j.Group != "g" || j.Queue != "q" {
			t.Errorf("%q %q made it %+v", fields, text, j)
		}
	})
}
