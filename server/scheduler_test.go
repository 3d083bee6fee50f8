package server

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// A client of the plugin protocol knows neither namespaces nor the server's name of
// the service: its calls are those of the contract, in its token's namespace, with the
// roles of the contract.
func TestPluginProtocol(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	if err := s.engine.CreateNamespace(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	admin := as(t, secretOf(t, s, token.Token{Role: token.Admin, Namespace: "mine"}))
	if _, err := v1.NewPoolsClient(conn).CreatePool(admin, &v1.CreatePoolRequest{Pool: &v1.Pool{Name: "p"}}); err != nil {
		t.Fatal(err)
	}
	plugin := as(t, secretOf(t, s, token.Token{Role: token.Worker, Namespace: "mine"}))
	call := func(method string, in, out proto.Message) {
		t.Helper()
		if err := conn.Invoke(plugin, pluginMethod+method, in, out, grpc.StaticMethod()); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	slices := []*v1.SliceSpec{{Dimensions: []string{"os:linux", "app:x"}}, {Dimensions: []string{"os:linux"}}}
	call("NotifyTasks", &v1.NotifyTasksRequest{SchedulerId: "p", Notifications: []*v1.NotifyTasksItem{
		{Task: &v1.TaskSpec{Id: "t1", State: v1.TaskSpec_PENDING, Slices: slices}},
		{Task: &v1.TaskSpec{Id: "t2", State: v1.TaskSpec_PENDING}},
	}}, &v1.NotifyTasksResponse{})
	for want, dimensions := range map[int32][]string{1: {"os:linux"}, 0: {"app:x", "os:linux"}} {
		got := &v1.AssignTasksResponse{}
		call("AssignTasks", &v1.AssignTasksRequest{SchedulerId: "p", IdleBots: []*v1.IdleBot{{BotId: "b", Dimensions: dimensions}}}, got)
		if len(got.Assignments) != 1 || got.Assignments[0].TaskId != "t1" || got.Assignments[0].SliceNumber != want {
			t.Errorf("with %q: %v", dimensions, got)
		}
	}
	stop := &v1.GetCancellationsResponse{}
	call("GetCancellations", &v1.GetCancellationsRequest{SchedulerId: "p"}, stop)
	if len(stop.Cancellations) != 1 || stop.Cancellations[0].TaskId != "t2" || stop.Cancellations[0].ExtraInfo == "" ||
		stop.Cancellations[0].Reason != v1.GetCancellationsResponse_Cancellation_ERROR {
		t.Errorf("cancellations: %v", stop)
	}
	again := &v1.GetCallbacksResponse{}
	call("GetCallbacks", &v1.GetCallbacksRequest{SchedulerId: "p"}, again)
	if len(again.TaskIds) != 1 {
		t.Errorf("callbacks: %v", again)
	}
	reader := as(t, secretOf(t, s, token.Token{Role: token.Reader}))
	err := conn.Invoke(reader, pluginMethod+"GetCallbacks", &v1.GetCallbacksRequest{SchedulerId: "p"}, again)
	if !job.IsKind(api.FromStatus(err), job.Denied) {
		t.Errorf("a reader: %v", err)
	}
}

// FuzzExternalScheduler: whatever a dispatcher says, it is answered or refused, and the
// pool can be read again afterwards as it is in memory.
func FuzzExternalScheduler(f *testing.F) {
	slice := []*v1.SliceSpec{{Dimensions: []string{"a"}}}
	for _, m := range []*v1.NotifyTasksRequest{
		{Notifications: []*v1.NotifyTasksItem{nil, {}, {Task: &v1.TaskSpec{Id: "t", State: v1.TaskSpec_PENDING, Slices: slice}}}},
		{Notifications: []*v1.NotifyTasksItem{{Task: &v1.TaskSpec{Id: "t", State: v1.TaskSpec_RUNNING, BotId: "b"}}}, IsCallback: true},
		{Notifications: []*v1.NotifyTasksItem{{Task: &v1.TaskSpec{Id: "t", State: v1.TaskSpec_KILLED}}}},
	} {
		news, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		idle, err := proto.Marshal(&v1.AssignTasksRequest{IdleBots: []*v1.IdleBot{{BotId: "b", Dimensions: []string{"a"}}, {}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(news, idle)
	}
	s := testServer(f, nil)
	conn := dial(f, s)
	pools, scheduler := v1.NewPoolsClient(conn), v1.NewExternalSchedulerClient(conn)
	f.Fuzz(func(t *testing.T, news, idle []byte) {
		ctx := as(t, s.Token())
		n, a := &v1.NotifyTasksRequest{}, &v1.AssignTasksRequest{}
		if proto.Unmarshal(news, n) != nil || proto.Unmarshal(idle, a) != nil {
			return
		}
		if _, err := pools.CreatePool(ctx, &v1.CreatePoolRequest{Pool: &v1.Pool{Name: "fuzz"}}); err != nil {
			t.Fatal(err)
		}
		n.SchedulerId, n.Namespace, a.SchedulerId, a.Namespace = "fuzz", "", "fuzz", ""
		for _, err := range []error{
			func() error { _, err := scheduler.NotifyTasks(ctx, n); return err }(),
			func() error { _, err := scheduler.AssignTasks(ctx, a); return err }(),
		} {
			if err != nil && !job.IsKind(api.FromStatus(err), job.Invalid) {
				t.Error(err)
			}
		}
		if _, err := pools.InspectPool(ctx, &v1.InspectPoolRequest{Pool: "fuzz"}); err != nil {
			t.Error(err)
		}
		if _, err := pools.DeletePool(ctx, &v1.DeletePoolRequest{Pool: "fuzz", Force: true}); err != nil {
			t.Error(err)
		}
	})
}
