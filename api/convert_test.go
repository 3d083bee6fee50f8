package api_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// rough are texts with whatever bytes people have in file names.
var rough = rapid.OneOf(
	rapid.String(),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
)

func whole[T any](g *rapid.Generator[T]) *rapid.Generator[any] { return g.AsAny() }

// values makes generators of the vocabulary's types: closed lists stay in their
// lists, numbers in what the wire can carry.
func values[T any](text *rapid.Generator[string]) *rapid.Generator[T] {
	small := rapid.IntRange(math.MinInt32, math.MaxInt32)
	return rapid.MakeCustom[T](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[string]():        whole(text),
		reflect.TypeFor[int]():           whole(small),
		reflect.TypeFor[job.Key]():       whole(rapid.Map(rough, func(s string) job.Key { return job.Key(s) })),
		reflect.TypeFor[time.Time]():     whole(rapid.Map(rapid.Int64Range(1, math.MaxInt64), func(n int64) time.Time { return time.Unix(0, n).UTC() })),
		reflect.TypeFor[time.Duration](): whole(rapid.Map(rapid.Int64Range(math.MinInt64+1, math.MaxInt64-1), func(n int64) time.Duration { return time.Duration(n) })),
		reflect.TypeFor[job.Override]():  upTo(job.OverrideAlways),
		reflect.TypeFor[job.OnLost]():    upTo(job.OnLostHold),
		reflect.TypeFor[job.Condition](): upTo(job.ConditionAny),
		reflect.TypeFor[job.IfAbsent]():  upTo(job.IfAbsentMet),
		reflect.TypeFor[job.Order]():     upTo(job.OrderKey),
		reflect.TypeFor[job.Outcome]():   upTo(job.OutcomeRevoked),
		reflect.TypeFor[job.Reason]():    upTo(job.ReasonWorker),
	}})
}

func upTo[T ~uint8](last T) *rapid.Generator[any] {
	return whole(rapid.Map(rapid.Uint8Range(0, uint8(last)), func(n uint8) T { return T(n) }))
}

// sent is m after a trip over the wire.
func sent[M proto.Message](t *rapid.T, m M) M {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	got := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, got); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return got.(M)
}

var loose = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()}

func same[T any](t *rapid.T, want, got T, err error, opts ...cmp.Option) {
	if err != nil {
		t.Fatalf("read back: %v", err)
	}
	if d := cmp.Diff(want, got, append(opts, loose)...); d != "" {
		t.Fatalf("came back different (-sent +got):\n%s", d)
	}
}

func TestJobRoundTrip(t *testing.T) {
	for name, text := range map[string]*rapid.Generator[string]{"utf8": rapid.String(), "bytes": rough} {
		t.Run(name, func(t *testing.T) {
			jobs := values[job.Job](text)
			rapid.Check(t, func(t *rapid.T) {
				j := jobs.Draw(t, "job")
				for i := range j.Dependencies {
					j.Dependencies[i].Command = nil // only its key travels
				}
				m := sent(t, api.FromJob(&j))
				got, err := api.ToJob(m)
				var opts cmp.Options
				if len(m.Encoded) > 0 { // the stored form keeps microseconds of times
					opts = cmp.Options{cmpopts.EquateApproxTime(10 * time.Microsecond)}
				}
				same(t, &j, got, err, opts...)
				if name == "utf8" && len(m.Encoded) > 0 {
					t.Fatalf("a job of valid texts was sent in its stored form")
				}
			})
		})
	}
}

func TestRoundTrips(t *testing.T) {
	text := rapid.String()
	attempts, queues := values[job.Attempt](text), values[job.Queue](text)
	workers, counts := values[job.Worker](text), rapid.Make[job.Counts]()
	rapid.Check(t, func(t *rapid.T) {
		a := attempts.Draw(t, "attempt")
		gotA, err := api.ToAttempt(sent(t, api.FromAttempt(&a)))
		same(t, &a, gotA, err)
		q := queues.Draw(t, "queue")
		gotQ, err := api.ToQueue(sent(t, api.FromQueue(&q)))
		same(t, &q, gotQ, err)
		w := workers.Draw(t, "worker")
		w.Version = "" // an agent's hello has it, and what is told of a worker
		gotW, err := api.ToWorker(sent(t, api.FromWorker(&w)))
		same(t, w, gotW, err)
		c := counts.Draw(t, "counts")
		c[job.Absent] = 0
		same(t, c, api.ToCounts(sent(t, api.FromCounts(&c))), nil)
	})
}

func TestNoResultIsNoMessage(t *testing.T) {
	if m := api.FromResult(&job.Result{}); m != nil {
		t.Errorf("an empty result became %v", m)
	}
	if a, err := api.ToAttempt(api.FromAttempt(nil)); a != nil || err != nil {
		t.Errorf("no attempt became %v, %v", a, err)
	}
}

func TestNothingUnreadableIsSent(t *testing.T) {
	results, workers := values[job.Result](rough), values[job.Worker](rough)
	rapid.Check(t, func(t *rapid.T) {
		r := results.Draw(t, "result")
		sent(t, &musterv1.Attempt{Result: api.FromResult(&r)})
		w := workers.Draw(t, "worker")
		sent(t, api.FromWorker(&w))
		sent(t, api.FromError(job.Wrap(errors.New(rough.Draw(t, "err")), rough.Draw(t, "op"), rough.Draw(t, "subject"))))
	})
}

