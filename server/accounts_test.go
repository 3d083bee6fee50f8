package server

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

func TestAccounts(t *testing.T) {
	s := testServer(t, nil)
	accounts, ctx := v1.NewAccountsClient(dial(t, s)), as(t, s.Token())
	made, err := accounts.AddAccount(ctx, &v1.AddAccountRequest{
		Account: &v1.Account{Name: "lab", Rate: []float64{0, 0, 0}, LabelLimits: map[string]int32{"gpu": 2}, Description: "the lab", NoFree: true},
		Balance: []float64{0, 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := made.Account; a.Window.AsDuration() != job.DefaultWindow || a.LabelLimits["gpu"] != 2 || !a.NoFree || !slices.Equal(made.Balance, []float64{0, 7}) {
		t.Errorf("made: %v", made)
	}
	set := func(a *v1.Account, fields ...string) (*v1.Account, error) {
		a.Name = "lab"
		i, err := accounts.SetAccount(ctx, &v1.SetAccountRequest{Account: a, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
		return i.GetAccount(), err
	}
	// Of an account only what is named changes; a map as a whole or by key.
	a, err := set(&v1.Account{MaxFanout: 3, Window: durationpb.New(2 * time.Hour)}, "max_fanout", "window")
	if err != nil || a.MaxFanout != 3 || a.Window.AsDuration() != 2*time.Hour || a.Description != "the lab" || !a.NoFree || a.LabelLimits["gpu"] != 2 {
		t.Errorf("two fields: %v, %v", a, err)
	}
	a, err = set(&v1.Account{LabelLimits: map[string]int32{"host": 1}}, "label_limits.host", "no_free")
	if err != nil || a.NoFree || a.LabelLimits["gpu"] != 2 || a.LabelLimits["host"] != 1 {
		t.Errorf("a key: %v, %v", a, err)
	}
	if a, err = set(&v1.Account{}, "label_limits"); err != nil || len(a.LabelLimits) != 0 || a.MaxFanout != 3 {
		t.Errorf("limits gone: %v, %v", a, err)
	}
	if a, err = set(&v1.Account{Description: "anew"}); err != nil || a.Description != "anew" || a.MaxFanout != 0 || a.Window.AsDuration() != job.DefaultWindow {
		t.Errorf("as a whole: %v, %v", a, err)
	}
	reset, err := accounts.ResetAccount(ctx, &v1.ResetAccountRequest{Account: "lab"})
	if err != nil || len(reset.Balance) != 0 {
		t.Errorf("reset: %v, %v", reset, err)
	}
	if _, err := accounts.RemoveAccount(ctx, &v1.RemoveAccountRequest{Account: "lab"}); err != nil {
		t.Error(err)
	}
	if list, err := accounts.ListAccounts(ctx, &v1.ListAccountsRequest{}); err != nil || len(list.Accounts) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestAccountsRefused(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	accounts := v1.NewAccountsClient(conn)
	add := func(a *v1.Account, balance ...float64) error {
		_, err := accounts.AddAccount(ctx, &v1.AddAccountRequest{Account: a, Balance: balance})
		return err
	}
	if err := add(&v1.Account{Name: "lab"}); err != nil {
		t.Fatal(err)
	}
	set := func(a *v1.Account, fields ...string) error {
		_, err := accounts.SetAccount(ctx, &v1.SetAccountRequest{Account: a, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
		return err
	}
	_, inPool := accounts.ListAccounts(ctx, &v1.ListAccountsRequest{Pool: "nowhere"})
	_, addInPool := accounts.AddAccount(ctx, &v1.AddAccountRequest{Pool: "nowhere", Account: &v1.Account{Name: "lab"}})
	_, absent := accounts.GetAccount(ctx, &v1.GetAccountRequest{Account: "x"})
	_, reset := accounts.ResetAccount(ctx, &v1.ResetAccountRequest{Account: "x"})
	_, removed := accounts.RemoveAccount(ctx, &v1.RemoveAccountRequest{Account: "x"})
	_, token := accounts.ListAccounts(ctx, &v1.ListAccountsRequest{PageToken: nextPage("queues", "a")})
	_, asDefault := accounts.SetDefaultAccount(ctx, &v1.SetDefaultAccountRequest{Account: "a\nb"})
	for name, c := range map[string]struct {
		err  error
		kind job.ErrorKind
	}{
		"there already":     {add(&v1.Account{Name: "lab"}), job.Exists},
		"no account":        {add(nil), job.Invalid},
		"no name":           {add(&v1.Account{}), job.Invalid},
		"six levels":        {add(&v1.Account{Name: "b", Rate: []float64{1, 2, 3, 4, 5, 6}}), job.Invalid},
		"a balance of six":  {add(&v1.Account{Name: "b"}, 1, 2, 3, 4, 5, 6), job.Invalid},
		"a negative rate":   {add(&v1.Account{Name: "b", Rate: []float64{-1}}), job.Invalid},
		"a negative window": {add(&v1.Account{Name: "b", Window: durationpb.New(-1)}), job.Invalid},
		"a long window":     {add(&v1.Account{Name: "b", Window: &durationpb.Duration{Seconds: 1 << 60}}), job.Invalid},
		"a bad limit":       {add(&v1.Account{Name: "b", LabelLimits: map[string]int32{"gpu": -1}}), job.Invalid},
		"an unknown field":  {set(&v1.Account{Name: "lab"}, "colour"), job.Invalid},
		"a bad value":       {set(&v1.Account{Name: "lab", MaxFanout: -1}, "max_fanout"), job.Invalid},
		"set, absent":       {set(&v1.Account{Name: "x"}, "no_free"), job.NotFound},
		"absent":            {absent, job.NotFound},
		"reset, absent":     {reset, job.NotFound},
		"removed, absent":   {removed, job.NotFound},
		"no such pool":      {inPool, job.NotFound},
		"made in no pool":   {addInPool, job.NotFound},
		"another's page":    {token, job.Invalid},
		"a bad default":     {asDefault, job.Invalid},
	} {
		if err := api.FromStatus(c.err); !job.IsKind(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAccountsByPages(t *testing.T) {
	s := testServer(t, nil)
	accounts, ctx := v1.NewAccountsClient(dial(t, s)), as(t, s.Token())
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("a%d", i))
	}
	for _, name := range []string{"a3", "a0", "a6", "a1", "a5", "a4", "a2"} {
		if _, err := accounts.AddAccount(ctx, &v1.AddAccountRequest{Account: &v1.Account{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int32{1, 3, 7, 100} {
		var got []string
		for page := ""; ; {
			a, err := accounts.ListAccounts(ctx, &v1.ListAccountsRequest{PageSize: size, PageToken: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range a.Accounts {
				got = append(got, i.Account.Name)
			}
			if page = a.NextPageToken; page == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %d: %v", size, got)
		}
	}
}

// A token that is for an account uses it and sees how all stand, but does not
// change what any account gets, whatever its role.
func TestBoundTokensDoNotChangeAccounts(t *testing.T) {
	s := testServer(t, nil)
	conn, admin := dial(t, s), as(t, s.Token())
	accounts, queues := v1.NewAccountsClient(conn), v1.NewQueuesClient(conn)
	for _, name := range []string{"physics", "chemistry"} {
		if _, err := accounts.AddAccount(admin, &v1.AddAccountRequest{Account: &v1.Account{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := queues.SetQueue(admin, &v1.SetQueueRequest{Queue: &v1.Queue{Name: "theirs", Account: "chemistry"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := queues.SetQueue(admin, &v1.SetQueueRequest{Queue: &v1.Queue{Name: "nobody's"}}); err != nil {
		t.Fatal(err)
	}
	bound := as(t, secretOf(t, s, token.Token{Role: token.Admin, Account: "physics"}))
	_, add := accounts.AddAccount(bound, &v1.AddAccountRequest{Account: &v1.Account{Name: "more"}})
	_, set := accounts.SetAccount(bound, &v1.SetAccountRequest{Account: &v1.Account{Name: "physics", Rate: []float64{100}}})
	_, reset := accounts.ResetAccount(bound, &v1.ResetAccountRequest{Account: "physics"})
	_, remove := accounts.RemoveAccount(bound, &v1.RemoveAccountRequest{Account: "chemistry"})
	_, byDefault := accounts.SetDefaultAccount(bound, &v1.SetDefaultAccountRequest{Account: "chemistry"})
	queue := func(q *v1.Queue, fields ...string) error {
		_, err := queues.SetQueue(bound, &v1.SetQueueRequest{Queue: q, UpdateMask: &fieldmaskpb.FieldMask{Paths: fields}})
		return err
	}
	for name, err := range map[string]error{
		"add": add, "set": set, "reset": reset, "remove": remove, "default": byDefault,
		"a new queue of another":        queue(&v1.Queue{Name: "new", Account: "chemistry"}),
		"a queue given to another":      queue(&v1.Queue{Name: "nobody's", Account: "chemistry"}, "account"),
		"another's queue made nobody's": queue(&v1.Queue{Name: "theirs"}, "account"),
		"another's queue as a whole":    queue(&v1.Queue{Name: "theirs"}),
	} {
		if !job.IsKind(api.FromStatus(err), job.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"its own queue":                  queue(&v1.Queue{Name: "own", Account: "physics"}),
		"another's queue, another field": queue(&v1.Queue{Name: "theirs", Priority: 3}, "priority"),
		"another's queue, as it is":      queue(&v1.Queue{Name: "theirs", Account: "chemistry", Priority: 4}),
		"another's queue taken over":     queue(&v1.Queue{Name: "theirs", Account: "physics"}, "account"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, role := range []token.Role{token.Reader, token.Submitter, token.Operator} {
		ctx := as(t, secretOf(t, s, token.Token{Role: role, Account: "physics"}))
		if list, err := accounts.ListAccounts(ctx, &v1.ListAccountsRequest{}); err != nil || len(list.Accounts) != 2 {
			t.Errorf("%s sees %v, %v", role, list, err)
		}
	}
}

// Whichever way a bound token adds jobs, they are its account's.
func TestBoundTokensAdd(t *testing.T) {
	s := testServer(t, nil)
	conn, admin := dial(t, s), as(t, s.Token())
	jobs := v1.NewJobsClient(conn)
	if _, err := v1.NewQueuesClient(conn).SetQueue(admin, &v1.SetQueueRequest{Queue: &v1.Queue{Name: "spec", Definition: []byte{0xa0}}}); err != nil {
		t.Fatal(err)
	}
	secret := secretOf(t, s, token.Token{Role: token.Submitter, Account: "physics"})
	ctx := as(t, secret)
	stream := func(m *v1.AddJobsRequest) error { return addByStream(ctx, jobs, m) }
	batch := func(m *v1.AddJobsRequest) error {
		_, err := jobs.AddBatch(ctx, m)
		return err
	}
	for i, add := range []func(*v1.AddJobsRequest) error{stream, batch} {
		j := func(name, account string) *v1.Job {
			return &v1.Job{Key: fmt.Sprint(name, i), Account: account, Command: &v1.Command{Line: "true"}}
		}
		for name, c := range map[string]struct {
			request *v1.AddJobsRequest
			denied  bool
		}{
			"none":            {&v1.AddJobsRequest{Jobs: []*v1.Job{j("a", "")}}, false},
			"its own":         {&v1.AddJobsRequest{Jobs: []*v1.Job{j("b", "physics")}}, false},
			"another":         {&v1.AddJobsRequest{Jobs: []*v1.Job{j("c", "chemistry")}}, true},
			"another default": {&v1.AddJobsRequest{Jobs: []*v1.Job{j("d", "")}, Defaults: &v1.Job{Account: "chemistry"}}, true},
			"encoded": {&v1.AddJobsRequest{Jobs: []*v1.Job{{Encoded: encoded(t, &job.Job{
				Key: "e", Account: "chemistry", Command: &job.Command{Line: "true"},
			})}}}, true},
			"a unit": {&v1.AddJobsRequest{Defined: true, Jobs: []*v1.Job{{Queue: "spec", Key: fmt.Sprint("u", i), Data: []byte{0xa0}}}}, false},
			"another's unit": {&v1.AddJobsRequest{Defined: true, Jobs: []*v1.Job{
				{Queue: "spec", Key: fmt.Sprint("v", i), Data: []byte{0xa0}, Account: "chemistry"},
			}}, true},
		} {
			err := api.FromStatus(add(c.request))
			if c.denied && !job.IsKind(err, job.Denied) || !c.denied && err != nil {
				t.Errorf("way %d, %s: %v", i, name, err)
			}
		}
	}
	for body, want := range map[string]int{
		`{"jobs":[{"command":{"line":"a"}}]}`:                            200,
		`{"jobs":[{"command":{"line":"b"},"account":"chemistry"}]}`:      403,
		`{"jobs":[{"command":{"line":"a"}}],"existing":"replace"}`:       200,
		`{"jobs":[{"command":{"line":"c"}}],"defaults":{"account":"x"}}`: 403,
	} {
		if code, answer := request(t, s, "POST", "/v1/namespaces/default/jobs", secret, body); code != want {
			t.Errorf("over HTTP, %s: %d %s", body, code, answer)
		}
	}
	list, err := jobs.ListJobs(admin, &v1.ListJobsRequest{PageSize: 1000})
	if err != nil || len(list.Jobs) != 2*3+1 {
		t.Fatalf("%d jobs, %v", len(list.GetJobs()), err)
	}
	for _, j := range list.Jobs {
		if j.Job.Account != "physics" || j.Account != "physics" {
			t.Errorf("%s is paid by %q (%q)", j.Key, j.Job.Account, j.Account)
		}
	}
}

func encoded(t *testing.T, j *job.Job) []byte {
	t.Helper()
	b, err := job.Encode(nil, j)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addByStream(ctx context.Context, jobs v1.JobsClient, m *v1.AddJobsRequest) error {
	stream, err := jobs.AddJobs(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(m); err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

// Who pays is found by the job, else its queue, else the namespace; lists are
// searched by it.
func TestWhoPays(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	jobs, queues, accounts := v1.NewJobsClient(conn), v1.NewQueuesClient(conn), v1.NewAccountsClient(conn)
	if _, err := queues.SetQueue(ctx, &v1.SetQueueRequest{Queue: &v1.Queue{Name: "q", Account: "queued"}}); err != nil {
		t.Fatal(err)
	}
	add := func(key, queue, account string) {
		t.Helper()
		if _, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{
			{Key: key, Queue: queue, Account: account, Command: &v1.Command{Line: "true"}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	add("1", "", "own")
	add("2", "q", "own")
	add("3", "q", "")
	add("4", "", "")
	found := func(account string) (keys []string) {
		t.Helper()
		list, err := jobs.ListJobs(ctx, &v1.ListJobsRequest{Filter: &v1.Filter{Account: account}})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list.Jobs {
			if j.Account != account {
				t.Errorf("%s is paid by %q, not %s", j.Key, j.Account, account)
			}
			keys = append(keys, j.Key)
		}
		slices.Sort(keys)
		return keys
	}
	expect := func(when, account string, want ...string) {
		t.Helper()
		if got := found(account); !slices.Equal(got, want) {
			t.Errorf("%s, %s pays for %v, not %v", when, account, got, want)
		}
	}
	check := func(when string) {
		t.Helper()
		expect(when, "own", "1", "2")
		expect(when, "queued", "3")
		expect(when, "rest", "4")
		expect(when, "nobody")
	}
	expect("without a default", "rest")
	if _, err := accounts.SetDefaultAccount(ctx, &v1.SetDefaultAccountRequest{Account: "rest"}); err != nil {
		t.Fatal(err)
	}
	if i, err := v1.NewNamespacesClient(conn).GetNamespace(ctx, &v1.GetNamespaceRequest{}); err != nil || i.DefaultAccount != "rest" {
		t.Errorf("the namespace says %v, %v", i, err)
	}
	check("ready")
	work := v1.NewWorkClient(conn)
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", N: 10, Want: &v1.Want{Commands: true}})
	if err != nil || len(got.Grants) != 4 {
		t.Fatal(got, err)
	}
	check("held")
	reports := make([]*v1.Report, len(got.Grants))
	for i, g := range got.Grants {
		reports[i] = &v1.Report{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete, Result: &v1.Result{Exited: true}}
	}
	if said, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: reports}); err != nil || said.Accepted != 4 {
		t.Fatal(said, err)
	}
	check("complete")
}
