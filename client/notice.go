package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

// NoticeInfo is a notice as it stands.
type NoticeInfo struct {
	notice.Notice
	Made time.Time
	// Pending are deliveries to be made, Delivered those made, Dead those given up.
	Pending, Delivered, Dead int64
	// Error is what went wrong at the last try, if it did; Last when something was
	// delivered last.
	Error string
	Last  time.Time
}

// Delivery is a piece of news on its way, or given up.
type Delivery struct {
	ID, Notice, Event string
	At                time.Time
	// Tries were made; Next is when the next is, Error what the last came to.
	Tries int
	Next  time.Time
	Error string
	// Body is what is sent, in JSON.
	Body string
}

// AddNotice makes a notice and returns its secret, which is made if none is given and
// never shown again. Errors: Invalid, Exists.
func (n *Namespace) AddNotice(ctx context.Context, note *notice.Notice, secret string) (*NoticeInfo, string, error) {
	if secret == "" {
		secret = notice.NewSecret() // so that a repeat has the same
	}
	m, err := callOnce(ctx, n.c, n.c.notices.AddNotice, &musterv1.AddNoticeRequest{Namespace: n.name, Notice: api.FromNotice(note), Secret: secret})
	if err != nil {
		return nil, "", err
	}
	i, err := toNoticeInfo(m.Notice)
	return i, m.Secret, err
}

// SetNotice changes the named fields of a notice: group, queue, account, key, on, url,
// job, give_up, paused; and its secret, unless that is empty. Errors: NotFound, Invalid.
func (n *Namespace) SetNotice(ctx context.Context, note *notice.Notice, secret string, fields ...string) (*NoticeInfo, error) {
	request := &musterv1.SetNoticeRequest{Namespace: n.name, Notice: api.FromNotice(note), Secret: secret}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return noticeInfo(call(ctx, n.c, n.c.notices.SetNotice, request))
}

// RemoveNotice forgets a notice and what it has yet to deliver. Errors: NotFound.
func (n *Namespace) RemoveNotice(ctx context.Context, name string) error {
	_, err := callOnce(ctx, n.c, n.c.notices.RemoveNotice, &musterv1.RemoveNoticeRequest{Namespace: n.name, Name: name})
	return err
}

// Notice is one notice as it stands. Errors: NotFound.
func (n *Namespace) Notice(ctx context.Context, name string) (*NoticeInfo, error) {
	return noticeInfo(call(ctx, n.c, n.c.notices.GetNotice, &musterv1.GetNoticeRequest{Namespace: n.name, Name: name}))
}

// Notices lists the notices in order of names.
func (n *Namespace) Notices(ctx context.Context) iter.Seq2[*NoticeInfo, error] {
	return pages(func(token string) ([]*NoticeInfo, string, error) {
		m, err := call(ctx, n.c, n.c.notices.ListNotices, &musterv1.ListNoticesRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Notices, toNoticeInfo)
		return list, m.NextPageToken, err
	})
}

// TestNotice delivers a made-up event and returns its id; why it did not arrive is the
// error, of kind Unavailable. Errors: NotFound.
func (n *Namespace) TestNotice(ctx context.Context, name string) (string, error) {
	m, err := callOnce(ctx, n.c, n.c.notices.TestNotice, &musterv1.TestNoticeRequest{Namespace: n.name, Name: name})
	if err == nil && m.Error != "" {
		err = job.Errorf(job.Unavailable, "it did not arrive: %s", m.Error)
	}
	return m.GetId(), err
}

// Deliveries lists what is to be delivered or, with dead, what was given up, of a
// notice or of all (empty).
func (n *Namespace) Deliveries(ctx context.Context, name string, dead bool) iter.Seq2[*Delivery, error] {
	return pages(func(token string) ([]*Delivery, string, error) {
		m, err := call(ctx, n.c, n.c.notices.ListDeliveries, &musterv1.ListDeliveriesRequest{
			Namespace: n.name, Notice: name, Dead: dead, PageSize: maxPage, PageToken: token,
		})
		if err != nil {
			return nil, "", err
		}
		return each(m.Deliveries, toDelivery), m.NextPageToken, nil
	})
}

// RetryDeliveries tries again what was given up, of a notice or of all (empty): all
// of it, or the ids named. It tells how many there were.
func (n *Namespace) RetryDeliveries(ctx context.Context, name string, ids ...string) (int64, error) {
	m, err := call(ctx, n.c, n.c.notices.RetryDeliveries, n.deliveries(name, ids))
	return m.GetChanged(), err
}

// RemoveDeliveries forgets what was given up; see RetryDeliveries.
func (n *Namespace) RemoveDeliveries(ctx context.Context, name string, ids ...string) (int64, error) {
	m, err := call(ctx, n.c, n.c.notices.RemoveDeliveries, n.deliveries(name, ids))
	return m.GetChanged(), err
}

func (n *Namespace) deliveries(name string, ids []string) *musterv1.ChangeDeliveriesRequest {
	return &musterv1.ChangeDeliveriesRequest{Namespace: n.name, Notice: name, Ids: ids, All: name == "" && len(ids) == 0}
}

func noticeInfo(m *musterv1.NoticeInfo, err error) (*NoticeInfo, error) {
	if err != nil {
		return nil, err
	}
	return toNoticeInfo(m)
}

func toNoticeInfo(m *musterv1.NoticeInfo) (*NoticeInfo, error) {
	n, err := api.ToNotice(m.Notice)
	if err != nil {
		return nil, answered(err)
	}
	return &NoticeInfo{
		Notice: *n, Made: stamp(m.Made), Pending: m.Pending, Delivered: m.Delivered, Dead: m.Dead, Error: m.Error, Last: stamp(m.Last),
	}, nil
}

func toDelivery(m *musterv1.Delivery) *Delivery {
	return &Delivery{
		ID: m.Id, Notice: m.Notice, Event: m.Event, At: stamp(m.At), Tries: int(m.Tries), Next: stamp(m.Next), Error: m.Error, Body: m.Body,
	}
}
