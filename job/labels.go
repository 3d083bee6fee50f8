package job

import (
	"slices"
	"strings"
	"unicode"
)

// Labels are strings "key:value" of a worker, or the ones a job asks for. Of one
// key there may be several. The key ends at the first colon.
type Labels []string

// SubsetOf reports whether all labels are in have.
func (l Labels) SubsetOf(have Labels) bool {
	for _, x := range l {
		if !slices.Contains(have, x) {
			return false
		}
	}
	return true
}

// Sorted is a sorted copy without repetitions.
func (l Labels) Sorted() Labels {
	c := slices.Clone(l)
	slices.Sort(c)
	return slices.Compact(c)
}

// With is both sets of labels; l itself when there is nothing to add.
func (l Labels) With(more Labels) Labels {
	if len(more) == 0 {
		return l
	}
	return append(slices.Clip(l), more...).Sorted()
}

// Without are the labels that are not in have.
func (l Labels) Without(have Labels) Labels {
	var lacking Labels
	for _, x := range l {
		if !slices.Contains(have, x) {
			lacking = append(lacking, x)
		}
	}
	return lacking
}

// OfKey are the labels with a key.
func (l Labels) OfKey(key string) Labels {
	var some Labels
	for _, x := range l {
		if LabelKey(x) == key {
			some = append(some, x)
		}
	}
	return some
}

// LabelKey is the key of a label: what is before the first colon.
func LabelKey(label string) string {
	key, _, _ := strings.Cut(label, ":")
	return key
}

// Validate checks labels: at most MaxList, each a key and a value with a colon
// between them. The error is Invalid and begins with the field.
func (l Labels) Validate(field string) error {
	if len(l) > MaxList {
		return Errorf(Invalid, "%s: %d labels; at most %d", field, len(l), MaxList)
	}
	for _, x := range l {
		if err := checkLabel(field, x); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(field, label string) error {
	if err := checkText(field, label); err != nil {
		return err
	}
	key, value, colon := strings.Cut(label, ":")
	switch {
	case !colon:
		return Errorf(Invalid, "%s: %q is not of the form KEY:VALUE, such as disk:ssd", field, label)
	case key == "" || value == "":
		return Errorf(Invalid, "%s: %q has no text before or after the colon; a label is KEY:VALUE, such as disk:ssd", field, label)
	case strings.IndexFunc(label, unicode.IsSpace) >= 0:
		return Errorf(Invalid, "%s: %q has a blank in it; use a dash, labels are compared letter by letter", field, label)
	}
	return nil
}

// Label is a label made of a key and any text: what cannot be in a label becomes
// a dash ("gpu", "NVIDIA A100" is gpu:NVIDIA-A100). It is empty if nothing is left.
func Label(key, text string) string {
	words := strings.FieldsFunc(strings.ToValidUTF8(text, " "), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	})
	label := key + ":" + strings.Join(words, "-")
	if len(words) == 0 {
		return ""
	}
	if len(label) > MaxName {
		label = strings.ToValidUTF8(label[:MaxName], "")
	}
	return label
}
