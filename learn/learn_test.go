package learn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// used is a run that completed and is known to have used that much memory.
func used(n int64) *Run {
	return &Run{Used: Amounts{n, Unknown, Unknown}, Completed: true, Ended: 1}
}

func asked(k *Kind, r Resource) int64 { return k.Estimate(Settings{}).Asked[r] }

// What another system that learned got wrong, and the plain cases.
func TestWhatIsAskedFor(t *testing.T) {
	repeat := func(n int, mb ...int64) (all []int64) {
		for range n {
			all = append(all, mb...)
		}
		return all
	}
	for name, c := range map[string]struct {
		runs []int64 // MB
		want int64   // MB; Unknown
	}{
		"no run":                {nil, Unknown},
		"four":                  {[]int64{100, 100, 100, 100}, Unknown},
		"five":                  {[]int64{100, 100, 100, 100, 100}, 100},
		"few: the largest":      {[]int64{100, 500, 1000, 2000, 4000, 8000}, 8000},
		"equal ones count each": {append(repeat(1000, 95), 5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 5010, 5011, 5012, 5013, 5014, 5015, 5016, 5017, 5018, 5019), 100},
		"rounded up":            {repeat(6, 150), 200},
		"nothing used":          {repeat(6, 0), 0},
		"six of a hundred":      {append(repeat(94, 90), repeat(6, 290)...), 300},
	} {
		k := new(Kind)
		// The newest weigh most: without an order of its own, a list is shuffled.
		r := rand.New(rand.NewPCG(1, 2))
		r.Shuffle(len(c.runs), func(i, j int) { c.runs[i], c.runs[j] = c.runs[j], c.runs[i] })
		for _, mb := range c.runs {
			k.Count(used(mb*MB), Settings{})
		}
		want := c.want
		if want != Unknown {
			want *= MB
		}
		if got := asked(k, Memory); got != want {
			t.Errorf("%s: %d MB are asked for; want %d", name, got/MB, c.want)
		}
		if asked(k, Disk) != Unknown || asked(k, Time) != Unknown {
			t.Errorf("%s: something is asked for of what was not measured", name)
		}
	}
}

