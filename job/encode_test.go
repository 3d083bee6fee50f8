package job

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// filler fills values at random, and may do so with one field of a struct only.
type filler struct {
	r *rand.Rand
	// share is how many of a hundred fields are filled.
	share int
}

func (f *filler) fill(v reflect.Value) {
	if t, ok := reflect.TypeAssert[*time.Time](v.Addr()); ok {
		*t = f.time()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			if f.r.IntN(100) < f.share {
				f.fill(field)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), f.length(v.Type()), 300))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		// One entry, since the general encoder has no order.
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.SetMapIndex(key, value)
	case reflect.String:
		b := make([]byte, f.r.IntN(300))
		for i := range b {
			b[i] = byte(f.r.Uint32())
		}
		v.SetString(string(b))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(f.r.NormFloat64())
	default:
		f.integer(v)
	}
}

func (f *filler) length(t reflect.Type) int {
	if t.Elem().Kind() == reflect.Uint8 {
		return f.r.IntN(300)
	}
	return f.r.IntN(3)
}

// integer is of any length.
func (f *filler) integer(v reflect.Value) {
	n := f.r.Uint64() >> f.r.IntN(64)
	if v.CanUint() {
		v.SetUint(n & (1<<v.Type().Bits() - 1))
		return
	}
	v.SetInt(int64(n))
}

func (f *filler) time() time.Time {
	t := time.Unix(f.r.Int64N(1<<40)-1<<39, f.r.Int64N(1e9))
	if f.r.IntN(2) == 0 {
		t = time.Unix(1_700_000_000+f.r.Int64N(1<<30), f.r.Int64N(1e9)).UTC()
	}
	return t
}

// same checks that v is encoded as the general encoder does it.
func same(t *testing.T, v any) {
	t.Helper()
	prefix := []byte("before")
	want, err := encodeAny(prefix, v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(prefix, v)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%+v\nis encoded as %x\n           not %x (%v)", v, got, want, err)
	}
}

// TestEncodeEachField shows that no field is forgotten, nor one added later.
func TestEncodeEachField(t *testing.T) {
	f := &filler{rand.New(rand.NewPCG(1, 2)), 100}
	for _, in := range []any{Job{}, Command{}, Attempt{}, Result{}, Output{}} {
		typ := reflect.TypeOf(in)
		for i := range typ.NumField() {
			for range 50 {
				v := reflect.New(typ)
				f.fill(v.Elem().Field(i))
				for v.Elem().Field(i).IsZero() {
					f.fill(v.Elem().Field(i))
				}
				switch x := v.Interface().(type) {
				case *Command:
					same(t, &Job{Command: x})
				case *Result:
					same(t, &Attempt{Result: *x})
				case *Output:
					same(t, &Attempt{Result: Result{Stdout: *x}})
					same(t, &Attempt{Result: Result{Stderr: *x}})
				default:
					same(t, x)
				}
			}
		}
	}
}

func TestEncodeMany(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := &filler{r: rand.New(rand.NewPCG(seed, 0))}
	for i := range 3000 {
		f.share = i % 101
		var j Job
		var a Attempt
		f.fill(reflect.ValueOf(&j).Elem())
		f.fill(reflect.ValueOf(&a).Elem())
		same(t, &j)
		same(t, &a)
	}
}

// TestEncodeNeeds: several resources are written in one order, whichever.
func TestEncodeNeeds(t *testing.T) {
	j := &Job{Needs: Resources{"mem": 1 << 40, "cpu": 2500, "disk": 0, "gpu": 1000}}
	first, err := Encode(nil, j)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := Encode(nil, j); !bytes.Equal(again, first) {
			t.Fatal("the order changes")
		}
	}
	var back Job
	if err := Decode(first, &back); err != nil || !reflect.DeepEqual(&back, j) {
		t.Fatalf("%+v: %v", back, err)
	}
}

func BenchmarkEncode(b *testing.B) {
	j := &Job{
		Queue: "default", Key: "0123456789abcdef0123456789abcdef", Group: "bench", Kind: "true",
		Command: &Command{Line: string(bytes.Repeat([]byte("x"), 100)), Dir: "/"},
	}
	now := time.Now()
	a := &Attempt{
		ID: AttemptID{3, 123456}, Number: 1, Version: 1, Worker: "w1", Granted: now, Ended: now, Outcome: OutcomeComplete,
	}
	encoders := map[string]func([]byte, any) ([]byte, error){"hand": Encode, "any": encodeAny}
	for name, encode := range encoders {
		for what, v := range map[string]any{"job": j, "attempt": a} {
			b.Run(what+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				buf := make([]byte, 0, 512)
				for b.Loop() {
					if _, err := encode(buf, v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