func TestDefaults(t *testing.T) {
	five := 5
	defaults := &job.Job{
		Queue: "q", Group: "g", Priority: 2, Retries: &five, Needs: job.Resources{"mem": 100, "cpu": 1000},
		Labels:  job.Labels{"os:linux"},
		Command: &job.Command{Dir: "/tmp", EnvID: "e", Env: []string{"A=1"}},
	}
	zero, none := 0.0, int32(0)
	got, err := api.ToJobWith(&musterv1.Job{
		Group: "mine", Priority: &zero, Retries: &none, Needs: map[string]int64{"mem": 7}, Labels: []string{"gpu:a"},
		Command: &musterv1.Command{Line: "true", Env: []string{"B=2"}},
	}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	nothing := 0
	want := &job.Job{
		Queue: "q", Group: "mine", Retries: &nothing, Needs: job.Resources{"mem": 7, "cpu": 1000},
		Labels:  job.Labels{"os:linux", "gpu:a"},
		Command: &job.Command{Line: "true", Dir: "/tmp", EnvID: "e", Env: []string{"A=1", "B=2"}},
	}
	if d := cmp.Diff(want, got, loose); d != "" {
		t.Errorf("merged job (-want +got):\n%s", d)
	}
	if defaults.Needs["mem"] != 100 || len(defaults.Command.Env) != 1 || defaults.Command.Line != "" {
		t.Errorf("the defaults were written to: %+v", defaults)
	}
	got, err = api.ToJobWith(&musterv1.Job{Data: []byte("d")}, defaults)
	if err != nil || got.Command != nil || string(got.Data) != "d" {
		t.Errorf("data over a command: %+v, %v; want data only", got, err)
	}
}

func TestJobRefusals(t *testing.T) {
	for want, m := range map[string]*musterv1.Job{
		"override":      {Override: "sometimes"},
		"on_lost":       {OnLost: "shrug"},
		"condition":     {Dependencies: []*musterv1.Dependency{{Condition: "maybe"}}},
		"if_absent":     {Dependencies: []*musterv1.Dependency{nil, {IfAbsent: "x"}}},
		"base64url":     {Key: "base64:!"},
		"time":          {Time: &durationpb.Duration{Seconds: 1, Nanos: -1}},
		"lease":         {Lease: &durationpb.Duration{Seconds: math.MaxInt64}},
		"not_before":    {NotBefore: &timestamppb.Timestamp{Nanos: -5}},
		"command.grace": {Command: &musterv1.Command{Grace: &durationpb.Duration{Seconds: 1 << 60}}},
		"encoded":       {Encoded: []byte("\x01nonsense")},
	} {
		_, err := api.ToJob(m)
		if !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v; want an invalid one that names it", want, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for key, want := range map[job.Key]string{
		"plain":       "plain",
		"grüße/x y":   "grüße/x y",
		"a\nb":        "base64:YQpi",
		"\xff":        "base64:_w",
		"base64:mine": "base64:YmFzZTY0Om1pbmU",
	} {
		if got := api.KeyText(key); got != want {
			t.Errorf("text of %q: %q, want %q", key, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		key := job.Key(rough.Draw(t, "key"))
		got, err := api.ParseKey(api.KeyText(key))
		if err != nil || got != key {
			t.Fatalf("%q came back as %q, %v", key, got, err)
		}
		d := job.DigestOf("q", key)
		if back, err := api.ParseID(api.ID(d)); err != nil || back != d {
			t.Fatalf("id %x came back as %x, %v", d, back, err)
		}
	})
	for _, bad := range []string{"", "zz", strings.Repeat("g", 32), strings.Repeat("a", 33)} {
		if _, err := api.ParseID(bad); !job.IsKind(err, job.Invalid) {
			t.Errorf("id %q: error %v; want invalid", bad, err)
		}
	}
}

func FuzzJob(f *testing.F) {
	seed, _ := proto.Marshal(api.FromJob(&job.Job{Command: &job.Command{Line: "true"}, Needs: job.Resources{"mem": 1}}))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m musterv1.Job
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		j, err := api.ToJob(&m)
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Fatalf("refused with %v, which is not the sender's fault", err)
			}
			return
		}
		again, err := api.ToJob(api.FromJob(j))
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if d := cmp.Diff(j, again, loose); d != "" && utf8Job(j) {
			t.Fatalf("came back different:\n%s", d)
		}
	})
}

// utf8Job reports whether a job is sent by its fields.
func utf8Job(j *job.Job) bool { return len(api.FromJob(j).Encoded) == 0 }

func FuzzKey(f *testing.F) {
	f.Add("plain")
	f.Add("base64:_w")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := api.ParseKey(text)
		if err != nil {
			return
		}
		if again, err := api.ParseKey(api.KeyText(key)); err != nil || again != key {
			t.Fatalf("%q read as %q, which came back as %q, %v", text, key, again, err)
		}
	})
}
