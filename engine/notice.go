package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

// MaxNotices is how many notices a namespace may have.
const MaxNotices = 1000

// The rooms of notices, by name, and of deliveries, by the name of their notice and
// their id: those to be made, and those that were given up.
const (
	roomNotices = "notice"
	roomOut     = "notice-out"
	roomDead    = "notice-dead"
)

// NoticeState is a notice as it stands.
type NoticeState struct {
	notice.Notice
	// Body is its job, encoded, if it adds one.
	Body []byte `cbor:"20,keyasint,omitempty"`
	// Secret is what deliveries are signed with, as text.
	Secret string   `cbor:"21,keyasint,omitempty"`
	Made   job.Time `cbor:"22,keyasint"`
	// Delivered and Dead count deliveries made and given up, Last is when the last was
	// made, Error what went wrong at the last try, if it did.
	Delivered int64    `cbor:"23,keyasint,omitempty"`
	Dead      int64    `cbor:"24,keyasint,omitempty"`
	Last      job.Time `cbor:"25,keyasint,omitempty"`
	Error     string   `cbor:"26,keyasint,omitempty"`
	// Pending are deliveries to be made.
	Pending int64 `cbor:"27,keyasint,omitempty"`
}

// notices are those of a namespace.
type notices struct {
	all map[string]*NoticeState
	// book finds those that something concerns; nil while there are none.
	book *notice.Book
	// made counts deliveries, for their ids. It is not forgotten when the namespace is
	// loaded again in the same incarnation.
	made uint64
}

// loadNotices reads the notices, and has the courier deliver what is to be.
func (w *writer) loadNotices() error {
	w.notices = notices{all: map[string]*NoticeState{}, made: w.notices.made}
	var bad error
	err := w.ns.store.Documents(roomNotices, "", func(name string, body []byte) bool {
		s := &NoticeState{}
		if bad = s.decode(body); bad == nil {
			w.notices.all[name] = s
		}
		return bad == nil
	})
	if err = cmp.Or(err, bad); err == nil {
		w.bindNotices()
		err = w.ns.courier.load()
	}
	return job.Wrap(err, "load the notices of namespace", w.ns.name)
}

func (s *NoticeState) decode(body []byte) error {
	err := job.Decode(body, s)
	if err == nil && len(s.Body) > 0 {
		s.Job = new(job.Job)
		err = job.Decode(s.Body, s.Job)
	}
	return err
}

// bindNotices makes the book anew.
func (w *writer) bindNotices() {
	w.notices.book = nil
	if len(w.notices.all) == 0 {
		return
	}
	all := make(map[string]*notice.Notice, len(w.notices.all))
	for name, s := range w.notices.all {
		all[name] = &s.Notice
	}
	w.notices.book = notice.NewBook(all)
}

// keepNotice keeps a notice in the place of the one of its name, durably with this
// turn.
func (w *writer) keepNotice(s *NoticeState) error {
	w.notices.all[s.Name] = s
	body, err := job.Encode(nil, s)
	w.documents = append(w.documents, job.Document{Room: roomNotices, Key: s.Name, Body: body})
	return err
}

// AddNotice makes a notice: it is told of what happens from now on. Without a secret
// one is made; the answer has it. Errors: Invalid, Exists, Exhausted.
func (n *Namespace) AddNotice(ctx context.Context, note notice.Notice, secret string) (NoticeState, error) {
	if secret == "" {
		secret = notice.NewSecret()
	}
	s := &NoticeState{Notice: note, Secret: secret}
	if err := s.check(); err != nil {
		return NoticeState{}, err
	}
	return call(ctx, n, normal, func(w *writer) (NoticeState, error) {
		switch {
		case w.notices.all[s.Name] != nil:
			return NoticeState{}, job.Errorf(job.Exists, "add notice %s: there is one of that name", s.Name)
		case len(w.notices.all) >= MaxNotices:
			return NoticeState{}, job.Errorf(job.Exhausted, "add notice %s: there are %d already, which is as many as a namespace may have", s.Name, MaxNotices)
		}
		s.Made = w.state.Now()
		w.record(job.EventRow{Kind: job.EventNoticeAdded, Who: whoOf(ctx), Details: s.Settings()})
		err := w.keepNotice(s)
		w.bindNotices()
		return *s, err
	})
}