func TestRoundUp(t *testing.T) {
	for _, c := range [][3]int64{{0, 100, 0}, {1, 100, 100}, {100, 100, 100}, {101, 100, 200}, {7, 1, 7}, {7, 0, 7}, {math.MaxInt64 - 1, 100, math.MaxInt64 - 1}} {
		if got := roundUp(c[0], c[1]); got != c[2] {
			t.Errorf("%d up to multiples of %d is %d; want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestTimeIsRoundedToHalfHours(t *testing.T) {
	k := new(Kind)
	for range 5 {
		k.Count(&Run{Used: Amounts{Unknown, Unknown, int64(31 * time.Minute)}, Completed: true}, Settings{})
	}
	if got := Duration(asked(k, Time)); got != time.Hour {
		t.Errorf("31 minutes are asked for as %v", got)
	}
}

// A run that was ended for too little memory counts for memory alone, and for as
// much as it had.
func TestEndedRunsCount(t *testing.T) {
	k := new(Kind)
	for range 6 {
		k.Count(used(100*MB), Settings{})
	}
	for range 2 {
		k.Count(&Run{Used: Amounts{900 * MB, Unknown, Unknown}, Ended: 7}, Settings{})
	}
	k.Count(&Run{Used: Amounts{MB, Unknown, Unknown}, Ended: 7}, Settings{})
	if k.sketches[Memory].quantile(0.01) < 99*MB {
		t.Error("a run that was given little and ended counts as one that needed little")
	}
	if k.Runs != 6 || k.Last != 7 || asked(k, Memory) != 900*MB || k.Figures(Memory, Settings{}).Runs != 9 {
		t.Errorf("%d runs, last %d, asked %d", k.Runs, k.Last, asked(k, Memory)/MB)
	}
}

func TestOlderRunsWeighLess(t *testing.T) {
	k, s := new(Kind), Settings{HalfLife: 100}
	for range 3000 {
		k.Count(used(8000*MB), s)
	}
	after := 0
	for ; k.Estimate(s).Asked[Memory] > 100*MB; after++ {
		k.Count(used(50*MB), s)
	}
	// 5 % are left of the old after log2(20) half-lives.
	if after < 400 || after > 460 {
		t.Errorf("what is not true any more was forgotten after %d runs", after)
	}
	if f := k.Figures(Memory, s); f.Max != 8000*MB || f.Runs != uint64(3000+after) {
		t.Errorf("%+v", f)
	}
}

// The newest runs count without delay when more is needed.
func TestUpAtOnceDownReluctantly(t *testing.T) {
	k := new(Kind)
	for range 5 {
		k.Count(used(199*MB), Settings{})
	}
	if !k.Count(used(201*MB), Settings{}) || asked(k, Memory) != 300*MB {
		t.Fatalf("after a larger one %d", asked(k, Memory)/MB)
	}
	for range 5000 {
		k.Count(used(199*MB), Settings{})
	}
	if got := asked(k, Memory); got != 300*MB {
		t.Errorf("199 are within a hair of 200, but %d are asked for", got/MB)
	}
	for range 5000 {
		k.Count(used(180*MB), Settings{})
	}
	if got := asked(k, Memory); got != 200*MB {
		t.Errorf("180 are clearly less than 200, but %d are asked for", got/MB)
	}
}

func TestSettings(t *testing.T) {
	k := &Kind{Own: Settings{MinRuns: 1, RoundMemory: MB}}
	if k.Count(used(MB/2), Settings{MinRuns: 7}); asked(k, Memory) != MB/2 && asked(k, Memory) != MB {
		t.Errorf("asked %d", asked(k, Memory))
	}
	if k.Own.Off = Yes; !k.Settle(Settings{}) || asked(k, Memory) != Unknown {
		t.Error("switched off it speaks")
	}
	if k.Count(used(MB), Settings{}); k.Runs != 1 {
		t.Error("switched off it counts")
	}
	k.Forget()
	if k.Runs != 0 || k.Own.Off != Yes || k.Empty() {
		t.Error("the settings are not what is forgotten")
	}
	if !new(Kind).Empty() {
		t.Error("a new one is not empty")
	}
	for _, bad := range []Settings{{MinRuns: -1}, {Quantile: math.NaN()}, {Quantile: 1.1}, {HalfLife: 1}, {RoundMemory: -1}, {RoundTime: -1}, {Off: 3}} {
		if job.KindOf(bad.Validate()) != job.Invalid {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if err := Defaults.Validate(); err != nil {
		t.Error(err)
	}
}

// Whatever the runs, a quantile covers its part of them and is at most 2 % more
// than the least amount that does.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, 1<<20), 1, 300).Draw(t, "runs")
		q := rapid.Float64Range(0.01, 1).Draw(t, "q")
		var s sketch
		for i := range all {
			all[i] *= 1 << rapid.IntRange(0, 12).Draw(t, "scale")
			s.add(all[i], 100_000)
		}
		got := s.quantile(q)
		sorted := slices.Sorted(slices.Values(all))
		rank := int(math.Ceil(q*float64(len(all))*(1-1e-3))) - 1
		exact, more := sorted[max(rank, 0)], sorted[min(rank+1, len(all)-1)]
		low := sorted[len(all)-1] / 150 // not told apart below
		if got < exact || float64(got) > math.Max(float64(max(exact, more))*1.03+1, float64(low)*1.1) {
			t.Fatalf("quantile %v of %v is %d; exact is %d", q, sorted, got, exact)
		}
	})
}

// What is stored is small and means the same.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := &Kind{Own: Settings{HalfLife: rapid.SampledFrom([]int{0, 10, 100_000}).Draw(t, "half")}}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		for range rapid.IntRange(0, 3000).Draw(t, "n") {
			run := Run{Completed: r.IntN(9) > 0, Ended: job.Time(r.Int64())}
			for i := range run.Used {
				run.Used[i] = int64(math.Exp(r.Float64()*42)) - 2
			}
			k.Count(&run, Settings{})
		}
		body := k.Encode(nil)
		if len(body) > MaxBody {
			t.Fatalf("%d bytes", len(body))
		}
		again, err := Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if again.Runs != k.Runs || again.Last != k.Last || again.Own != k.Own || again.Estimate(Settings{}).Asked != k.Estimate(Settings{}).Asked {
			t.Fatalf("stored %+v, read %+v", k, again)
		}
		for i := range k.sketches { // weights are rounded
			s := &k.sketches[i]
			if got := again.sketches[i].quantile(0.95); got < s.quantile(0.94) || got > s.quantile(0.96) {
				t.Fatalf("the quantile is %d, after a restart %d", s.quantile(0.95), got)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	k := new(Kind)
	for i := range int64(2000) {
		k.Count(&Run{Used: Amounts{i * i * MB, i % 3, i * 1e9}, Completed: true}, Settings{})
	}
	f.Add(k.Encode(nil))
	f.Add(new(Kind).Encode(nil))
	f.Add([]byte{format})
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := Decode(b)
		if err != nil {
			return
		}
		k.Count(&Run{Used: Amounts{1, 1, 1}, Completed: true}, Settings{})
		for i := range NumResources {
			if f := k.Figures(Resource(i), Settings{}); f.Most < 0 || f.Asked < Unknown || f.Half > f.Max {
				t.Fatalf("%+v", f)
			}
		}
		again := k.Encode(nil)
		if _, err := Decode(again); err != nil || len(again) > MaxBody {
			t.Fatalf("%d bytes: %v", len(again), err)
		}
	})
}

func BenchmarkCount(b *testing.B) {
	k, n := new(Kind), int64(0)
	for b.Loop() {
		n++
		k.Count(&Run{Used: Amounts{n % 1000 * MB, Unknown, n % 777 * 1e9}, Completed: true}, Settings{})
	}
}
