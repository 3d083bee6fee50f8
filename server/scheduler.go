package server

import (
	"context"
	"strings"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/dispatch/external"
)

// Swarming's plugin protocol has the messages of ExternalScheduler, with the same
// numbers, under a name of its own.
const (
	pluginService   = "swarming.v1.ExternalScheduler"
	pluginMethod    = "/" + pluginService + "/"
	schedulerMethod = "/muster.v1.ExternalScheduler/"
)

// registerPlugin serves the external scheduler under the name of the plugin
// protocol, too.
func (s *Server) registerPlugin(impl v1.ExternalSchedulerServer) {
	desc := v1.ExternalScheduler_ServiceDesc
	desc.ServiceName = pluginService
	desc.Metadata = nil // its file is not one of ours
	s.grpc.RegisterService(&desc, impl)
}

// ofContract is the method of the contract that one of another name stands for.
func ofContract(method string) string {
	if name, ok := strings.CutPrefix(method, pluginMethod); ok {
		return schedulerMethod + name
	}
	return method
}

// AssignTasks tells what idle bots should do.
func (s *schedulerService) AssignTasks(ctx context.Context, m *v1.AssignTasksRequest) (*v1.AssignTasksResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	at, err := api.ToTime("time", m.Time)
	if err != nil {
		return nil, err
	}
	idle := make([]external.Worker, len(m.IdleBots))
	for i, b := range m.IdleBots {
		idle[i] = external.Worker{ID: b.GetBotId(), Labels: b.GetDimensions()}
	}
	list, err := s.external.AssignTasks(ctx, namespace, m.SchedulerId, at, idle)
	if err != nil {
		return nil, err
	}
	a := &v1.AssignTasksResponse{}
	for _, t := range list {
		a.Assignments = append(a.Assignments, &v1.TaskAssignment{
			BotId: string(t.WorkerID), TaskId: string(t.RequestID), SliceNumber: sliceNumber(t.ProvisionRequired),
		})
	}
	return a, nil
}

// sliceNumber is the slice of a task that a bot runs: the second where it is to be
// given labels first.
func sliceNumber(provision bool) int32 {
	if provision {
		return 1
	}
	return 0
}

// NotifyTasks tells how tasks stand.
func (s *schedulerService) NotifyTasks(ctx context.Context, m *v1.NotifyTasksRequest) (*v1.NotifyTasksResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	news := make([]external.News, len(m.Notifications))
	for i, n := range m.Notifications {
		news[i] = newsOf(n)
	}
	return &v1.NotifyTasksResponse{}, s.external.NotifyTasks(ctx, namespace, m.SchedulerId, news, m.IsCallback)
}

func newsOf(m *v1.NotifyTasksItem) (n external.News) {
	t := m.GetTask()
	n.Task = external.Task{ID: t.GetId(), Tags: t.GetTags(), State: external.State(t.GetState()), Worker: t.GetBotId()}
	for _, slice := range t.GetSlices() {
		n.Task.Slices = append(n.Task.Slices, slice.GetDimensions())
	}
	if n.Time, n.Wrong = api.ToTime("time", m.GetTime()); n.Wrong == nil {
		n.Task.Enqueued, n.Wrong = api.ToTime("enqueued_time", t.GetEnqueuedTime())
	}
	return n
}

// GetCancellations are the tasks that are to be stopped.
func (s *schedulerService) GetCancellations(ctx context.Context, m *v1.GetCancellationsRequest) (*v1.GetCancellationsResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	list, err := s.external.Cancellations(ctx, namespace, m.SchedulerId)
	if err != nil {
		return nil, err
	}
	a := &v1.GetCancellationsResponse{}
	for _, c := range list {
		reason := v1.GetCancellationsResponse_Cancellation_PREEMPTED
		if c.Error {
			reason = v1.GetCancellationsResponse_Cancellation_ERROR
		}
		a.Cancellations = append(a.Cancellations, &v1.GetCancellationsResponse_Cancellation{
			BotId: c.Worker, TaskId: c.Task, Reason: reason, ExtraInfo: text(c.Why),
		})
	}
	return a, nil
}

// GetCallbacks are the tasks to tell of again.
func (s *schedulerService) GetCallbacks(ctx context.Context, m *v1.GetCallbacksRequest) (*v1.GetCallbacksResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	tasks, err := s.external.Callbacks(ctx, namespace, m.SchedulerId)
	return &v1.GetCallbacksResponse{TaskIds: tasks}, err
}