// check reads what was set.
func (s *NoticeState) check() error {
	if err := s.Validate(); err != nil {
		return err
	}
	if _, err := notice.ParseSecret(s.Secret); err != nil {
		return err
	}
	s.Body = nil
	if s.Job == nil {
		return nil
	}
	if _, err := prepare(s.JobFor(&notice.Delivery{ID: "msg", Notice: s.Name}, "{}")); err != nil {
		return job.Wrap(err, "the job of notice", s.Name)
	}
	var err error
	s.Body, err = job.Encode(nil, s.Job)
	return err
}

// ModifyNotice changes a notice: edit gets its settings, and may change all but the
// name; it must not write into the job, but may set another. A secret that is not
// empty takes the place of the one there is. What is to be delivered goes where the
// notice then says. Errors: NotFound, Invalid, what edit says.
func (n *Namespace) ModifyNotice(ctx context.Context, name, secret string, edit func(*notice.Notice) error) (NoticeState, error) {
	return call(ctx, n, normal, func(w *writer) (NoticeState, error) {
		old := w.notices.all[name]
		if old == nil {
			return NoticeState{}, errNoNotice(name)
		}
		s := *old
		if err := edit(&s.Notice); err != nil {
			return NoticeState{}, err
		}
		if s.Name != name {
			return NoticeState{}, job.Errorf(job.Invalid, "notice %s cannot be renamed; add another one", name)
		}
		changed := job.Differences(old.Settings(), s.Settings())
		if secret != "" && secret != s.Secret {
			s.Secret = secret
			changed["secret"] = "another one"
		}
		if err := s.check(); err != nil {
			return NoticeState{}, err
		}
		if len(changed) > 0 {
			changed["notice"] = name
			w.record(job.EventRow{Kind: job.EventNoticeChanged, Who: whoOf(ctx), Details: changed})
		}
		err := w.keepNotice(&s)
		w.bindNotices()
		w.later(func() { n.courier.resume(name) })
		return w.noticeNow(&s), err
	})
}

// RemoveNotice forgets a notice with all it has yet to deliver, or could not. Errors:
// NotFound.
func (n *Namespace) RemoveNotice(ctx context.Context, name string) error {
	_, err := call(ctx, n, normal, func(w *writer) (struct{}, error) {
		s := w.notices.all[name]
		if s == nil {
			return struct{}{}, errNoNotice(name)
		}
		delete(w.notices.all, name)
		w.bindNotices()
		w.documents = append(w.documents, job.Document{Room: roomNotices, Key: name, Gone: true})
		w.record(job.EventRow{Kind: job.EventNoticeRemoved, Who: whoOf(ctx), Details: s.Settings()})
		return struct{}{}, nil
	})
	if err != nil {
		return err
	}
	for _, room := range []string{roomOut, roomDead} {
		if err := n.clearDeliveries(ctx, room, name); err != nil {
			return err
		}
	}
	return nil
}

// clearDeliveries deletes the deliveries of a notice in steps.
func (n *Namespace) clearDeliveries(ctx context.Context, room, name string) error {
	for {
		var gone []job.Document
		err := n.store.Documents(room, name+"/", func(key string, _ []byte) bool {
			gone = append(gone, job.Document{Room: room, Key: key, Gone: true})
			return len(gone) < MaxPage
		})
		if err != nil || len(gone) == 0 {
			return err
		}
		if err := n.PutDocuments(ctx, gone); err != nil {
			return err
		}
		for i := range gone {
			n.courier.forget(name, gone[i].Key)
		}
	}
}

// Notice is one notice as it stands, with its secret. Errors: NotFound.
func (n *Namespace) Notice(ctx context.Context, name string) (NoticeState, error) {
	return call(ctx, n, normal, func(w *writer) (NoticeState, error) {
		s := w.notices.all[name]
		if s == nil {
			return NoticeState{}, errNoNotice(name)
		}
		return w.noticeNow(s), nil
	})
}

// Notices are at most limit notices in order of names, those after a name.
func (n *Namespace) Notices(ctx context.Context, after string, limit int) ([]NoticeState, error) {
	return call(ctx, n, normal, func(w *writer) ([]NoticeState, error) {
		var all []NoticeState
		for _, name := range slices.Sorted(maps.Keys(w.notices.all)) {
			if name > after && len(all) < limit {
				all = append(all, w.noticeNow(w.notices.all[name]))
			}
		}
		return all, nil
	})
}

func (w *writer) noticeNow(s *NoticeState) NoticeState {
	now := *s
	now.Pending = w.ns.courier.pending(s.Name)
	return now
}

func errNoNotice(name string) error {
	return job.Errorf(job.NotFound, "there is no notice %q", name)
}
