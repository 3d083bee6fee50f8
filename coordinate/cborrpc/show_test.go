package cborrpc

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
)

func shown(t *testing.T, v any) Value {
	t.Helper()
	b, err := Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForPeople(t *testing.T) {
	whole, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	// A map of one entry each: the order of more is that of Go's maps.
	spec := shown(t, map[string]any{"config": map[string]any{"steps": []any{[]byte("first"), 2, 3.5, nil, true, []byte{0xff}, whole}}})
	if got, want := spec.Text(200), `{"config": {"steps": ["first", 2, 3.5, null, true, b"\xff", 123456789012345678901234567890]}}`; got != want {
		t.Errorf("wide:\n%s\nwant\n%s", got, want)
	}
	const narrow = `{
  "config": {
    "steps": [
      "first",
      2,
      3.5,
      null,
      true,
      b"\xff",
      123456789012345678901234567890
    ]
  }
}`
	if got := spec.Text(30); got != narrow {
		t.Errorf("narrow:\n%s\nwant\n%s", got, narrow)
	}
	for v, want := range map[string]Value{"{}": shown(t, map[string]any{}), "[]": shown(t, []any{}), "": nil, `"x"`: shown(t, "x")} {
		if got := want.Text(0); got != v {
			t.Errorf("%v: %q, want %q", want, got, v)
		}
	}
}

func TestJSON(t *testing.T) {
	whole, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for want, v := range map[string]any{
		`{}`: map[string]any{}, `[]`: []any{}, `null`: nil, `{"a":[1,-2,2.5,"x",true,null]}`: map[string]any{"a": []any{1, -2, 2.5, []byte("x"), true, nil}},
		`"b\"\\xff\""`: []byte{0xff}, `{"7":1}`: map[any]any{7: 1}, `"NaN"`: math.NaN(), `123456789012345678901234567890`: whole, `"a\u0000\n"`: "a\x00\n",
	} {
		got := shown(t, v).JSON()
		if string(got) != want || !json.Valid(got) {
			t.Errorf("%v: %s, want %s (valid: %v)", v, got, want, json.Valid(got))
		}
	}
	if got := Value(nil).JSON(); string(got) != "null" {
		t.Errorf("nothing: %s", got)
	}
}
