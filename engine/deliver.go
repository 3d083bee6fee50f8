package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

const (
	// sendTimeout bounds a try, whatever the sender does.
	sendTimeout = 20 * time.Second
	// maxDead bounds the deliveries of one notice that were given up and are kept.
	maxDead = 10_000
	// maxDeliveryError bounds what is kept of why a try failed.
	maxDeliveryError = 500
)

// deliver tries a delivery once and stores what came of it.
func (n *Namespace) deliver(ctx context.Context, name, key string) outcome {
	d, err := n.delivery(roomOut, key)
	if err != nil {
		return n.courier.troubled(key, err)
	}
	if d == nil {
		return outcome{over: true}
	}
	s, err := n.Notice(ctx, name)
	switch {
	case job.IsKind(err, job.NotFound): // removed
		if err := n.PutDocuments(ctx, []job.Document{{Room: roomOut, Key: key, Gone: true}}); err != nil {
			return n.courier.troubled(key, err)
		}
		return outcome{over: true}
	case err != nil:
		return n.courier.troubled(key, err)
	case s.Paused:
		return outcome{hold: true}
	}
	if now := n.cfg.Clock.Wall(); d.Next.Std().After(now) { // it was tried before a restart
		return outcome{again: d.Next.Std().Sub(now)}
	}
	if err := n.fillKey(d); err != nil {
		return n.courier.troubled(key, err)
	}
	err = n.send(ctx, &s, d)
	if ctx.Err() != nil {
		return n.courier.troubled(key, ctx.Err())
	}
	return n.settleDelivery(ctx, &s, d, err)
}

// delivery reads one; nil if there is none.
func (n *Namespace) delivery(room, key string) (d *notice.Delivery, err error) {
	var bad error
	err = n.store.Documents(room, key, func(k string, body []byte) bool {
		if k == key {
			d = &notice.Delivery{}
			bad = job.Decode(body, d)
		}
		return false
	})
	return d, errors.Join(err, bad)
}

// fillKey reads the key of the job that a delivery is about.
func (n *Namespace) fillKey(d *notice.Delivery) error {
	if d.KeyKnown {
		return nil
	}
	bodies, err := n.store.Payloads([]job.PayloadRef{{Seq: d.Seq, Version: d.Version}})
	if err != nil {
		return err
	}
	if d.KeyKnown = true; bodies[0].Body == nil {
		return nil // deleted since: it is known by its id
	}
	var j job.Job
	if err := job.Decode(bodies[0].Body, &j); err != nil {
		return err
	}
	d.Facts.Key = j.Key.Text()
	return nil
}

// send sends a delivery once, or adds its job. A job that is there already was added
// by a try whose end was not heard.
func (n *Namespace) send(ctx context.Context, s *NoticeState, d *notice.Delivery) error {
	body, err := d.Body()
	if err != nil {
		return err
	}
	if s.Job != nil {
		_, err := n.Add(ctx, AddRequest{Jobs: []*job.Job{s.JobFor(d, body)}, Wait: true})
		return err
	}
	if n.cfg.Webhook == nil {
		return job.Errorf(job.Unimplemented, "this program does not send anything to URLs")
	}
	secret, err := notice.ParseSecret(s.Secret)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return n.cfg.Webhook(ctx, &notice.Message{URL: s.URL, ID: d.ID, Body: body, Secret: secret})
}

// settleDelivery stores what came of a try: the delivery is over, or is tried again, or
// is given up.
func (n *Namespace) settleDelivery(ctx context.Context, s *NoticeState, d *notice.Delivery, failed error) outcome {
	o := outcome{over: true, sent: 1}
	docs := []job.Document{{Room: roomOut, Key: d.Place(), Gone: true}}
	if failed != nil {
		o = n.judgeDelivery(s, d, failed)
		body, err := job.Encode(nil, d)
		if err != nil {
			return n.courier.troubled(d.Place(), err)
		}
		kept := job.Document{Room: roomOut, Key: d.Place(), Body: body}
		if docs[0] = kept; o.over {
			docs[0].Gone, docs[0].Body = true, nil
			kept.Room = roomDead
			docs = append(append(docs, n.tooManyDead(s)...), kept)
		}
	}
	_, err := call(ctx, n, normal, func(w *writer) (struct{}, error) {
		now := w.notices.all[s.Name]
		if now == nil { // removed meanwhile, with all that was to be delivered
			w.documents = append(w.documents, job.Document{Room: roomOut, Key: d.Place(), Gone: true})
			return struct{}{}, nil
		}
		w.documents = append(w.documents, docs...)
		return struct{}{}, w.noteDelivery(*now, d, &o)
	})
	if err != nil {
		return n.courier.troubled(d.Place(), err)
	}
	return o
}

// tooManyDead is the oldest delivery of a notice that was given up, to be forgotten when
// there are too many.
func (n *Namespace) tooManyDead(s *NoticeState) (gone []job.Document) {
	if s.Dead < maxDead {
		return nil
	}
	count, first := 0, ""
	_ = n.store.Documents(roomDead, s.Name+"/", func(key string, _ []byte) bool { // else it is forgotten at the next
		if count++; count == 1 {
			first = key
		}
		return count < maxDead
	})
	if count < maxDead {
		return nil
	}
	return []job.Document{{Room: roomDead, Key: first, Gone: true}}
}

