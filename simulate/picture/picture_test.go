package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
)

func result(t *testing.T, accounts int) *simulate.Result {
	t.Helper()
	w := &simulate.Workload{
		Name: "<a> & b", Duration: time.Hour, Grace: time.Second,
		Workers: []simulate.Workers{{Name: "w", Count: 4, Capacity: job.Resources{simulate.Slot: job.Thousandth}}},
	}
	for i := range accounts {
		name := fmt.Sprintf("account %02d", i)
		rate := job.Quota{float64(i) / 10}
		w.Accounts = append(w.Accounts, simulate.Account{Name: name, Settings: simulate.Settings{Rate: &rate}})
		w.Jobs = append(w.Jobs, simulate.Stream{
			Name: name, Account: name, Arrivals: simulate.Arrivals{Every: time.Duration(i+1) * time.Minute}, Lasts: simulate.Lengths{A: 3 * time.Minute},
		})
	}
	r, err := simulate.Run(t.Context(), w, simulate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// texts are those of a picture, which must be well-formed.
func texts(t *testing.T, svg []byte) (list []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	in := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			in = x.Name.Local == "text"
		case xml.CharData:
			if in {
				list = append(list, string(x))
			}
		case xml.EndElement:
			in = false
		}
	}
}

func TestSVG(t *testing.T) {
	r := result(t, 3)
	svg, err := Draw([]*simulate.Result{r}, SVG)
	if err != nil {
		t.Fatal(err)
	}
	list := texts(t, svg)
	for _, want := range []string{"account 00", "account 02", "Running: workers, on average between two points", "Waiting: jobs that are ready", "0", "30m", "1h", "time since the beginning"} {
		if !slices.Contains(list, want) {
			t.Errorf("the picture does not say %q: %q", want, list)
		}
	}
	if !strings.HasPrefix(list[0], "<a> & b: 1h") {
		t.Errorf("its title is %q", list[0])
	}
	if !bytes.Contains(svg, []byte(`stroke-dasharray="4"`)) || bytes.Contains(svg, []byte("NaN")) {
		t.Error("no rate is dashed, or something is no number")
	}
	again, err := Draw([]*simulate.Result{r}, SVG)
	if err != nil || !bytes.Equal(svg, again) {
		t.Error("drawn again it is another")
	}
}

// Of many accounts those that took the most have a colour of their own.
func TestManyAccounts(t *testing.T) {
	svg, err := Draw([]*simulate.Result{result(t, 30)}, SVG)
	if err != nil {
		t.Fatal(err)
	}
	list := texts(t, svg)
	named := 0
	for _, text := range list {
		if strings.HasPrefix(text, "account ") {
			named++
		}
	}
	if named != maxSeries-1 || !slices.Contains(list, "the others") {
		t.Errorf("%d accounts are named: %q", named, list)
	}
}

func TestPNG(t *testing.T) {
	r := result(t, 3)
	for n := 1; n <= MaxResults; n++ {
		b, err := Draw(slices.Repeat([]*simulate.Result{r}, n), PNG)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		rgba, ok := img.(*image.RGBA)
		if !ok {
			t.Fatalf("a picture of type %T", img)
		}
		found := map[color.RGBA]bool{}
		for i := 0; i < len(rgba.Pix); i += 4 {
			found[color.RGBA{rgba.Pix[i], rgba.Pix[i+1], rgba.Pix[i+2], rgba.Pix[i+3]}] = true
		}
		for _, c := range []colour{white, palette[0], palette[1], palette[2]} {
			if !found[c.rgba(1)] {
				t.Errorf("%d beside each other: nothing is %s", n, c)
			}
		}
	}
	if _, err := Draw(slices.Repeat([]*simulate.Result{r}, MaxResults+1), PNG); !job.IsKind(err, job.Invalid) {
		t.Errorf("too many: %v", err)
	}
}

