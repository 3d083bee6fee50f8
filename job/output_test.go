package job

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
)

type anyMap = map[any]any

// bstr is a byte string where one cannot be a []byte, in keys.
type bstr = cbor.ByteString

func tuple(items ...any) cbor.Tag { return cbor.Tag{Number: tagTuple, Content: items} }

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOutputs(t *testing.T) {
	ab := anyMap{"a": "b"}
	for _, c := range []struct {
		name   string
		output any
		want   []Made
	}{
		{"none", nil, nil},
		{"an empty list", []any{}, nil},
		{"an empty map", anyMap{}, nil},
		{"a number", 7, nil},
		{"a string alone", "abc", nil},
		{"a map", anyMap{"k": ab}, []Made{{Key: "k", Data: encoded(t, ab)}}},
		{"a map with a byte key and null", anyMap{bstr("\xff\x00"): nil}, []Made{{Key: "\xff\x00", Data: encoded(t, nil)}}},
		{"a map with what is no data", anyMap{"k": "text"}, nil},
		{"a map with a number for a key", anyMap{1: ab}, nil},
		{"strings", []any{"a", []byte("b")}, []Made{{Key: "a", Data: emptyMap}, {Key: "b", Data: emptyMap}}},
		{"the empty key", []any{""}, []Made{{Key: "", Data: emptyMap}}},
		{"a tuple of tuples", tuple(tuple("a", ab), tuple([]byte("b"), anyMap{})),
			[]Made{{Key: "a", Data: encoded(t, ab)}, {Key: "b", Data: emptyMap}}},
		{"too short", []any{[]any{"a"}, "b"}, []Made{{Key: "b", Data: emptyMap}}},
		{"with priority", []any{[]any{"a", ab, anyMap{"priority": 10}}}, []Made{{Key: "a", Data: encoded(t, ab), Priority: 10}}},
		{"with delay", []any{[]any{"a", ab, anyMap{bstr("delay"): 1.5}}}, []Made{{Key: "a", Data: encoded(t, ab), Delay: 1500 * time.Millisecond}}},
		{"a negative delay", []any{[]any{"a", ab, anyMap{"delay": -5}}}, []Made{{Key: "a", Data: encoded(t, ab)}}},
		{"a fourth element", []any{[]any{"a", ab, anyMap{"priority": 1}, 20}}, []Made{{Key: "a", Data: encoded(t, ab), Priority: 20}}},
		{"a fourth element after null", []any{[]any{"a", ab, nil, 2.5}}, []Made{{Key: "a", Data: encoded(t, ab), Priority: 2.5}}},
		{"null for the fourth", []any{[]any{"a", ab, anyMap{"priority": 3}, nil}}, []Made{{Key: "a", Data: encoded(t, ab), Priority: 3}}},
		{"a priority that is none", []any{[]any{"a", ab, anyMap{"priority": "high"}}, "b"}, []Made{{Key: "b", Data: emptyMap}}},
		{"a meta that is none", []any{[]any{"a", ab, 7}}, nil},
		{"the last of a key", []any{"a", "b", tuple("a", ab, anyMap{"priority": 10})},
			[]Made{{Key: "a", Data: encoded(t, ab), Priority: 10}, {Key: "b", Data: emptyMap}}},
		{"a key that is too long", []any{string(make([]byte, MaxKey+1)), "b"}, []Made{{Key: "b", Data: emptyMap}}},
	} {
		for _, name := range []any{"output", bstr("output")} {
			got, err := Outputs(encoded(t, anyMap{name: c.output, "x": 1}))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, d)
			}
		}
	}
}

// TestOutputsKeepBytes: what a job is given is to the byte what its maker wrote.
func TestOutputsKeepBytes(t *testing.T) {
	// {"output": {_ "k": {1: 37(h'0123…'), 2: 128([]), 3: 2(h'01'), 4: 1.5_1, 5: _ h'' }}}
	datum := []byte("\xa5\x01\xd8\x25\x50\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef" +
		"\x02\xd8\x80\x80\x03\xc2\x41\x01\x04\xf9\x3e\x00\x05\x5f\xff")
	data := append([]byte("\xbf\x66output\xbf\x61k"), datum...)
	data = append(data, 0xff, 0xff)
	got, err := Outputs(data)
	if err != nil || len(got) != 1 || !bytes.Equal(got[0].Data, datum) {
		t.Fatalf("%+v, %v", got, err)
	}
	data[len(data)-10] ^= 1
	if !bytes.Equal(got[0].Data, datum) {
		t.Fatal("the result changes with what it was read from")
	}
}

func TestOutputsAreBounded(t *testing.T) {
	many := make([]any, MaxMade+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if got, err := Outputs(encoded(t, anyMap{"output": many[1:]})); err != nil || len(got) != MaxMade {
		t.Fatalf("%d jobs, %v", len(got), err)
	}
	if got, err := Outputs(encoded(t, anyMap{"output": many})); !IsKind(err, Invalid) {
		t.Fatalf("%d jobs, %v; want invalid", len(got), err)
	}
}

// FuzzOutputs: whatever the bytes, there is an answer; and what is made is sound.
func FuzzOutputs(f *testing.F) {
	f.Add(encoded(f, anyMap{"output": []any{"a", tuple("b", anyMap{1: 2}, anyMap{"delay": 3}, 4)}}))
	f.Add(encoded(f, anyMap{bstr("output"): anyMap{"k": nil}}))
	f.Add([]byte("\xbf\x66output\x9f\x5f\x41a\xff\xff\xff"))
	f.Add([]byte("\xa1\x66output\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		made, err := Outputs(data)
		if err != nil {
			t.Fatal(err) // none of these is large enough
		}
		seen := map[Key]bool{}
		for _, m := range made {
			if seen[m.Key] || len(m.Key) > MaxKey || m.Delay < 0 || cbor.Wellformed(m.Data) != nil {
				t.Fatalf("%+v", m)
			}
			seen[m.Key] = true
			if !bytes.Contains(data, m.Data) && !bytes.Equal(m.Data, emptyMap) {
				t.Fatalf("data that is not in the output: %x", m.Data)
			}
		}
	})
}
