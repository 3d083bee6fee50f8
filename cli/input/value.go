package input

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// The values of fields come from JSON (string, json.Number, bool, []any,
// map[string]any) or from flags, where everything is a string or a list of them.

func wrong(want string) error { return job.Errorf(job.Invalid, "must be %s", want) }

func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", wrong(`a text, in quotes`)
	}
	return s, nil
}

// word is a string, or a number as it was written.
func word(v any, want string) (string, error) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), nil
	case json.Number:
		return v.String(), nil
	}
	return "", wrong(want)
}

func boolean(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, nil
		}
	}
	return false, wrong("true or false")
}

func number(v any) (float64, error) {
	s, err := word(v, "a number")
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, wrong("a finite number, not " + strconv.Quote(s))
	}
	return f, nil
}

func integer(v any, low, high int) (int, error) {
	want := fmt.Sprintf("a whole number between %d and %d", low, high)
	s, err := word(v, want)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, wrong(want + ", not " + s)
	}
	return n, nil
}

// texts is a list of strings; one string is a list of one.
func texts(v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return []string{s}, nil
	}
	items, ok := v.([]any)
	if !ok || len(items) > job.MaxList {
		return nil, wrong(fmt.Sprintf("a list of at most %d texts", job.MaxList))
	}
	out := make([]string, len(items))
	for i, item := range items {
		s, err := text(item)
		if err != nil {
			return nil, wrong("a list of texts")
		}
		out[i] = s
	}
	return out, nil
}

// pairs are NAME=value settings: a list of such texts or an object. They come
// in the order given, those of an object sorted.
func pairs(v any) ([][2]string, error) {
	if m, ok := v.(map[string]any); ok {
		return objectPairs(m)
	}
	list, err := texts(v)
	if err != nil {
		return nil, wrong(`a list of "NAME=value" or an object`)
	}
	out := make([][2]string, len(list))
	for i, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, job.Errorf(job.Invalid, "%q is not of the form NAME=value", s)
		}
		out[i] = [2]string{name, value}
	}
	return out, nil
}

func objectPairs(m map[string]any) ([][2]string, error) {
	out := make([][2]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value, err := word(m[name], "a text or a number")
		if err != nil || name == "" {
			return nil, job.Errorf(job.Invalid, "%q must be a text or a number", name)
		}
		if s, ok := m[name].(string); ok {
			value = s // with its blanks
		}
		out = append(out, [2]string{name, value})
	}
	return out, nil
}

// amount reads an amount of a resource as a person gives it.
func amount(name string, v any) (int64, error) {
	s, err := word(v, "an amount")
	if err != nil {
		return 0, err
	}
	return job.ParseGivenAmount(name, s)
}

// size reads a number of bytes, "64K".
func size(v any) (int64, error) { return amount(job.Memory, v) }

func duration(v any) (time.Duration, error) {
	s, err := text(v)
	if err != nil {
		return 0, wrong(`a time with its unit, e.g. "90s", "1h30m" or "2d"`)
	}
	return ParseTime(s)
}

// ParseTime reads a length of time, see job.ParseDuration.
func ParseTime(s string) (time.Duration, error) { return job.ParseDuration(s) }

// oneOf is the index of a word in a list; its number in the list does as well.
func oneOf(v any, words ...string) (int, error) {
	want := "one of " + strings.Join(words, ", ")
	s, err := word(v, want)
	if err != nil {
		return 0, err
	}
	for i, w := range words {
		if s == w || s == strconv.Itoa(i) {
			return i, nil
		}
	}
	return 0, wrong(want + ", not " + strconv.Quote(s))
}

// ParseWhole reads a whole number.
func ParseWhole(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return 0, wrong("a whole number, not " + strconv.Quote(s))
	}
	return n, nil
}

// ParseAmount reads an amount of a resource; bytes need a unit.
func ParseAmount(name, s string) (int64, error) { return amount(name, s) }