// A simulation in which nothing happens can be drawn as well.
func TestEmpty(t *testing.T) {
	w := &simulate.Workload{
		Workers: []simulate.Workers{{Name: "w", Count: 1, Capacity: job.Resources{simulate.Slot: 1000}}},
		Jobs:    []simulate.Stream{{Name: "none", Recorded: []simulate.Recorded{}}},
	}
	r, err := simulate.Run(t.Context(), w, simulate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []Format{SVG, PNG} {
		b, err := Draw([]*simulate.Result{r}, f)
		if err != nil || bytes.Contains(b, []byte("NaN")) {
			t.Errorf("%v\n%s", err, b)
		}
	}
}

func TestScale(t *testing.T) {
	for _, c := range []struct {
		low, high, unit float64
		labels          string
	}{
		{0, 20, 1, "0 5 10 15 20"}, {0, 0, 1, "0 0.5 1.0"}, {0, 7, 1, "0 2 4 6 8"}, {-30, 120, 60, "0 1 2"},
		{-5, 0, 1, "-4 -2 0"}, {0, 0.3, 1, "0 0.1 0.2 0.3"}, {0, 123456, 1, "0 50000 100000 150000"},
	} {
		s := newScale(c.low, c.high, c.unit)
		var got []string
		for _, v := range s.ticks() {
			got = append(got, s.label(v))
		}
		if c.labels != strings.Join(got, " ") {
			t.Errorf("%v to %v: %q, want %q", c.low, c.high, got, c.labels)
		}
		if at := s.at(c.high); at < 0 || at > 1+1e-9 {
			t.Errorf("%v to %v: the highest is at %v", c.low, c.high, at)
		}
	}
}

func TestTimeLabels(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0", 90 * time.Minute: "1h30m", 36 * time.Hour: "1d12h", 15 * time.Second: "15s"} {
		if got := timeLabel(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for length := time.Second; length < 20*365*24*time.Hour; length = length*5/4 + 1 {
		if n := length / timeStep(length, 10); n > 10 || n < 1 && length > 2*time.Second {
			t.Errorf("%v has %d ticks", length, n)
		}
	}
}

// Dashes are as long as asked for, and cover half of the way.
func TestDashes(t *testing.T) {
	list := dashes([]point{{0, 0}, {10, 0}, {10, 10}}, 4)
	want := [][]point{{{0, 0}, {4, 0}}, {{8, 0}, {10, 0}, {10, 2}}, {{10, 6}, {10, 10}}}
	near := cmp.Comparer(func(a, b point) bool { return math.Hypot(a.x-b.x, a.y-b.y) < 1e-9 })
	if d := cmp.Diff(want, list, near); d != "" {
		t.Error(d)
	}
}

// Joined samples have the mean of what they join, and all that was preempted.
func TestThinned(t *testing.T) {
	var samples []simulate.Sample
	for i := range 101 {
		a := simulate.AccountSample{Preempted: 1}
		a.Workers[0] = float64(i % 2)
		samples = append(samples, simulate.Sample{At: time.Duration(i) * time.Second, Accounts: []simulate.AccountSample{a}})
	}
	out := thinned(samples, 11)
	if len(out) != 11 || out[10].At != 100*time.Second || out[3].Accounts[0].Workers[0] != 0.5 || out[3].Accounts[0].Preempted != 10 {
		t.Errorf("%d: %+v", len(out), out)
	}
}

// The legend stands above the first column, and columns do not touch.
func TestPlaces(t *testing.T) {
	r := result(t, 6)
	for n := 1; n <= MaxResults; n++ {
		p := newPage(slices.Repeat([]*simulate.Result{r}, n))
		first := p.columns[0]
		entries := 0
		for _, line := range p.legend {
			entries += len(line)
			last := line[len(line)-1]
			if end := last.x + 28 + widthOf(last.text, textSize); line[0].x != first.x || end > first.x+first.width {
				t.Errorf("of %d: a line of the legend from %v to %v; the column is from %v to %v", n, line[0].x, end, first.x, first.x+first.width)
			}
		}
		if entries < len(p.series)+2 {
			t.Errorf("of %d: %d entries", n, entries)
		}
		for i, c := range p.columns[1:] {
			if before := p.columns[i]; c.x-axisRoom < before.x+before.width+20 {
				t.Errorf("of %d: column %d is too near to the one before", n, i+2)
			}
		}
		if last := p.columns[n-1]; last.x+last.width > p.width-margin {
			t.Errorf("of %d: the last column ends at %v of %v", n, last.x+last.width, p.width)
		}
	}
}
