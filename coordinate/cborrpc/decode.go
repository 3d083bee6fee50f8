package cborrpc

import (
	"math"
	"math/big"

	"github.com/muster-queue/muster/job"
)

// PythonTuple is a tuple, which Python tells from a list: CBOR tag 128 over an
// array.
type PythonTuple struct {
	Items []any
}

// UUID is a UUID, CBOR tag 37. Its version and variant are not looked at.
type UUID [16]byte

// MaxItems bounds how many items Decode makes of one value.
const MaxItems = 1 << 20

// Decode makes Go values: nil, bool, int64 (uint64 and *big.Int where it does
// not fit), float64, string for texts and []byte for byte strings, []any,
// PythonTuple, UUID, and map[string]any, or map[any]any where a key is not a
// string. Tags that are not known vanish. A value of more than MaxItems is an
// Invalid error.
func (v Value) Decode() (any, error) {
	d := decoder{left: MaxItems}
	return d.value(v)
}

type decoder struct{ left int }

func (d *decoder) value(v Value) (any, error) {
	if d.left--; d.left < 0 {
		return nil, job.Errorf(job.Invalid, "a value has more than %d items", MaxItems)
	}
	h := v.head()
	switch h.major {
	case majorUint, majorNegative:
		return whole(h), nil
	case majorBytes:
		s, _ := v.Str()
		return []byte(s), nil
	case majorText:
		s, _ := v.Str()
		return s, nil
	case majorArray:
		return d.list(v)
	case majorMap:
		return d.dictionary(v)
	case majorTag:
		return d.tagged(v, h)
	}
	if f, ok := h.float(); ok {
		return f, nil
	}
	if b, ok := v.Bool(); ok {
		return b, nil
	}
	return nil, nil
}

func whole(h head) any {
	switch {
	case h.major == majorUint && h.arg <= math.MaxInt64:
		return int64(h.arg)
	case h.major == majorUint:
		return h.arg
	case h.arg <= math.MaxInt64:
		return -1 - int64(h.arg)
	}
	n := new(big.Int).SetUint64(h.arg)
	return n.Not(n)
}

func (d *decoder) list(v Value) ([]any, error) {
	items := []any{}
	for item := range v.Items() {
		one, err := d.value(item)
		if err != nil {
			return nil, err
		}
		items = append(items, one)
	}
	return items, nil
}

func (d *decoder) tagged(v Value, h head) (any, error) {
	under := v[h.size:]
	if !known(h.arg, under) {
		return d.value(under)
	}
	switch h.arg {
	case tagTuple:
		items, err := d.list(under)
		return PythonTuple{Items: items}, err
	case tagUUID:
		return UUID(under[1:]), nil
	}
	n, _ := v.big(h)
	return n, nil
}

// dictionary is a map by strings if it can be one.
func (d *decoder) dictionary(v Value) (any, error) {
	named := map[string]any{}
	for key, value := range v.Entries() {
		name, ok := key.Str()
		if !ok {
			return d.mixed(v)
		}
		one, err := d.value(value)
		if err != nil {
			return nil, err
		}
		named[name] = one
	}
	return named, nil
}

func (d *decoder) mixed(v Value) (any, error) {
	all := map[any]any{}
	for key, value := range v.Entries() {
		k, err := d.key(key)
		if err != nil {
			return nil, err
		}
		if all[k], err = d.value(value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// key is the key of a map: a string, a number, or another plain thing.
func (d *decoder) key(v Value) (any, error) {
	if s, ok := v.Str(); ok {
		return s, nil
	}
	k, err := d.value(v)
	switch k := k.(type) {
	case nil, bool, int64, uint64, float64, UUID:
		return k, err
	case *big.Int:
		return k.String(), err
	}
	return nil, job.Errorf(job.Invalid, "a list, tuple or dictionary is the key of a dictionary")
}

// Map decodes a map by strings, as the data of specs, units and workers is; null
// is a nil map. Anything else is an Invalid error.
func (v Value) Map() (map[string]any, error) {
	if v.IsNull() || len(v) == 0 {
		return nil, nil
	}
	decoded, err := v.Decode()
	if err != nil {
		return nil, err
	}
	m, ok := decoded.(map[string]any)
	if !ok {
		return nil, job.Errorf(job.Invalid, "this must be a dictionary whose keys are strings")
	}
	return m, nil
}
