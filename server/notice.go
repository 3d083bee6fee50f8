package server

import (
	"context"
	"slices"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
	"github.com/muster-queue/muster/server/token"
)

// AddNotice makes a notice; the answer has its secret.
func (s *noticesService) AddNotice(ctx context.Context, m *v1.AddNoticeRequest) (*v1.AddNoticeResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	n, err := readNotice(m.Notice, callerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	made, err := ns.AddNotice(audited(ctx), *n, m.Secret)
	if err != nil {
		return nil, err
	}
	return &v1.AddNoticeResponse{Notice: noticeInfo(ctx, &made), Secret: made.Secret}, nil
}

// readNotice reads the notice of a message, whose jobs the account pays for, if the
// token has one.
func readNotice(m *v1.Notice, account string) (*notice.Notice, error) {
	n, err := api.ToNotice(m)
	if err == nil && n.Job != nil {
		n.Job, err = readJob(m.GetJob(), &job.Job{}, account)
	}
	return n, err
}

// SetNotice changes a notice: as a whole, or the fields named.
func (s *noticesService) SetNotice(ctx context.Context, m *v1.SetNoticeRequest) (*v1.NoticeInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	edit, err := noticeEditor(m, callerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	return noticeAnswer(ctx)(ns.ModifyNotice(audited(ctx), m.Notice.GetName(), m.Secret, edit))
}

// noticeEditor makes of a request what changes a notice.
func noticeEditor(m *v1.SetNoticeRequest, account string) (func(*notice.Notice) error, error) {
	fields := m.UpdateMask.GetPaths()
	if len(fields) == 0 {
		given, err := readNotice(m.Notice, account)
		return func(n *notice.Notice) error {
			*n = *given
			return nil
		}, err
	}
	if err := applyMask(&v1.Notice{}, m.Notice, fields); err != nil {
		return nil, err
	}
	return func(n *notice.Notice) error {
		whole := api.FromNotice(n)
		if err := applyMask(whole, m.Notice, fields); err != nil {
			return err
		}
		// Of the two targets the new one takes the place of the other.
		switch {
		case slices.Contains(fields, "url") && whole.Url != "" && !slices.Contains(fields, "job"):
			whole.Job = nil
		case slices.Contains(fields, "job") && whole.Job != nil && !slices.Contains(fields, "url"):
			whole.Url = ""
		}
		edited, err := readNotice(whole, account)
		if err == nil {
			edited.Name = n.Name // it was named, not changed
			*n = *edited
		}
		return err
	}, nil
}

// RemoveNotice forgets a notice.
func (s *noticesService) RemoveNotice(ctx context.Context, m *v1.RemoveNoticeRequest) (*v1.RemoveNoticeResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return &v1.RemoveNoticeResponse{}, ns.RemoveNotice(audited(ctx), m.Name)
}

// GetNotice is one notice as it stands.
func (s *noticesService) GetNotice(ctx context.Context, m *v1.GetNoticeRequest) (*v1.NoticeInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return noticeAnswer(ctx)(ns.Notice(ctx, m.Name))
}

// ListNotices is a page of notices in the order of their names.
func (s *noticesService) ListNotices(ctx context.Context, m *v1.ListNoticesRequest) (*v1.ListNoticesResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("notices", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Notices(ctx, after, size)
	if err != nil {
		return nil, err
	}
	a := &v1.ListNoticesResponse{}
	for i := range list {
		a.Notices = append(a.Notices, noticeInfo(ctx, &list[i]))
	}
	if len(list) == size {
		a.NextPageToken = nextPage("notices", list[size-1].Name)
	}
	return a, nil
}

// TestNotice delivers a made-up event. That it does not arrive is no error of the
// request.
func (s *noticesService) TestNotice(ctx context.Context, m *v1.TestNoticeRequest) (*v1.TestNoticeResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	id, err := ns.TestNotice(audited(ctx), m.Name)
	if id == "" {
		return nil, err
	}
	a := &v1.TestNoticeResponse{Id: id}
	if err != nil {
		a.Error = text(err.Error())
	}
	return a, nil
}

// ListDeliveries is a page of deliveries, those of a notice in the order of their
// making.
func (s *noticesService) ListDeliveries(ctx context.Context, m *v1.ListDeliveriesRequest) (*v1.ListDeliveriesResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("deliveries", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.ListDeliveries(m.Notice, m.Dead, after, size)
	if err != nil {
		return nil, err
	}
	a := &v1.ListDeliveriesResponse{}
	for i := range list {
		d := &list[i]
		body, err := d.Body()
		if err != nil {
			return nil, err
		}
		a.Deliveries = append(a.Deliveries, &v1.Delivery{
			Id: d.ID, Notice: d.Notice, Event: d.Event.String(), At: stamp(d.At), Tries: int32(d.Tries), Next: stamp(d.Next),
			Error: text(d.Error), Body: body,
		})
	}
	if len(list) == size {
		a.NextPageToken = nextPage("deliveries", list[size-1].Place())
	}
	return a, nil
}

// maxIDs bounds the deliveries that one request names.
const maxIDs = 1000

// deliveries checks which deliveries a request means.
func (s *noticesService) deliveries(ctx context.Context, m *v1.ChangeDeliveriesRequest) (*engine.Namespace, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	switch {
	case err != nil:
		return nil, err
	case len(m.Ids) > maxIDs:
		return nil, job.Errorf(job.Invalid, "ids: %d; at most %d", len(m.Ids), maxIDs)
	case m.Notice == "" && len(m.Ids) == 0 && !m.All:
		return nil, job.Errorf(job.Invalid, "name a notice or ids, or say all")
	}
	return ns, nil
}

// RetryDeliveries tries again what was given up.
func (s *noticesService) RetryDeliveries(ctx context.Context, m *v1.ChangeDeliveriesRequest) (*v1.ChangeDeliveriesResponse, error) {
	ns, err := s.deliveries(ctx, m)
	if err != nil {
		return nil, err
	}
	n, err := ns.RetryDeliveries(ctx, m.Notice, m.Ids...)
	return &v1.ChangeDeliveriesResponse{Changed: n}, err
}

// RemoveDeliveries forgets what was given up.
func (s *noticesService) RemoveDeliveries(ctx context.Context, m *v1.ChangeDeliveriesRequest) (*v1.ChangeDeliveriesResponse, error) {
	ns, err := s.deliveries(ctx, m)
	if err != nil {
		return nil, err
	}
	n, err := ns.RemoveDeliveries(ctx, m.Notice, m.Ids...)
	return &v1.ChangeDeliveriesResponse{Changed: n}, err
}

func noticeAnswer(ctx context.Context) func(engine.NoticeState, error) (*v1.NoticeInfo, error) {
	return func(n engine.NoticeState, err error) (*v1.NoticeInfo, error) {
		if err != nil {
			return nil, err
		}
		return noticeInfo(ctx, &n), nil
	}
}

// noticeInfo is a notice as a message. A URL may have a secret in it, which only those
// see who may change it.
func noticeInfo(ctx context.Context, n *engine.NoticeState) *v1.NoticeInfo {
	m := &v1.NoticeInfo{
		Notice: api.FromNotice(&n.Notice), Made: stamp(n.Made), Pending: n.Pending, Delivered: n.Delivered, Dead: n.Dead,
		Error: text(n.Error), Last: stamp(n.Last),
	}
	if r := callerOf(ctx).Role; r != token.Admin && r != token.Operator {
		m.Notice.Url = n.Target()
	}
	return m
}
