package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/notice"
)

// ToNotice is the notice of a message, not validated. The error is Invalid and names
// the field.
func ToNotice(m *musterv1.Notice) (*notice.Notice, error) {
	n := &notice.Notice{
		Name: m.GetName(), Group: m.GetGroup(), Queue: m.GetQueue(), Account: m.GetAccount(), URL: m.GetUrl(), Paused: m.GetPaused(),
	}
	var err error
	if n.Key, err = ParseKey(m.GetKey()); err != nil {
		return nil, err
	}
	if n.On, err = notice.ParseEvents(m.GetOn()); err != nil {
		return nil, err
	}
	if n.GiveUp, err = ToDuration("give_up", m.GetGiveUp()); err != nil {
		return nil, err
	}
	if m.GetJob() != nil {
		n.Job, err = ToJob(m.Job)
	}
	return n, err
}

// FromNotice is n as a message.
func FromNotice(n *notice.Notice) *musterv1.Notice {
	m := &musterv1.Notice{
		Name: valid(n.Name), Group: valid(n.Group), Queue: valid(n.Queue), Account: valid(n.Account), Url: valid(n.URL),
		On: n.On.Words(), GiveUp: FromDuration(n.GiveUp), Paused: n.Paused,
	}
	if n.Key != "" {
		m.Key = KeyText(n.Key)
	}
	if n.Job != nil {
		m.Job = FromJob(n.Job)
	}
	return m
}
