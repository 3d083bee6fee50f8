package cborrpc

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"

	"github.com/muster-queue/muster/job"
)

// Encode makes the CBOR of a Go value: what Decode returns, a Value as it is,
// and any bool, number, string, slice, array, pointer or map. Strings become
// texts, or byte strings where they are not UTF-8. Maps are written in the order
// of their keys. Anything else is an Invalid error that names its type.
func Encode(v any) (Value, error) { return appendAny(nil, v, MaxDepth) }

func appendAny(b []byte, v any, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, errDeep
	}
	switch v := v.(type) {
	case nil:
		return append(b, Null...), nil
	case Value:
		if len(v) == 0 {
			return append(b, Null...), nil
		}
		return append(b, v...), nil
	case []byte:
		return AppendBytes(b, v), nil
	case string:
		return AppendString(b, v), nil
	case PythonTuple:
		return appendItems(appendHead(b, majorTag, tagTuple), v.Items, depth)
	case UUID:
		return AppendBytes(appendHead(b, majorTag, tagUUID), v[:]), nil
	case *big.Int:
		return appendBig(b, v), nil
	case []any:
		return appendItems(b, v, depth)
	case map[string]any:
		return appendNamed(b, v, depth)
	}
	return appendReflected(b, reflect.ValueOf(v), depth)
}

func appendItems(b []byte, items []any, depth int) (_ []byte, err error) {
	b = AppendList(b, len(items))
	for _, item := range items {
		if b, err = appendAny(b, item, depth-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendNamed(b []byte, m map[string]any, depth int) (_ []byte, err error) {
	if m == nil {
		return append(b, Null...), nil
	}
	b = AppendMap(b, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if b, err = appendAny(AppendString(b, name), m[name], depth-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// appendBig writes a whole number, as a tagged string only where it has to be.
func appendBig(b []byte, n *big.Int) []byte {
	switch {
	case n == nil:
		return append(b, Null...)
	case n.IsInt64():
		return AppendInt(b, n.Int64())
	case n.IsUint64():
		return appendHead(b, majorUint, n.Uint64())
	case n.Sign() > 0:
		return AppendBytes(appendHead(b, majorTag, tagBig), n.Bytes())
	}
	not := new(big.Int).Not(n)
	if not.IsUint64() {
		return appendHead(b, majorNegative, not.Uint64())
	}
	return AppendBytes(appendHead(b, majorTag, tagNegative), not.Bytes())
}

// appendReflected writes what is of a named or less usual type.
func appendReflected(b []byte, v reflect.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case reflect.Bool:
		return AppendBool(b, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return AppendInt(b, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return appendHead(b, majorUint, v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return AppendFloat(b, v.Float()), nil
	case reflect.String:
		return AppendString(b, v.String()), nil
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, Null...), nil
		}
		return appendAny(b, v.Elem().Interface(), depth-1)
	case reflect.Slice, reflect.Array:
		return appendSlice(b, v, depth)
	case reflect.Map:
		return appendMap(b, v, depth)
	}
	return nil, job.Errorf(job.Invalid, "a value of type %s cannot be sent", v.Type())
}

func appendSlice(b []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return append(b, Null...), nil
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		content := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(content), v)
		return AppendBytes(b, content), nil
	}
	b = AppendList(b, v.Len())
	for i := range v.Len() {
		if b, err = appendAny(b, v.Index(i).Interface(), depth-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendMap(b []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if v.IsNil() {
		return append(b, Null...), nil
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return compareKeys(x.Interface(), y.Interface()) })
	b = AppendMap(b, len(keys))
	for _, key := range keys {
		if b, err = appendAny(b, key.Interface(), depth-1); err != nil {
			return nil, err
		}
		if b, err = appendAny(b, v.MapIndex(key).Interface(), depth-1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// compareKeys gives the keys of a map one order, whatever they are.
func compareKeys(x, y any) int {
	a, b := fmt.Sprintf("%T %v", x, x), fmt.Sprintf("%T %v", y, y)
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
