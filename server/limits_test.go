package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

func TestLimits(t *testing.T) {
	s := testServer(t, nil)
	limits, ctx := v1.NewLimitsClient(dial(t, s)), as(t, s.Token())
	set := func(l *v1.Limit, fields ...string) (*v1.LimitInfo, error) {
		l.Name = "irods"
		return limits.SetLimit(ctx, &v1.SetLimitRequest{Limit: l, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
	}
	i, err := set(&v1.Limit{Max: proto.Int64(5), Windows: []string{"22:00-06:00"}})
	if err != nil || i.Limit.GetMax() != 5 || !slices.Equal(i.Limit.Windows, []string{"22:00-06:00 UTC"}) || !i.Known {
		t.Errorf("made: %v, %v", i, err)
	}
	// Of a limit only what is named changes.
	i, err = set(&v1.Limit{Max: proto.Int64(100), Period: durationpb.New(time.Minute)}, "max", "period")
	if err != nil || i.Limit.GetMax() != 100 || i.Limit.Period.AsDuration() != time.Minute || len(i.Limit.Windows) != 1 {
		t.Errorf("two fields: %v, %v", i, err)
	}
	if i, err = set(&v1.Limit{}, "max", "period"); err != nil || i.Limit.Max != nil || i.Limit.Period != nil {
		t.Errorf("any number: %v, %v", i, err)
	}
	if i, err = set(&v1.Limit{Max: proto.Int64(0)}); err != nil || i.Limit.Max == nil || i.Limit.GetMax() != 0 || len(i.Limit.Windows) != 0 || !i.Full {
		t.Errorf("as a whole: %v, %v", i, err)
	}
	for name, l := range map[string]*v1.Limit{
		"nothing":    {},
		"negative":   {Max: proto.Int64(-1)},
		"a window":   {Windows: []string{"noon"}},
		"many":       {Windows: slices.Repeat([]string{"22:00-06:00"}, job.MaxWindows+1)},
		"a period":   {Max: proto.Int64(1), Period: durationpb.New(time.Microsecond)},
		"a duration": {Max: proto.Int64(1), Period: &durationpb.Duration{Seconds: 1 << 62}},
	} {
		if _, err := set(l); kindOf(err) != job.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := set(&v1.Limit{}, "colour"); kindOf(err) != job.Invalid {
		t.Errorf("a field that is none: %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if _, err := limits.SetLimit(ctx, &v1.SetLimitRequest{Limit: &v1.Limit{Name: name, Max: proto.Int64(1)}}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for page := (&v1.ListLimitsRequest{PageSize: 3}); ; {
		list, err := limits.ListLimits(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list.Limits {
			names = append(names, l.Limit.Name)
		}
		if page.PageToken = list.NextPageToken; page.PageToken == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c", "irods"}) {
		t.Errorf("listed: %v", names)
	}
	if _, err := limits.RemoveLimit(ctx, &v1.RemoveLimitRequest{Limit: "irods"}); err != nil {
		t.Error(err)
	}
	if _, err := limits.GetLimit(ctx, &v1.GetLimitRequest{Limit: "irods"}); kindOf(err) != job.NotFound {
		t.Errorf("removed: %v", err)
	}
}

// Over HTTP, PUT sets a limit as a whole, PATCH what is given.
func TestLimitsOverHTTP(t *testing.T) {
	s := testServer(t, nil)
	const path = "/v1/namespaces/default/limits/irods"
	for _, c := range []struct {
		method, body string
		status       int
		want         string
	}{
		{http.MethodPut, `{"max": 5, "windows": ["mon-fri 08:00-18:00 Europe/London"]}`, 200, `"max":"5"`},
		{http.MethodPatch, `{"max": 100, "period": "60s"}`, 200, `"windows":["mon-fri 08:00-18:00 Europe/London"]`},
		{http.MethodGet, "", 200, `"period":"60s"`},
		{http.MethodPut, `{"max": 0}`, 200, `{"limit":{"name":"irods","max":"0"},"known":true,"full":true}`},
		{http.MethodPut, `{}`, 400, "any number at any time is no limit"},
		{http.MethodDelete, "", 200, ""},
		{http.MethodGet, "", 404, "there is no limit"},
	} {
		status, body := request(t, s, c.method, path, s.Token(), c.body)
		if body = strings.ReplaceAll(body, ", ", ","); status != c.status || !strings.Contains(strings.ReplaceAll(body, ": ", ":"), c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.body, status, body)
		}
	}
}

func kindOf(err error) job.ErrorKind { return job.KindOf(api.FromStatus(err)) }
