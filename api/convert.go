package api

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// reader converts fields of messages and keeps the first error, so that each
// field does not need a branch of its own.
type reader struct{ err error }

// read has the value of a conversion and keeps its error.
func read[T any](r *reader, convert func(string) (T, error), text string) T {
	v, err := convert(text)
	r.keep(err)
	return v
}

func (r *reader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) duration(field string, m *durationpb.Duration) time.Duration {
	d, err := ToDuration(field, m)
	r.keep(err)
	return d
}

func (r *reader) time(field string, m *timestamppb.Timestamp) time.Time {
	t, err := ToTime(field, m)
	r.keep(err)
	return t
}

// each converts the items of a list; nil for an empty one.
func each[A, B any](list []A, convert func(*A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i := range list {
		out[i] = convert(&list[i])
	}
	return out
}

// eachOf is each for lists of messages; a missing item is an empty one.
func eachOf[A, B any](list []*A, convert func(*A) B) []B {
	return each(list, func(a **A) B {
		if *a == nil {
			return convert(new(A))
		}
		return convert(*a)
	})
}

// writer converts texts for messages, which can carry UTF-8 only; it remembers
// whether something had to be replaced.
type writer struct{ lossy bool }

func (w *writer) text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	w.lossy = true
	return valid(s)
}

func (w *writer) texts(list []string) []string {
	for i := range list {
		if !utf8.ValidString(list[i]) {
			return each(list, func(s *string) string { return w.text(*s) })
		}
	}
	return list
}

// amounts is r as a message can carry it: resource names are UTF-8.
func (w *writer) amounts(r map[string]int64) map[string]int64 {
	for name := range r {
		if !utf8.ValidString(name) {
			out := make(map[string]int64, len(r))
			for name, v := range r {
				out[w.text(name)] = v
			}
			return out
		}
	}
	return r
}
