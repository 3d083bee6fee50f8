package server

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/server/token"
)

var update = flag.Bool("update", false, "write what the HTTP face answers into testdata")

// exchange is one request of a golden test; {KEY} in a path stands for what an
// earlier answer had.
type exchange struct{ method, path, body string }

var exchanges = []exchange{
	{"PUT", "/v1/namespaces/default/queues/slow", `{"priority":"5","max_running":"2"}`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"command":{"line":"echo one"},"group":"g","needs":{"cpu":"1000"}},{"command":{"argv":["sleep","1"]},"queue":"slow"}],"items":true}`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"command":{"line":"echo one"}},{"command":{}},{}],"partial":true,"lines":["7","8","9"]}`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"command":{"line":"echo two"}},{"command":{"line":"x\u0000"}}]}`},
	{"GET", "/v1/namespaces/default/jobs?state=ready&page_size=1", ``},
	{"GET", "/v1/namespaces/default/jobs?queue=slow&brief=true", ``},
	{"GET", "/v1/namespaces/default/counts?by=queue", ``},
	{"GET", "/v1/namespaces/default/outcomes?group=g", ``},
	{"POST", "/v1/namespaces/default/work:reserve", `{"worker":"w","n":1,"want":{"commands":true,"queues":["slow"],"form":"data"}}`},
	{"GET", "/v1/namespaces/default/workers/w", ``},
	{"POST", "/v1/namespaces/default/jobs:cancel", `{"filter":{"group":"g"}}`},
	{"POST", "/v1/namespaces/default/jobs:kick", `{"all":true}`},
	{"POST", "/v1/namespaces/default/jobs:modify", `{"filter":{"group":"g"},"changes":{"priority":7,"needs":{"mem":"1048576"}},"update_mask":"priority,needs.mem"}`},
	{"GET", "/v1/namespaces/default/jobs?group=g", ``},
	{"POST", "/v1/namespaces/default/jobs:delete", `{}`},
	{"GET", "/v1/namespaces/default/queues", ``},
	{"GET", "/v1/namespaces", ``},
	// Locks.
	{"POST", "/v1/namespaces/default/locks", `{"owner":"me","paths":["backup/db1","#(a,#2)"],"lease":"60s"}`},
	{"POST", "/v1/namespaces/default/locks", `{"owner":"you","paths":["backup"]}`},
	{"POST", "/v1/namespaces/default/locks", `{"owner":"you","paths":["backup","other"],"some":true}`},
	{"POST", "/v1/namespaces/default/locks:renew", `{"owner":"me","paths":["backup/db1"],"lease":"3600s"}`},
	{"POST", "/v1/namespaces/default/locks:read", `{"paths":["backup/db1","backup"]}`},
	{"GET", "/v1/namespaces/default/locks?under=backup", ``},
	{"POST", "/v1/namespaces/default/locks:unlock", `{"owner":"you","paths":["backup/db1"]}`},
	{"POST", "/v1/namespaces/default/locks:unlock", `{"owner":"you","paths":["other"]}`},
	{"POST", "/v1/namespaces/default/locks:delete", `{"paths":["backup"],"below":true}`},
	{"POST", "/v1/namespaces/default/locks", `{"owner":"you","paths":["/usr"]}`},
	// Accounts. Their rates are zero, for balances that stand still.
	{"POST", "/v1/namespaces/default/accounts", `{"account":{"name":"lab","description":"the lab","window":"7200s","label_limits":{"gpu":2},"no_free":true},"balance":[0,90]}`},
	{"POST", "/v1/namespaces/default/accounts", `{"account":{"name":"lab"}}`},
	{"POST", "/v1/namespaces/default/accounts", `{"account":{"name":"b","rate":[1,2,3,4,5,6]}}`},
	{"PATCH", "/v1/namespaces/default/accounts/lab?request_id=1", `{"max_fanout":3,"no_free":false}`},
	{"GET", "/v1/namespaces/default/accounts/lab", ``},
	{"POST", "/v1/namespaces/default/accounts/lab:reset", `{}`},
	{"PUT", "/v1/namespaces/default/default_account", `{"account":"lab"}`},
	{"GET", "/v1/namespaces/default/jobs?account=lab&brief=true&page_size=1", ``},
	{"GET", "/v1/namespaces/default/accounts?page_size=5", ``},
	{"GET", "/v1/namespaces/default/pools/nowhere/accounts", ``},
	{"POST", "/v1/namespaces/default/pools/nowhere/accounts", `{"account":{"name":"lab"}}`},
	{"DELETE", "/v1/namespaces/default/accounts/lab", ``},
	{"GET", "/v1/namespaces/default/accounts/lab", ``},
	{"PUT", "/v1/namespaces/default/default_account", `{}`},
	// Units.
	{"PUT", "/v1/namespaces/default/queues/spec", `{"definition":"oA==","order":"key","keep_finished":"1"}`},
	{"POST", "/v1/namespaces/default/jobs", `{"defined":true,"jobs":[{"queue":"spec","key":"a","data":"oA=="},{"queue":"spec","key":"b","data":"oA=="}]}`},
	{"POST", "/v1/namespaces/default/jobs", `{"defined":true,"jobs":[{"queue":"q","key":"a","data":"oA=="}]}`},
	{"GET", "/v1/namespaces/default/queues/spec/units?limit=1", ``},
	{"POST", "/v1/namespaces/default/queues/spec/units:list", `{"keys":{"keys":["Yg==","eA=="]}}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:prioritise", `{"select":{"states":{"states":["ready"]}},"set":2.5}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:update", `{"key":"Yg==","to":"complete"}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:update", `{"key":"Yg==","to":"lunch"}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:attempt", `{"key":"YQ==","worker":"w"}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:attempts", `{"key":"YQ=="}`},
	{"GET", "/v1/namespaces/default/workers/w/units", ``},
	{"GET", "/v1/namespaces/default/workers/nobody/children/units", ``},
	{"POST", "/v1/namespaces/default/queues/spec/units:delete", `{}`},
	{"POST", "/v1/namespaces/default/queues/spec/units:delete", `{"select":{"all":true}}`},
	{"POST", "/v1/namespaces/default/queues/spec:prune", `{}`},
	{"POST", "/v1/server:pause", `{}`},
	{"GET", "/v1/namespaces/default", ``},
	// What is refused.
	{"GET", "/v1/namespaces/absent/jobs", ``},
	{"GET", "/v1/namespaces/default/jobs?state=lunch", ``},
	{"GET", "/v1/namespaces/default/jobs?flavour=sweet", ``},
	{"GET", "/v1/namespaces/default/jobs?page_token=nonsense", ``},
	{"GET", "/v1/namespaces/default/jobs?token=secret", ``},
	{"GET", "/v1/namespaces/default/jobs/default/absent", ``},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"comand":{"line":"typo"}}]}`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"command":{"line":"x"},"needs":{"cpu":"-1"}}]}`},
	{"POST", "/v1/namespaces/default/jobs", `{"jobs":[{"command":{"line":"x"},"limits":[{"name":"db"}]}]}`},
	{"PATCH", "/v1/namespaces/default/jobs", `{}`},
	{"GET", "/v1/nowhere", ``},
	{"GET", "/elsewhere", ``},
	{"GET", "/healthz", ``},
}

