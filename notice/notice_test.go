package notice

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

func TestValidate(t *testing.T) {
	good := Notice{Name: "n", On: Ends, URL: "https://example.org/x?token=secret"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if s := good.Settings(); s["url"] != "https://example.org/x" {
		t.Errorf("the log has %v", s)
	}
	hook := &job.Job{Command: &job.Command{Line: "mail"}}
	for name, change := range map[string]func(*Notice){
		"no name":       func(n *Notice) { n.Name = "" },
		"nothing":       func(n *Notice) { n.On = 0 },
		"a test":        func(n *Notice) { n.On = 1 << Test },
		"two scopes":    func(n *Notice) { n.Group, n.Queue = "g", "q" },
		"no group":      func(n *Notice) { n.On = 1 << GroupEnd },
		"own group":     func(n *Notice) { n.Group = HookPrefix + "n" },
		"no target":     func(n *Notice) { n.URL = "" },
		"two targets":   func(n *Notice) { n.Job = hook },
		"for ever":      func(n *Notice) { n.GiveUp = MaxGiveUp + 1 },
		"file":          func(n *Notice) { n.URL = "file:///etc/passwd" },
		"no host":       func(n *Notice) { n.URL = "https:///x" },
		"metadata":      func(n *Notice) { n.URL = "http://169.254.169.254/latest" },
		"metadata v6":   func(n *Notice) { n.URL = "http://[::ffff:169.254.169.254]/" },
		"fragment":      func(n *Notice) { n.URL = "https://example.org/#x" },
		"data":          func(n *Notice) { n.URL, n.Job = "", &job.Job{Data: []byte("x")} },
		"key":           func(n *Notice) { n.URL, n.Job = "", &job.Job{Key: "k", Command: hook.Command} },
		"empty command": func(n *Notice) { n.URL, n.Job = "", &job.Job{Command: &job.Command{}} },
	} {
		n := good
		change(&n)
		if err := n.Validate(); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEvents(t *testing.T) {
	s, err := ParseEvents([]string{"end", "lost"})
	if err != nil || !slices.Equal(s.Words(), []string{"complete", "buried", "lost"}) {
		t.Errorf("%v, %v", s.Words(), err)
	}
	if s, err := ParseEvents(nil); s != Ends || err != nil {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := ParseEvents([]string{"test"}); !job.IsKind(err, job.Invalid) {
		t.Error(err)
	}
}

// The book finds what looking at each notice finds.
func TestBookAgainstLooking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "a", "b"})
		notices := map[string]*Notice{}
		for i := range rapid.IntRange(0, 12).Draw(t, "notices") {
			n := &Notice{Name: string(rune('a' + i)), On: Events(rapid.IntRange(1, 1<<Test-1).Draw(t, "on"))}
			switch rapid.IntRange(0, 4).Draw(t, "scope") {
			case 0:
				n.Group = word.Draw(t, "group")
			case 1:
				n.Queue = word.Draw(t, "queue")
			case 2:
				n.Account = word.Draw(t, "account")
			case 3:
				n.Queue, n.Key = word.Draw(t, "queue"), job.Key(word.Draw(t, "key"))
			}
			notices[n.Name] = n
		}
		queue := rapid.SampledFrom([]string{"default", "a", "b"}).Draw(t, "of queue")
		key := job.Key(word.Draw(t, "of key"))
		s := &Subject{Group: word.Draw(t, "of group"), Queue: queue, Account: word.Draw(t, "of account"), Digest: job.DigestOf(queue, key)}
		e := Event(rapid.IntRange(0, int(Lost)).Draw(t, "event"))
		var got, want []string
		b := NewBook(notices)
		b.Match(e, s, func(n *Notice) { got = append(got, n.Name) })
		for _, n := range notices {
			is := n.On.Has(e)
			switch {
			case n.Group != "":
				is = is && n.Group == s.Group
			case n.Account != "":
				is = is && n.Account == s.Account
			case n.Key != "":
				is = is && n.Key == key && (n.Queue == queue || n.Queue == "" && queue == "default")
			case n.Queue != "":
				is = is && n.Queue == s.Queue
			}
			if is {
				want = append(want, n.Name)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) > 0 && !b.Wants(e) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestBodyAndJob(t *testing.T) {
	exit := 3
	d := &Delivery{ID: "msg_1", Notice: "n", Event: Buried, At: job.TimeOf(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), Facts: Facts{
		Namespace: "default", Notice: "n", Event: "buried", Queue: "q", Key: "k", ExitCode: &exit,
	}}
	body, err := d.Body()
	want := `{"type":"job.buried","timestamp":"2030-01-02T03:04:05Z","data":{"namespace":"default","notice":"n","event":"buried","queue":"q","key":"k","exit_code":3}}`
	if err != nil || body != want || !json.Valid([]byte(body)) {
		t.Errorf("body %s, %v", body, err)
	}
	n := Notice{Name: "n", Job: &job.Job{Command: &job.Command{Line: "x", Env: []string{"A=b"}}}}
	j := n.JobFor(d, body)
	if j.Key != "msg_1" || j.Group != "muster.notice/n" || j.Queue != "default" || len(n.Job.Command.Env) != 1 {
		t.Errorf("job %+v", j)
	}
	for _, v := range []string{"A=b", "MUSTER_NOTICE=" + want, "MUSTER_NOTICE_EXIT_CODE=3", "MUSTER_NOTICE_KEY=k", "MUSTER_NOTICE_EVENT=buried", "MUSTER_NOTICE_ID=msg_1"} {
		if !slices.Contains(j.Command.Env, v) {
			t.Errorf("%s is not in %q", v, j.Command.Env)
		}
	}
}

func TestSecrets(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if key, err := ParseSecret(a); err != nil || len(key) != 32 || a == b {
		t.Errorf("%s, %s: %v", a, b, err)
	}
	for _, bad := range []string{"", "whsec_", "whsec_!!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_" + strings.Repeat("A", 400)} {
		if _, err := ParseSecret(bad); !job.IsKind(err, job.Invalid) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	// The example of the specification of Standard Webhooks.
	key, _ := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature %s", got)
	}
}
