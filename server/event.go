package server

import (
	"context"
	"strconv"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// ListEvents is a page of a namespace's logs, the newest first.
func (s *eventsService) ListEvents(ctx context.Context, m *v1.ListEventsRequest) (*v1.ListEventsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	r, err := eventsRequest(m)
	if err != nil {
		return nil, err
	}
	rows, next, err := ns.Events(ctx, r)
	if err != nil {
		return nil, err
	}
	a := &v1.ListEventsResponse{Events: make([]*v1.Event, len(rows))}
	for i := range rows {
		a.Events[i] = event(&rows[i])
	}
	if next != 0 {
		a.NextPageToken = nextPage("events", strconv.FormatUint(next, 10))
	}
	return a, nil
}

func eventsRequest(m *v1.ListEventsRequest) (engine.EventsRequest, error) {
	given := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	r := engine.EventsRequest{
		Kinds: m.Kinds, Audit: m.Audit, Pool: m.Pool,
		Account: given(m.Account), Task: given(m.Task), Worker: given(m.Worker), Who: given(m.Who),
	}
	var err error
	if r.Since, err = api.ToTime("since", m.Since); err != nil {
		return r, err
	}
	if r.Until, err = api.ToTime("until", m.Until); err != nil {
		return r, err
	}
	before, size, err := pageOf("events", m.PageToken, m.PageSize)
	if r.Limit = size; err != nil || before == "" {
		return r, err
	}
	if r.Before, err = strconv.ParseUint(before, 10, 64); err != nil {
		return r, job.Errorf(job.Invalid, "page_token: not one that this server gave out")
	}
	return r, nil
}

// event is an entry as a message.
func event(e *job.EventRow) *v1.Event {
	m := &v1.Event{
		Number: e.N, Time: stamp(e.At), Kind: e.Kind, Text: e.Kind, Audit: e.Log() == job.AuditLog,
		Pool: text(e.Pool), Account: text(e.Account), Task: text(e.Task), Worker: text(e.Worker), Who: text(e.Who),
	}
	if kind, err := job.EventKindOf(e.Kind); err == nil { // else of a newer muster
		m.Text = kind.Text
	}
	if len(e.Details) > 0 {
		m.Details = make(map[string]string, len(e.Details))
	}
	for name, value := range e.Details {
		m.Details[name] = text(value)
	}
	return m
}

// note tells the log of a namespace (none: the default one) what was changed beside
// it. The change is made: when it cannot be told there, the server's own log has it.
func (s *Server) note(ctx context.Context, namespace, kind string, details map[string]string) {
	ns, err := s.engine.Namespace(ctx, namespace)
	if err == nil {
		err = ns.Record(context.WithoutCancel(ctx), job.EventRow{Kind: kind, Who: who(ctx), Details: details})
	}
	if err != nil {
		s.log.Warn("a change is missing in the log of its namespace", "namespace", namespace, "kind", kind, "who", who(ctx), "details", details, "err", err)
	}
}
