package job

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"
)

// The records written for every job, Job and Attempt, are encoded by hand: it
// takes a sixth of the time that a general encoder needs to find out what they
// are made of. The bytes are the same, and the tests compare them, field by
// field; what is rare is still left to the general encoder.

// pairs writes a map of a struct's fields that are not empty.
type pairs struct {
	b     []byte
	start int // where the map's head is
	n     int // pairs so far
	err   error
}

// maxPairs is how many a head of one byte can count.
const maxPairs = 23

const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5 // negative
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTrue  = 7<<5 | 21
	cborFloat = 7<<5 | 27
)

func newPairs(b []byte) pairs { return pairs{start: len(b), b: append(b, cborMap)} }

// end is the map; false if it has too many pairs or a value could not be encoded.
func (p *pairs) end() ([]byte, bool) {
	p.b[p.start] |= byte(min(p.n, maxPairs))
	return p.b, p.err == nil && p.n <= maxPairs
}

// appendHead appends a kind with a number: a value, or how long it is.
func appendHead(b []byte, kind byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, kind|byte(n))
	case n <= math.MaxUint8:
		return append(b, kind|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, kind|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, kind|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, kind|27), n)
}

func appendNumber(b []byte, v int64) []byte {
	if v < 0 {
		return appendHead(b, cborInt, uint64(^v))
	}
	return appendHead(b, cborUint, uint64(v))
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, cborFloat), math.Float64bits(f))
}

func (p *pairs) key(key byte) {
	p.n++
	p.b = appendHead(p.b, cborUint, uint64(key))
}

func (p *pairs) text(key byte, s string) {
	if s != "" {
		p.key(key)
		p.b = appendText(p.b, s)
	}
}

func (p *pairs) bytes(key byte, v []byte) {
	if len(v) > 0 {
		p.key(key)
		p.b = append(appendHead(p.b, cborBytes, uint64(len(v))), v...)
	}
}

func (p *pairs) number(key byte, v int64) {
	if v != 0 {
		p.key(key)
		p.b = appendNumber(p.b, v)
	}
}

func (p *pairs) flag(key byte, on bool) {
	if on {
		p.key(key)
		p.b = append(p.b, cborTrue)
	}
}

func (p *pairs) float(key byte, f float64) {
	if f == 0 {
		return
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		p.other(key, f)
		return
	}
	p.key(key)
	p.b = appendFloat(p.b, f)
}

func (p *pairs) texts(key byte, list []string) {
	if len(list) == 0 {
		return
	}
	p.key(key)
	p.b = appendHead(p.b, cborArray, uint64(len(list)))
	for _, s := range list {
		p.b = appendText(p.b, s)
	}
}

// resources come in the order of their names, so that equal ones are equal bytes.
func (p *pairs) resources(key byte, r Resources) {
	if len(r) == 0 {
		return
	}
	p.key(key)
	p.b = appendHead(p.b, cborMap, uint64(len(r)))
	for _, name := range slices.Sorted(maps.Keys(r)) {
		p.b = appendNumber(appendText(p.b, name), r[name])
	}
}

// lastSecond is in the year 2200; times outside are left to the general encoder.
const lastSecond = 7_258_118_400

func (p *pairs) time(key byte, t time.Time) {
	if t.IsZero() {
		return
	}
	if s := t.Unix(); s < 0 || s > lastSecond {
		p.other(key, t)
		return
	}
	p.key(key)
	p.b = appendFloat(p.b, float64((t.UnixNano()+500)/1000*1000)/1e9)
}

// other writes a rare value that is not empty.
func (p *pairs) other(key byte, v any) {
	p.key(key)
	buf := bytes.NewBuffer(p.b)
	if err := encMode.MarshalToBuffer(v, buf); err != nil {
		p.err = err
		return
	}
	p.b = buf.Bytes()
}

// open begins a struct inside this one, which close ends; an empty one only
// stays if it is wanted so.
func (p *pairs) open(key byte) pairs {
	p.key(key)
	return newPairs(p.b)
}

func (p *pairs) close(in *pairs, empty bool) {
	if in.n == 0 && !empty {
		p.b, p.n = p.b[:in.start-1], p.n-1 // keys of structs inside are a byte long
		return
	}
	b, ok := in.end()
	if p.b = b; !ok {
		p.n = maxPairs + 1
	}
}