// judgeDelivery says what follows a try that failed.
func (n *Namespace) judgeDelivery(s *NoticeState, d *notice.Delivery, failed error) outcome {
	now := n.cfg.Clock.Wall()
	d.Tries++
	d.Error = text(fmt.Sprintf("%.*s", maxDeliveryError, failed.Error()))
	pause := notice.Backoff.Delay(d.Tries-1, rand.Float64())
	refused, ok := errors.AsType[*notice.Refusal](failed)
	if ok {
		pause = max(pause, refused.After)
	}
	if ok && refused.Final || now.Add(pause).Sub(d.Since.Std()) > cmp.Or(s.GiveUp, notice.DefaultGiveUp) {
		d.Next = 0
		return outcome{over: true, failed: 1, dead: 1}
	}
	d.Next = job.TimeOf(now.Add(pause))
	return outcome{again: pause, failed: 1}
}

// noteDelivery keeps with the notice what came of a try.
func (w *writer) noteDelivery(s NoticeState, d *notice.Delivery, o *outcome) error {
	s.Delivered += o.sent
	s.Dead += o.dead
	if s.Error = ""; o.sent == 0 {
		s.Error = d.Error
	} else {
		s.Last = w.state.Now()
	}
	return w.keepNotice(&s)
}

// TestNotice delivers a made-up event at once, once. It returns the id; the error is
// why it did not arrive. Errors: NotFound, what the sender says.
func (n *Namespace) TestNotice(ctx context.Context, name string) (id string, err error) {
	var d *notice.Delivery
	s, err := call(ctx, n, normal, func(w *writer) (NoticeState, error) {
		s := w.notices.all[name]
		if s == nil {
			return NoticeState{}, errNoNotice(name)
		}
		d = w.newDelivery(name, notice.Test, w.state.Now())
		w.record(job.EventRow{Kind: job.EventNoticeTested, Who: whoOf(ctx), Details: map[string]string{"notice": name}})
		return *s, nil
	})
	if err != nil {
		return "", err
	}
	return d.ID, n.send(ctx, &s, d)
}

// ListDeliveries are at most limit deliveries to be made, or with dead those that were
// given up, of a notice or of all (empty), after a place. The bodies are as they are sent.
func (n *Namespace) ListDeliveries(name string, dead bool, after string, limit int) (list []notice.Delivery, err error) {
	prefix := ""
	if name != "" {
		prefix = name + "/"
	}
	var bad error
	err = n.Documents(outRoom(dead), prefix, func(key string, body []byte) bool {
		if key <= after {
			return true
		}
		var d notice.Delivery
		if bad = job.Decode(body, &d); bad == nil {
			bad = n.fillKey(&d)
		}
		list = append(list, d)
		return bad == nil && len(list) < limit
	})
	return list, errors.Join(err, bad)
}

func outRoom(dead bool) string {
	if dead {
		return roomDead
	}
	return roomOut
}

// RetryDeliveries tries again those deliveries that were given up: all of a notice, or
// (name empty) of all notices, or of those the ones of the ids if there are any. It
// returns how many.
func (n *Namespace) RetryDeliveries(ctx context.Context, name string, ids ...string) (int64, error) {
	return n.changeDead(ctx, name, ids, true)
}

// RemoveDeliveries forgets deliveries that were given up; which, is as in
// RetryDeliveries.
func (n *Namespace) RemoveDeliveries(ctx context.Context, name string, ids ...string) (int64, error) {
	return n.changeDead(ctx, name, ids, false)
}

func (n *Namespace) changeDead(ctx context.Context, name string, ids []string, again bool) (changed int64, err error) {
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	for after := ""; ; {
		page, err := n.ListDeliveries(name, true, after, MaxPage)
		if err != nil || len(page) == 0 {
			return changed, err
		}
		after = page[len(page)-1].Place()
		var docs []job.Document
		var places []*notice.Delivery
		for i := range page {
			d := &page[i]
			if len(ids) > 0 && !wanted[d.ID] {
				continue
			}
			docs = append(docs, job.Document{Room: roomDead, Key: d.Place(), Gone: true})
			d.Tries, d.Next, d.Error, d.Since = 0, 0, "", job.TimeOf(n.cfg.Clock.Wall())
			body, err := job.Encode(nil, d)
			if err != nil {
				return changed, err
			}
			if again {
				docs = append(docs, job.Document{Room: roomOut, Key: d.Place(), Body: body})
			}
			places = append(places, d)
		}
		if len(docs) == 0 {
			continue
		}
		if err := n.PutDocuments(ctx, docs); err != nil {
			return changed, err
		}
		changed += int64(len(places))
		for _, d := range places {
			if again {
				n.courier.offer(d.Notice, d.Place(), 0)
			}
		}
	}
}
