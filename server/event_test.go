package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// pagesOfEvents are the pages of a listing, each at most size long.
func pagesOfEvents(t *testing.T, ctx context.Context, conn *grpc.ClientConn, m *v1.ListEventsRequest, size int32) (all []*v1.Event, pages int) {
	t.Helper()
	m.PageSize, m.PageToken = size, ""
	for {
		a, err := v1.NewEventsClient(conn).ListEvents(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Events) > int(size) {
			t.Fatalf("%d entries in a page of %d", len(a.Events), size)
		}
		all = append(all, a.Events...)
		if pages++; a.NextPageToken == "" {
			return all, pages
		}
		m.PageToken = a.NextPageToken
	}
}

// tasksOf are the tasks of entries.
func tasksOf(list []*v1.Event) []string {
	tasks := make([]string, len(list))
	for i, e := range list {
		tasks[i] = e.Task
	}
	return tasks
}

// recordTasks puts entries into the log of the default namespace.
func recordTasks(t *testing.T, s *Server, tasks ...string) {
	t.Helper()
	ns, err := s.engine.Namespace(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i, task := range tasks {
		kind := []string{job.EventAssigned, job.EventPreempted}[i%2]
		row := job.EventRow{Kind: kind, Task: task, Account: "lab", Worker: "w", Details: map[string]string{"priority": "1"}}
		if err := ns.Record(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsByPages(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprint("t", i))
	}
	recordTasks(t, s, want...)
	slices.Reverse(want)
	for size, pages := range map[int32]int{1: 7, 3: 3, 1000: 1} {
		all, n := pagesOfEvents(t, ctx, conn, &v1.ListEventsRequest{}, size)
		if !slices.Equal(tasksOf(all), want) || n < pages || n > pages+1 { // the last may be empty
			t.Errorf("by %d: %v in %d pages", size, tasksOf(all), n)
		}
	}
	all, _ := pagesOfEvents(t, ctx, conn, &v1.ListEventsRequest{Kinds: []string{job.EventPreempted}}, 2)
	if got := tasksOf(all); !slices.Equal(got, []string{"t5", "t3", "t1"}) {
		t.Errorf("of one kind: %v", got)
	}
	middle := all[1].Time
	for name, c := range map[string]struct {
		m    *v1.ListEventsRequest
		want int
	}{
		"a task":          {&v1.ListEventsRequest{Task: "t3"}, 1},
		"an account":      {&v1.ListEventsRequest{Account: "lab"}, 7},
		"another account": {&v1.ListEventsRequest{Account: "la"}, 0},
		"another worker":  {&v1.ListEventsRequest{Worker: "v"}, 0},
		"no pool":         {&v1.ListEventsRequest{Pool: new("")}, 7},
		"a pool":          {&v1.ListEventsRequest{Pool: new("p")}, 0},
		"audited":         {&v1.ListEventsRequest{Audit: true}, 0},
		"since":           {&v1.ListEventsRequest{Since: middle}, 4},
		"until":           {&v1.ListEventsRequest{Until: middle}, 3},
	} {
		if all, _ := pagesOfEvents(t, ctx, conn, c.m, 2); len(all) != c.want {
			t.Errorf("%s: %v", name, tasksOf(all))
		}
	}
}

// The same over HTTP, for whoever may look.
func TestEventsOverHTTP(t *testing.T) {
	s := testServer(t, nil)
	recordTasks(t, s, "a", "b", "c")
	secret := secretOf(t, s, token.Token{Role: token.Reader})
	type page struct {
		Events []struct {
			Number, Kind, Text, Task, Account, Worker string
			Audit                                     bool
			Details                                   map[string]string
		}
		NextPageToken string `json:"next_page_token"`
	}
	var tasks []string
	for next := ""; ; {
		query := url.Values{"page_size": {"2"}, "account": {"lab"}, "page_token": {next}}
		code, body := request(t, s, "GET", "/v1/namespaces/default/events?"+query.Encode(), secret, "")
		var p page
		if err := json.Unmarshal([]byte(body), &p); code != 200 || err != nil {
			t.Fatalf("%d %s: %v", code, body, err)
		}
		for _, e := range p.Events {
			tasks = append(tasks, e.Task)
			kind, err := job.EventKindOf(e.Kind)
			if err != nil || e.Text != kind.Text || e.Audit || e.Number == "" || e.Worker != "w" || e.Details["priority"] != "1" {
				t.Errorf("%+v: %v", e, err)
			}
		}
		if next = p.NextPageToken; next == "" {
			break
		}
	}
	if !slices.Equal(tasks, []string{"c", "b", "a"}) {
		t.Errorf("%v", tasks)
	}
	for query, want := range map[string]string{
		"kinds=preempted&kinds=completed": `"task":"b"`,
		"kinds=lunch":                     `no kind of event`,
		"page_size=2000":                  `page_size`,
		"page_token=x":                    `page_token`,
		"since=tomorrow":                  `since`,
	} {
		if _, body := request(t, s, "GET", "/v1/namespaces/default/events?"+query, secret, ""); !strings.Contains(strings.ReplaceAll(body, " ", ""), strings.ReplaceAll(want, " ", "")) {
			t.Errorf("%s: %s", query, body)
		}
	}
}

func TestEventsForWhom(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	if err := s.engine.CreateNamespace(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token     token.Token
		namespace string
		denied    bool
	}{
		"a reader":                     {token.Token{Role: token.Reader}, "", false},
		"a reader of one, there":       {token.Token{Role: token.Reader, Namespace: "mine"}, "mine", false},
		"a reader of one, unsaid":      {token.Token{Role: token.Reader, Namespace: "mine"}, "", false},
		"a reader of one, elsewhere":   {token.Token{Role: token.Reader, Namespace: "mine"}, "default", true},
		"an admin of one, elsewhere":   {token.Token{Role: token.Admin, Namespace: "mine"}, "default", true},
		"a reader bound to an account": {token.Token{Role: token.Reader, Account: "lab"}, "", false},
		"a worker":                     {token.Token{Role: token.Worker}, "", true},
	} {
		secret := secretOf(t, s, c.token)
		_, err := v1.NewEventsClient(conn).ListEvents(as(t, secret), &v1.ListEventsRequest{Namespace: c.namespace})
		if denied := job.IsKind(api.FromStatus(err), job.Denied); denied != c.denied || err != nil && !denied {
			t.Errorf("%s: %v", name, err)
		}
		if c.namespace == "" {
			continue
		}
		if code, body := request(t, s, "GET", "/v1/namespaces/"+c.namespace+"/events", secret, ""); (code == 403) != c.denied || code != 200 && code != 403 {
			t.Errorf("%s over HTTP: %d %s", name, code, body)
		}
	}
	if code, _ := request(t, s, "GET", "/v1/namespaces/default/events", "", ""); code != 401 {
		t.Errorf("nobody: %d", code)
	}
}

func TestEventsRefused(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	for name, c := range map[string]struct {
		m    *v1.ListEventsRequest
		kind job.ErrorKind
	}{
		"no such kind":      {&v1.ListEventsRequest{Kinds: []string{"assigned", "lunch"}}, job.Invalid},
		"no such namespace": {&v1.ListEventsRequest{Namespace: "nowhere"}, job.NotFound},
		"a bad time":        {&v1.ListEventsRequest{Since: &timestamppb.Timestamp{Nanos: -1}}, job.Invalid},
		"a long page":       {&v1.ListEventsRequest{PageSize: 1001}, job.Invalid},
		"a negative page":   {&v1.ListEventsRequest{PageSize: -1}, job.Invalid},
		"another's page":    {&v1.ListEventsRequest{PageToken: nextPage("queues", "3")}, job.Invalid},
		"a page of words":   {&v1.ListEventsRequest{PageToken: nextPage("events", "three")}, job.Invalid},
	} {
		_, err := v1.NewEventsClient(conn).ListEvents(ctx, c.m)
		if !job.IsKind(api.FromStatus(err), c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// step is a change, and the one entry that it leaves; no kind: it leaves none.
type step struct {
	name string
	do   func(ctx context.Context) error
	want job.EventRow
	// details are among those of the entry.
	details map[string]string
	// log is the namespace in whose log it is.
	log string
}

// change is a step's call, for its error alone.
func change[Q, A any](call func(context.Context, Q, ...grpc.CallOption) (A, error), q Q) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := call(ctx, q)
		return err
	}
}

// Each change leaves exactly one entry with the name of the token it was made with;
// what was refused, or was so before, leaves none.
func TestEachChangeIsAudited(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	tokens := v1.NewTokensClient(conn)
	made, err := tokens.CreateToken(as(t, s.Token()), &v1.CreateTokenRequest{Name: "ann", Role: string(token.Admin)})
	if err != nil {
		t.Fatal(err)
	}
	ann, ctx := "ann ("+made.Token.Id+")", as(t, made.Secret)
	if err := change(v1.NewWorkersClient(conn).AnnounceWorker, &v1.AnnounceWorkerRequest{Worker: &v1.Worker{Name: "w1"}})(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]uint64{}
	fresh := func(namespace string) (list []*v1.Event) {
		all, _ := pagesOfEvents(t, ctx, conn, &v1.ListEventsRequest{Namespace: namespace}, 1000)
		for _, e := range all {
			if e.Number > seen[namespace] {
				list = append(list, e)
			}
		}
		if len(all) > 0 {
			seen[namespace] = all[0].Number
		}
		return list
	}
	fresh("default")
	for _, c := range slices.Concat(accountSteps(conn), poolSteps(conn), queueSteps(conn), limitSteps(conn), serverSteps(conn), tokenSteps(conn)) {
		if err := c.do(ctx); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if c.log == "" {
			c.log = "default"
		}
		checkStep(t, &c, fresh(c.log), ann)
	}
	if left := fresh("default"); len(left) > 0 {
		t.Errorf("left in the log of the default namespace: %v", left)
	}
}

func checkStep(t *testing.T, c *step, got []*v1.Event, who string) {
	t.Helper()
	if c.want.Kind == "" {
		if len(got) != 0 {
			t.Errorf("%s leaves %v", c.name, got)
		}
		return
	}
	if len(got) != 1 {
		t.Errorf("%s leaves %d entries: %v", c.name, len(got), got)
		return
	}
	e := got[0]
	if e.Kind != c.want.Kind || e.Account != c.want.Account || e.Pool != c.want.Pool || e.Worker != c.want.Worker || e.Who != who || !e.Audit {
		t.Errorf("%s leaves %v", c.name, e)
	}
	for name, value := range c.details {
		if e.Details[name] != value {
			t.Errorf("%s: %s is %q, not %q", c.name, name, e.Details[name], value)
		}
	}
}

// refused is a change that must not be made.
func refused(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if do(ctx) == nil {
			return errors.New("it was not refused")
		}
		return nil
	}
}

func accountSteps(conn *grpc.ClientConn) []step {
	a := v1.NewAccountsClient(conn)
	add := change(a.AddAccount, &v1.AddAccountRequest{Account: &v1.Account{Name: "lab", Rate: []float64{2, 1}}, Balance: []float64{7}})
	set := change(a.SetAccount, &v1.SetAccountRequest{Account: &v1.Account{Name: "lab", Rate: []float64{3, 1}, MaxFanout: 4}})
	byDefault := change(a.SetDefaultAccount, &v1.SetDefaultAccountRequest{Account: "lab"})
	of := func(kind string) job.EventRow { return job.EventRow{Kind: kind, Account: "lab"} }
	return []step{
		{name: "account add", do: add, want: of(job.EventAccountAdded), details: map[string]string{"rate": "2 1 0 0 0", "balance": "7 0 0 0 0"}},
		{name: "account add, there already", do: refused(add)},
		{name: "account set", do: set, want: of(job.EventAccountChanged), details: map[string]string{"rate": "2 1 0 0 0 -> 3 1 0 0 0", "max_fanout": "(none) -> 4"}},
		{name: "account set, as it is", do: set},
		{name: "account reset", do: change(a.ResetAccount, &v1.ResetAccountRequest{Account: "lab"}), want: of(job.EventAccountReset)},
		{name: "account default", do: byDefault, want: of(job.EventDefaultAccount), details: map[string]string{"old": "", "new": "lab"}},
		{name: "account default, as it is", do: byDefault},
		{name: "account rm", do: change(a.RemoveAccount, &v1.RemoveAccountRequest{Account: "lab"}), want: of(job.EventAccountRemoved), details: map[string]string{"rate": "3 1 0 0 0"}},
		{name: "account rm, absent", do: refused(change(a.RemoveAccount, &v1.RemoveAccountRequest{Account: "lab"}))},
	}
}

func poolSteps(conn *grpc.ClientConn) []step {
	p, a := v1.NewPoolsClient(conn), v1.NewAccountsClient(conn)
	set := change(p.SetPool, &v1.SetPoolRequest{Pool: &v1.Pool{Name: "p", NoPreemption: true, WorkerExpiry: durationpb.New(job.DefaultWindow)}})
	of := func(kind string) job.EventRow { return job.EventRow{Kind: kind, Pool: "p"} }
	setAccount := change(a.SetAccount, &v1.SetAccountRequest{Pool: "p", Account: &v1.Account{Name: "team", NoFree: true}})
	account := func(kind string) job.EventRow { return job.EventRow{Kind: kind, Pool: "p", Account: "team"} }
	return []step{
		{name: "pool create", do: change(p.CreatePool, &v1.CreatePoolRequest{Pool: &v1.Pool{Name: "p"}}), want: of(job.EventPoolCreated)},
		{name: "pool set", do: set, want: of(job.EventPoolChanged), details: map[string]string{"no_preemption": "false -> true"}},
		{name: "pool set, as it is", do: set},
		{name: "a pool's account add", do: change(a.AddAccount, &v1.AddAccountRequest{Pool: "p", Account: &v1.Account{Name: "team"}}), want: account(job.EventAccountAdded)},
		{name: "a pool's account set", do: setAccount, want: account(job.EventAccountChanged), details: map[string]string{"no_free": "(none) -> true"}},
		{name: "a pool's account set, as it is", do: setAccount},
		{name: "a pool's account reset", do: change(a.ResetAccount, &v1.ResetAccountRequest{Pool: "p", Account: "team"}), want: account(job.EventAccountReset)},
		{name: "a pool's account rm", do: change(a.RemoveAccount, &v1.RemoveAccountRequest{Pool: "p", Account: "team"}), want: account(job.EventAccountRemoved)},
		{name: "pool wipe", do: change(p.WipePool, &v1.WipePoolRequest{Pool: "p"}), want: of(job.EventPoolWiped)},
		{name: "pool rm", do: change(p.DeletePool, &v1.DeletePoolRequest{Pool: "p"}), want: of(job.EventPoolDeleted)},
		{name: "pool rm, absent", do: refused(change(p.DeletePool, &v1.DeletePoolRequest{Pool: "p"}))},
	}
}

func queueSteps(conn *grpc.ClientConn) []step {
	q := v1.NewQueuesClient(conn)
	set := change(q.SetQueue, &v1.SetQueueRequest{Queue: &v1.Queue{Name: "nightly", Priority: 3}})
	pause := change(q.PauseQueue, &v1.GetQueueRequest{Queue: "nightly"})
	of := func(kind string) job.EventRow { return job.EventRow{Kind: kind} }
	return []step{
		{name: "queue set", do: set, want: of(job.EventQueueSet), details: map[string]string{"queue": "nightly", "new": "true", "priority": "(none) -> 3"}},
		{name: "queue set, as it is", do: set},
		{name: "queue pause", do: pause, want: of(job.EventQueueSet), details: map[string]string{"queue": "nightly", "paused": "(none) -> true"}},
		{name: "queue pause, paused", do: pause},
		{name: "queue resume", do: change(q.ResumeQueue, &v1.GetQueueRequest{Queue: "nightly"}), want: of(job.EventQueueSet), details: map[string]string{"paused": "true -> (none)"}},
		{name: "queue rm", do: change(q.DeleteQueue, &v1.DeleteQueueRequest{Queue: "nightly"}), want: of(job.EventQueueDeleted), details: map[string]string{"queue": "nightly"}},
	}
}

func limitSteps(conn *grpc.ClientConn) []step {
	l := v1.NewLimitsClient(conn)
	set := change(l.SetLimit, &v1.SetLimitRequest{Limit: &v1.Limit{Name: "db", Max: proto.Int64(3)}})
	rm := change(l.RemoveLimit, &v1.RemoveLimitRequest{Limit: "db"})
	return []step{
		{name: "limit set", do: set, want: job.EventRow{Kind: job.EventLimitSet}, details: map[string]string{"limit": "db", "new": "true"}},
		{name: "limit set, as it is", do: set},
		{name: "limit rm", do: rm, want: job.EventRow{Kind: job.EventLimitRemoved}, details: map[string]string{"limit": "db"}},
		{name: "limit rm, absent", do: refused(rm)},
	}
}

func serverSteps(conn *grpc.ClientConn) []step {
	s, w := v1.NewServerClient(conn), v1.NewWorkersClient(conn)
	pause := change(s.Pause, &v1.PauseRequest{Namespace: "default"})
	drain := change(s.Drain, &v1.DrainRequest{Namespace: "default"})
	resume := change(s.Resume, &v1.ResumeRequest{Namespace: "default"})
	worker := change(w.DrainWorker, &v1.DrainWorkerRequest{Worker: "w1"})
	return []step{
		{name: "pause", do: pause, want: job.EventRow{Kind: job.EventPaused}},
		{name: "pause, paused", do: pause},
		{name: "resume", do: resume, want: job.EventRow{Kind: job.EventResumed}},
		{name: "drain", do: drain, want: job.EventRow{Kind: job.EventDraining}},
		{name: "drain, to see how far", do: drain},
		{name: "resume after a drain", do: resume, want: job.EventRow{Kind: job.EventResumed}},
		{name: "resume, as it is", do: resume},
		{name: "worker drain", do: worker, want: job.EventRow{Kind: job.EventWorkerDrained, Worker: "w1"}},
		{name: "worker drain, drained", do: worker},
		{name: "worker drain --undo", do: change(w.DrainWorker, &v1.DrainWorkerRequest{Worker: "w1", Undo: true}), want: job.EventRow{Kind: job.EventWorkerResumed, Worker: "w1"}},
	}
}

// tokenSteps are changes of the server, which logs of namespaces tell.
func tokenSteps(conn *grpc.ClientConn) []step {
	n, tk := v1.NewNamespacesClient(conn), v1.NewTokensClient(conn)
	of := func(kind string) job.EventRow { return job.EventRow{Kind: kind} }
	id := ""
	create := func(namespace string) func(context.Context) error {
		return func(ctx context.Context) error {
			made, err := tk.CreateToken(ctx, &v1.CreateTokenRequest{Name: "bob", Role: string(token.Reader), Namespace: namespace})
			id = made.GetToken().GetId()
			return err
		}
	}
	revoke := func(ctx context.Context) error { return change(tk.RevokeToken, &v1.RevokeTokenRequest{Id: id})(ctx) }
	here := map[string]string{"name": "bob", "role": "reader"}
	there := map[string]string{"name": "bob", "role": "reader", "namespace": "other"}
	other := map[string]string{"namespace": "other"}
	return []step{
		{name: "token create", do: create(""), want: of(job.EventTokenMade), details: here},
		{name: "token revoke", do: revoke, want: of(job.EventTokenRevoked), details: here},
		{name: "token revoke, revoked", do: refused(revoke)},
		{name: "namespace create", do: change(n.CreateNamespace, &v1.CreateNamespaceRequest{Namespace: "other"}), want: of(job.EventNamespaceCreated), details: other, log: "other"},
		{name: "token create in a namespace", do: create("other"), want: of(job.EventTokenMade), details: there, log: "other"},
		{name: "token revoke in a namespace", do: revoke, want: of(job.EventTokenRevoked), details: there, log: "other"},
		{name: "namespace destroy", do: change(n.DestroyNamespace, &v1.DestroyNamespaceRequest{Namespace: "other"}), want: of(job.EventNamespaceDestroyed), details: other},
		{name: "namespace destroy, absent", do: refused(change(n.DestroyNamespace, &v1.DestroyNamespaceRequest{Namespace: "other"}))},
	}
}