var changing = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"|"[0-9.]+s"|"3000\d{8}"`)

// The HTTP face as its users see it, answer by answer.
func TestHTTPAnswers(t *testing.T) {
	s := testServer(t, nil)
	var b strings.Builder
	for _, x := range exchanges {
		code, body := request(t, s, x.method, x.path, s.Token(), x.body)
		fmt.Fprintf(&b, "> %s %s %s\n%d %s\n\n", x.method, x.path, x.body, code, indented(t, body))
	}
	got := changing.ReplaceAllString(b.String(), `"TIME"`)
	path := filepath.Join("testdata", "http.golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("answers changed (-want +got); if they should, run the test with -update:\n%s", diff)
	}
}

// indented is JSON with sorted keys, for the protobuf library varies its spaces
// on purpose.
func indented(t *testing.T, body string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Errorf("not JSON: %q", body)
		return body
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHTTPNeedsToken(t *testing.T) {
	s := testServer(t, nil)
	reader := secretOf(t, s, token.Token{Role: token.Reader})
	for _, c := range []struct {
		method, path, token string
		code                int
	}{
		{"GET", "/v1/namespaces", "", 401},
		{"GET", "/v1/namespaces", "wrong", 401},
		{"GET", "/v1/namespaces", reader, 200},
		{"POST", "/v1/server:drain", reader, 403},
		{"POST", "/v1/tokens", reader, 403},
		{"GET", "/v1/openapi.json", "", 200},
		{"GET", "/healthz", "", 200},
	} {
		code, body := request(t, s, c.method, c.path, c.token, "{}")
		if code != c.code || !json.Valid([]byte(body)) {
			t.Errorf("%s %s: %d %.200s, want %d", c.method, c.path, code, body, c.code)
		}
	}
}

func TestHTTPBodyIsBounded(t *testing.T) {
	s := testServer(t, func(c *Config) { c.MaxMessage = 8 << 10 })
	line := strings.Repeat("x", 16<<10)
	code, body := request(t, s, "POST", "/v1/namespaces/default/jobs", s.Token(), `{"jobs":[{"command":{"line":"`+line+`"}}]}`)
	if code != 400 || !strings.Contains(body, "too large") || !strings.Contains(body, `"invalid"`) {
		t.Errorf("%d %s", code, body)
	}
}

// A client that says nothing, or says it too slowly, is not waited for.
func TestHTTPSlowClients(t *testing.T) {
	s := testServer(t, func(c *Config) { c.ConnectTimeout = 50 * time.Millisecond })
	for _, address := range []string{s.Where().HTTPAddress, s.Where().Address} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("GET /v1/names")); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 512); err == nil; {
			_, err = c.Read(b)
		}
		if n, ok := err.(net.Error); ok && n.Timeout() {
			t.Errorf("%s: the connection is still open", address)
		}
	}
}

// Streams come over HTTP as lines of JSON, or as events for a browser.
func TestHTTPStreams(t *testing.T) {
	s := testServer(t, nil)
	for accept, begins := range map[string]string{"": `{"result":`, "text/event-stream": `data: {"result":`} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Where().HTTPAddress+"/v1/namespaces/default/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.Token())
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		lines := bufio.NewScanner(a.Body)
		for i := range 2 {
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), begins) {
				t.Fatalf("accepting %q: %q, %v", accept, lines.Text(), lines.Err())
			}
			if accept != "" && (!lines.Scan() || lines.Text() != "") {
				t.Fatalf("an event ends with %q", lines.Text())
			}
			add := fmt.Sprintf(`{"jobs":[{"command":{"line":"%s %d"}}]}`, accept, i)
			if code, body := request(t, s, "POST", "/v1/namespaces/default/jobs", s.Token(), add); code != 200 {
				t.Fatalf("%d %s", code, body)
			}
		}
	}
}
