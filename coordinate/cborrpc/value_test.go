package cborrpc

import (
	"bytes"
	"math"
	"math/big"
	"reflect"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster/job"
)

// TestRoundTrip is case 37: every kind comes back as itself.
func TestRoundTrip(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, v := range []any{
		nil, true, false, int64(0), int64(23), int64(24), int64(-1), int64(-25), int64(math.MaxInt64), int64(math.MinInt64), uint64(math.MaxUint64),
		huge, new(big.Int).Neg(huge), new(big.Int).Not(new(big.Int).SetUint64(math.MaxUint64)), 1.5, math.Inf(-1), "", "text", "ünïcode \x00", []byte{}, []byte("\xff\xfe"), []any{}, PythonTuple{Items: []any{}},
		PythonTuple{Items: []any{int64(1), []any{PythonTuple{Items: []any{"x"}}}, nil}},
		UUID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef},
		map[string]any{}, map[string]any{"a": map[any]any{int64(1): "one", "two": []byte("2"), int64(-3): nil}},
	} {
		b, err := Encode(v)
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		parsed, err := Parse(b)
		if err != nil || len(parsed) != len(b) {
			t.Fatalf("%#v: parsed %d of %d bytes: %v", v, len(parsed), len(b), err)
		}
		if clean, err := parsed.Clean(); err != nil || !bytes.Equal(clean, b) {
			t.Errorf("%#v: not clean: %x, %v", v, clean, err)
		}
		back, err := parsed.Decode()
		if err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%#v came back as %#v, %v", v, back, err)
		}
	}
}

// TestEncodeTypes covers what programs pass beside the usual types.
func TestEncodeTypes(t *testing.T) {
	type name string
	three := 3
	var none *int
	for _, c := range []struct{ in, want any }{
		{name("n"), "n"}, {three, int64(3)}, {&three, int64(3)}, {none, nil}, {uint8(4), int64(4)}, {float32(0.5), 0.5},
		{[]string{"a"}, []any{"a"}}, {[3]byte{1, 2, 3}, []byte{1, 2, 3}}, {map[string]int{"b": 1, "a": 2}, map[string]any{"a": int64(2), "b": int64(1)}},
		{map[int]string{2: "x", 1: "y"}, map[any]any{int64(1): "y", int64(2): "x"}}, {[]string(nil), nil}, {map[string]any(nil), nil}, {"\xff", []byte{0xff}}, {Value{}, nil},
	} {
		b, err := Encode(c.in)
		if err != nil {
			t.Fatalf("%#v: %v", c.in, err)
		}
		if got, err := b.Decode(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%#v: %#v, %v, want %#v", c.in, got, err, c.want)
		}
	}
	deep := any(1)
	for range 200 {
		deep = []any{deep}
	}
	for _, bad := range []any{make(chan int), struct{}{}, []any{func() {}}, map[string]any{"f": func() {}}, deep} {
		if _, err := Encode(bad); job.KindOf(err) != job.Invalid {
			t.Errorf("%T: %v", bad, err)
		}
	}
}

// TestClean: what clients cannot read is taken off or refused.
func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown tag", "82 d9 1234 01 c1 1a 00000001", "82 01 1a 00000001"},
		{"UUID of 15 bytes", "d825 4f 000102030405060708090a0b0c0d0e", "4f 000102030405060708090a0b0c0d0e"},
		{"tuple over a map", "d880 a0", "a0"},
		{"big integer of text", "c2 6161", "6161"},
		{"in a map's value", "bf 6161 d84a f6 ff", "bf 6161 f6 ff"},
		{"in chunks", "9f c0 7f 6161 6162 ff ff", "9f 7f 6161 6162 ff ff"},
		{"text that is not UTF-8", "61 ff", ""},
		{"simple value", "e0", ""},
		{"simple value 255", "f8 ff", ""},
		{"a list as a key", "a1 80 01", ""},
		{"a tuple as a key", "81 a1 d88080 01", ""},
		{"a map as a key", "a1 a0 01", ""},
	} {
		v, err := Parse(unhex(t, c.in))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, err := v.Clean()
		switch {
		case c.want == "" && job.KindOf(err) != job.Invalid:
			t.Errorf("%s: %x, %v, want an error", c.name, got, err)
		case c.want != "" && (err != nil || !bytes.Equal(got, unhex(t, c.want))):
			t.Errorf("%s: %x, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// TestNumbers reads all widths.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		in   string
		want float64
	}{
		{"00", 0}, {"1864", 100}, {"20", -1}, {"3bffffffffffffffff", -18446744073709551616}, {"f93c00", 1}, {"f90001", 5.960464477539063e-8}, {"f97bff", 65504},
		{"f9fc00", math.Inf(-1)}, {"fa3fc00000", 1.5}, {"fbc010666666666666", -4.1}, {"c249010000000000000000", 18446744073709551616}, {"c349010000000000000000", -18446744073709551617},
	} {
		v, err := Parse(unhex(t, c.in))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := v.Number(); !ok || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.in, got, ok, c.want)
		}
	}
	if f, ok := (Value{0xf9, 0x7e, 0x00}).Number(); !ok || !math.IsNaN(f) {
		t.Errorf("NaN of 16 bits: %v, %v", f, ok)
	}
}

// FuzzValue: whatever arrives, nothing panics, what is accepted is CBOR to
// another decoder too, and cleaning it leaves something that needs no cleaning.
func FuzzValue(f *testing.F) {
	for _, s := range []string{"", "00", "a1616101", "d880820102", "9f01ff", "bf616101ff", "5f4101ff", "7f6161ff", "d825500102030405060708090a0b0c0d0e0f10", "c2420100", "f97e00", "f800", "1f", "df", "5f00ff", "bf01ff"} {
		f.Add(unhex(f, s))
	}
	mode, err := cbor.DecOptions{
		MaxNestedLevels: 1000, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32,
	}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse(b)
		if err != nil {
			return
		}
		if err := mode.Wellformed(v); err != nil {
			t.Fatalf("%x was accepted: %v", v, err)
		}
		_, _ = v.Decode()
		v.Len()
		v.Number()
		v.Get("a")
		if clean, err := v.Clean(); err == nil {
			again, err := Parse(clean)
			if err != nil || len(again) != len(clean) {
				t.Fatalf("cleaning %x made %x: %v", v, clean, err)
			}
			if twice, err := again.Clean(); err != nil || !bytes.Equal(twice, clean) {
				t.Fatalf("cleaning %x made %x, cleaning that %x: %v", v, clean, twice, err)
			}
			if decoded, err := again.Decode(); err == nil {
				if _, err := Encode(decoded); err != nil {
					t.Fatalf("%x decoded to %#v, which cannot be encoded: %v", clean, decoded, err)
				}
			}
		}
	})
}

// FuzzAnswer: any message is answered or refused, without a panic, and an answer
// is one well-formed item.
func FuzzAnswer(f *testing.F) {
	s := NewServer(Config{Handler: echo})
	f.Add(unhex(f, "a3 46706172616d73 80 426964 01 466d6574686f64 446563686f"))
	f.Add(unhex(f, "81 a3 46706172616d73 80 426964 01 466d6574686f64 446563686f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := s.answer(t.Context(), b, nil)
		if err != nil {
			return
		}
		if v, err := Parse(answer); err != nil || len(v) != len(answer) {
			t.Fatalf("%x was answered with %x: %v", b, answer, err)
		}
	})
}
