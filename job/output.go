package job

import (
	"bytes"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Made is a job that another one made by completing: its data has it under
// "output".
type Made struct {
	Key Key
	// Data is in CBOR, to the byte as it was in the output.
	Data     []byte
	Priority float64
	// Delay is how long after the completion it may not start.
	Delay time.Duration
}

// MaxMade is how many jobs one completion may make.
const MaxMade = 100_000

// Outputs are the jobs that the completion of a job with this data makes for the
// queue that follows, in the order of their first appearance; of those with the
// same key the last counts. They are read from the entry "output" of data, a map
// in CBOR. It is a map of keys to data, or a list whose elements are keys, or lists
// of key, data and, if need be, a map with "priority" and "delay" (in seconds) and
// again the priority. Lists may be tuples (tag 128). What does not fit is passed
// over, since programs put other things there as well. The error is Invalid, for
// more than MaxMade jobs.
func Outputs(data []byte) ([]Made, error) {
	m := makings{place: map[Key]int{}}
	for k, v := range entries(data) {
		if name, ok := text(k); ok && name == "output" {
			m.clear()
			m.read(v)
		}
	}
	if len(m.all) > MaxMade {
		return nil, Errorf(Invalid, "output: it has more than %d jobs; add them in parts, with requests of their own", MaxMade)
	}
	return m.all, nil
}

// emptyMap is the data of a job that was given by its key alone.
var emptyMap = []byte{0xa0}

// makings collects jobs.
type makings struct {
	all   []Made
	place map[Key]int
}

func (m *makings) clear() {
	m.all = nil
	clear(m.place)
}

func (m *makings) add(j Made) {
	if len(j.Key) > MaxKey || len(m.all) > MaxMade {
		return
	}
	if i, again := m.place[j.Key]; again {
		m.all[i] = j
		return
	}
	m.place[j.Key] = len(m.all)
	m.all = append(m.all, j)
}

func (m *makings) read(output []byte) {
	if kindOf(output) == cborMap {
		for k, v := range entries(output) {
			if key, ok := text(k); ok && isData(v) {
				m.add(Made{Key: Key(key), Data: bytes.Clone(v)})
			}
		}
		return
	}
	for e := range elements(output) {
		if key, ok := text(e); ok {
			m.add(Made{Key: Key(key), Data: emptyMap})
		} else if j, ok := made(e); ok {
			m.add(j)
		}
	}
}

// made reads a list of key, data, meta and priority.
func made(list []byte) (j Made, ok bool) {
	parts := make([][]byte, 0, 4)
	for e := range elements(list) {
		if parts = append(parts, e); len(parts) == 4 {
			break
		}
	}
	if len(parts) < 2 || !isData(parts[1]) {
		return j, false
	}
	key, ok := text(parts[0])
	if !ok || len(parts) > 2 && !j.meta(parts[2]) || len(parts) > 3 && !number(parts[3], &j.Priority) {
		return j, false
	}
	j.Key, j.Data = Key(key), bytes.Clone(parts[1])
	return j, true
}

// meta reads a map with priority and delay, or null.
func (j *Made) meta(m []byte) bool {
	if isNull(m) {
		return true
	}
	if kindOf(m) != cborMap {
		return false
	}
	var delay float64
	for k, v := range entries(m) {
		name, _ := text(k)
		if name == "priority" && !number(v, &j.Priority) || name == "delay" && !number(v, &delay) {
			return false
		}
	}
	j.Delay = time.Duration(min(max(delay, 0), MaxTime.Seconds()) * float64(time.Second))
	return true
}

// What follows reads CBOR where it lies, item by item.

// tagTuple marks a list that is a tuple in Python.
const (
	cborTag    = 6 << 5
	cborSimple = 7 << 5 // floats and the like
	tagTuple   = 128
)

// outputMode reads items whatever their number; what is read is bounded by the
// size of a job.
var outputMode = must(cbor.DecOptions{
	MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, MaxNestedLevels: 1000, UTF8: cbor.UTF8DecodeInvalid,
}.DecMode())

// kindOf is the kind of an item; noItem for nothing.
func kindOf(item []byte) byte {
	if len(item) == 0 {
		return noItem
	}
	return item[0] &^ 31
}

const noItem = 0xff

func isNull(item []byte) bool {
	return bytes.Equal(item, []byte{0xf6}) || bytes.Equal(item, []byte{0xf7})
}

// isData reports whether the item can be a job's data: a map, or null.
func isData(item []byte) bool { return kindOf(item) == cborMap || isNull(item) }

// text is what a string holds, of text or bytes.
func text(item []byte) (s string, ok bool) {
	switch kindOf(item) {
	case cborText:
		return s, outputMode.Unmarshal(item, &s) == nil
	case cborBytes:
		var b []byte
		err := outputMode.Unmarshal(item, &b)
		return string(b), err == nil
	}
	return "", false
}

// number reads a finite number into n; null leaves it as it is.
func number(item []byte, n *float64) bool {
	if isNull(item) {
		return true
	}
	var f float64
	switch kindOf(item) {
	case cborUint, cborInt, cborSimple:
	default:
		return false
	}
	if outputMode.Unmarshal(item, &f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return false
	}
	*n = f
	return true
}

// elements visits the items of a list or tuple.
func elements(list []byte) func(func([]byte) bool) {
	return func(visit func([]byte) bool) {
		if n, rest, ok := headOf(list); ok && kindOf(list) == cborTag && n == tagTuple {
			list = rest
		}
		if kindOf(list) == cborArray {
			items(list, 1, func(i [2][]byte) bool { return visit(i[0]) })
		}
	}
}

// entries visits the keys and values of a map.
func entries(m []byte) func(func(k, v []byte) bool) {
	return func(visit func(k, v []byte) bool) {
		if kindOf(m) == cborMap {
			items(m, 2, func(i [2][]byte) bool { return visit(i[0], i[1]) })
		}
	}
}

// items visits what is in a list or map, one or two items at a time, as far as it
// is well formed.
func items(in []byte, each int, visit func([2][]byte) bool) {
	n, rest, ok := headOf(in)
	endless := in[0]&31 == 31
	for ok && (endless && len(rest) > 0 && rest[0] != 0xff || !endless && n > 0) {
		var got [2][]byte
		for i := range each {
			var raw cbor.RawMessage
			left, err := outputMode.UnmarshalFirst(rest, &raw)
			if err != nil {
				return
			}
			got[i], rest = rest[:len(rest)-len(left)], left
		}
		if n--; !visit(got) {
			return
		}
	}
}

// headOf reads the number an item begins with.
func headOf(item []byte) (n uint64, rest []byte, ok bool) {
	if len(item) == 0 {
		return 0, nil, false
	}
	info, rest := item[0]&31, item[1:]
	if info < 24 || info == 31 {
		return uint64(info), rest, true
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return 0, nil, false
	}
	for _, b := range rest[:size] {
		n = n<<8 | uint64(b)
	}
	return n, rest[size:], true
}
