package cborrpc

import (
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// Clean makes a document that came from a client safe to give to all others. A
// client ends in disorder over a tag it does not know, so those are taken off,
// the value under them stays. What Python cannot read at all is an error: text
// that is not UTF-8, unknown simple values, keys of maps that are lists or maps.
// A document without any of that, the usual case, is returned as it is.
func (v Value) Clean() (Value, error) {
	clean, err := v.isClean()
	if err != nil || clean {
		return v, err
	}
	return v.appendClean(make([]byte, 0, len(v))), nil
}

// isClean tells whether nothing has to be taken off.
func (v Value) isClean() (bool, error) {
	h := v.head()
	switch h.major {
	case majorText:
		if s, _ := v.Str(); !utf8.ValidString(s) {
			return false, job.Errorf(job.Invalid, "a text is not UTF-8: %q", cut(s))
		}
	case majorArray:
		return allClean(v.Items())
	case majorMap:
		return v.isCleanMap()
	case majorTag:
		under := v[h.size:]
		clean, err := under.isClean()
		return clean && known(h.arg, under), err
	case majorOther:
		if _, ok := h.float(); !ok && (h.arg < simpleFalse || h.arg > simpleUndefined) {
			return false, job.Errorf(job.Invalid, "the simple value %d is not known", h.arg)
		}
	}
	return true, nil
}

func allClean(items func(yield func(Value) bool)) (bool, error) {
	all := true
	for item := range items {
		clean, err := item.isClean()
		if err != nil {
			return false, err
		}
		all = all && clean
	}
	return all, nil
}

func (v Value) isCleanMap() (bool, error) {
	all := true
	for key, value := range v.Entries() {
		if key.isNested() {
			return false, job.Errorf(job.Invalid, "a list, tuple or dictionary is the key of a dictionary")
		}
		for _, part := range [...]Value{key, value} {
			clean, err := part.isClean()
			if err != nil {
				return false, err
			}
			all = all && clean
		}
	}
	return all, nil
}

// isNested tells whether the value is a list, tuple or map, tagged or not.
func (v Value) isNested() bool {
	h := v.head()
	for h.major == majorTag {
		v = v[h.size:]
		h = v.head()
	}
	return h.major == majorArray || h.major == majorMap
}

// known tells whether a tag is one that all clients read, over the right thing.
func known(tag uint64, under Value) bool {
	h := under.head()
	switch tag {
	case tagTuple:
		return h.major == majorArray
	case tagUUID:
		return h.major == majorBytes && h.info != indefinite && h.arg == 16
	case tagBig, tagNegative:
		return h.major == majorBytes
	}
	return false
}

// appendClean appends the value without tags that are not known.
func (v Value) appendClean(b []byte) []byte {
	h := v.head()
	switch h.major {
	case majorArray:
		b = append(b, v[:h.size]...)
		for item := range v.Items() {
			b = item.appendClean(b)
		}
		return appendBreak(b, h)
	case majorMap:
		b = append(b, v[:h.size]...)
		for key, value := range v.Entries() {
			b = value.appendClean(key.appendClean(b))
		}
		return appendBreak(b, h)
	case majorTag:
		under := v[h.size:]
		if known(h.arg, under) {
			b = append(b, v[:h.size]...)
		}
		return under.appendClean(b)
	}
	return append(b, v...)
}

func appendBreak(b []byte, h head) []byte {
	if h.info == indefinite {
		b = append(b, breakByte)
	}
	return b
}

// cut is the beginning of a string, for messages.
func cut(s string) string { return s[:min(len(s), 40)] }

// WithBytes is a map in which the value under that name, if it is a text, is a
// byte string.
func (v Value) WithBytes(name string) Value {
	at := v.Get(name)
	if at == nil || !at.IsText() {
		return v
	}
	s, _ := at.Str()
	b := AppendMap(make([]byte, 0, len(v)+8), v.Len())
	for key, value := range v.Entries() {
		b = append(b, key...)
		if key.is(name) && value.IsText() {
			b = AppendBytes(b, s)
		} else {
			b = append(b, value...)
		}
	}
	return b
}
