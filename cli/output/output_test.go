package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/muster-queue/muster/job"
)

var columns = []Column{
	{Name: "state"}, {Name: "exit_code", Right: true}, {Name: "peak"}, {Name: "wall"}, {Name: "cmd", Stretch: true}, {Name: "id", Detail: true},
}

var rows = [][]any{
	{State("complete"), 0, Bytes(1536), 90 * time.Second, "echo one", "a1"},
	{State("buried"), 17, Bytes(0), time.Duration(0), "printf 'a\tb' | sed s/\x1b/x/ # ünï " + strings.Repeat("long ", 6), "b2"},
}

func show(t *testing.T, s *Screen, f Format) string {
	t.Helper()
	var b bytes.Buffer
	s.Writer = &b
	l := NewListing(s, f, columns...)
	for _, r := range rows {
		if err := l.Row(r...); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTableIsAlignedAndHarmless(t *testing.T) {
	want := "" +
		"STATE     EXIT CODE  PEAK  WALL   CMD\n" +
		"complete          0  1.5K  1m30s  echo one\n" +
		`buried           17               printf 'a\tb' | sed s/\x1b/x/ # ünï long long long long long long` + "\n"
	if d := cmp.Diff(want, show(t, &Screen{}, Table)); d != "" {
		t.Error(d)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	for width := 44; width < 120; width++ {
		for line := range strings.Lines(show(t, &Screen{Terminal: true, Width: width}, Table)) {
			if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Fatalf("width %d: a line of %d: %q", width, n, line)
			}
		}
	}
}

func TestColoursOnlyWhereAsked(t *testing.T) {
	if out := show(t, &Screen{Terminal: true}, Table); strings.Contains(out, "\x1b") {
		t.Errorf("colours without asking: %q", out)
	}
	if out := show(t, &Screen{Terminal: true, Colour: true}, Table); !strings.Contains(out, "\x1b[31mburied\x1b[0m") {
		t.Errorf("buried is not red: %q", out)
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(show(t, &Screen{}, JSON), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"state": "complete", "exit_code": 0.0, "peak": 1536.0, "wall": 90.0, "cmd": "echo one", "id": "a1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCSVAndPlainCanBeReadBack(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(show(t, &Screen{}, CSV))).ReadAll()
	if err != nil || len(records) != 3 || records[2][4] != rows[1][4] || records[0][5] != "id" {
		t.Errorf("%q, %v", records, err)
	}
	for line := range strings.Lines(show(t, &Screen{}, Plain)) {
		if n := strings.Count(line, "\t"); n != len(columns)-1 {
			t.Errorf("%d TABs in %q", n, line)
		}
	}
}

func TestLongTablesAreWrittenAsTheyCome(t *testing.T) {
	var b bytes.Buffer
	l := NewListing(&Screen{Writer: &b}, Table, Column{Name: "n"})
	for i := range measured + 1 {
		if err := l.Row(i); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), "\n"); n != measured+2 || l.rows != nil {
		t.Errorf("%d lines are out, %d rows are kept", n, len(l.rows))
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteErrorsAreReported(t *testing.T) {
	for f := range Formats {
		l := NewListing(&Screen{Writer: fullDisk{}}, Format(f), Column{Name: "n"})
		err := l.Row(1)
		if cerr := l.Close(); err == nil && cerr == nil {
			t.Errorf("%s: no error", Formats[f])
		}
	}
}

func TestParseFormat(t *testing.T) {
	for s, want := range map[string]Format{"table": Table, "j": JSON, "csv": CSV, "p": Plain} {
		if f, err := ParseFormat(s); err != nil || f != want {
			t.Errorf("%s: %v, %v", s, f, err)
		}
	}
	if _, err := ParseFormat("xml"); !job.IsKind(err, job.Invalid) {
		t.Errorf("xml: %v", err)
	}
}

func TestValues(t *testing.T) {
	for want, v := range map[string]any{
		"1023B": Bytes(1023), "1K": Bytes(1024), "1M": Bytes(1 << 20), "2.5G": Bytes(5 << 29), "8E": Bytes(1<<63 - 1),
		"250µs": 250 * time.Microsecond, "15ms": 15 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "42s": 42 * time.Second,
		"59m59s": time.Hour - time.Second, "26h30m": 26*time.Hour + 30*time.Minute, "3d01h": 73 * time.Hour, "": time.Time{}, "a b": []string{"a", "b"},
	} {
		if got := Human(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[2Jb\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if !utf8.ValidString(c) || strings.IndexFunc(c, hostile) >= 0 {
			t.Errorf("%q is still %q", s, c)
		}
		if lines := CleanLines(s); strings.Count(lines, "\n") != strings.Count(s, "\n") {
			t.Errorf("%q has become %q", s, lines)
		}
	})
}

func counts(ready, running, buried, complete int64) (c job.Counts) {
	c[job.Ready], c[job.Running], c[job.Buried], c[job.Complete] = ready, running, buried, complete
	return c
}

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestProgressOffTerminalIsALineNowAndThen(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&Screen{Writer: &b}, "jobs.txt", noon)
	for i := range 101 {
		p.Update(counts(100-int64(i), 1, 1, int64(i)), noon.Add(time.Duration(i)*100*time.Millisecond))
	}
	want := "jobs.txt: 51/102, 1 failed, 1 running, 50 ready, 10/s, 5.1s left, 5.0s so far\n" +
		"jobs.txt: 101/102, 1 failed, 1 running, 10/s, 100ms left, 10s so far\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestProgressSaysLittleWhenLittleHappens(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&Screen{Writer: &b}, "x", noon)
	c := counts(0, 1, 0, 5)
	for i := range 3600 {
		if i == 1800 {
			c[job.Complete]++
		}
		p.Update(c, noon.Add(time.Duration(i)*time.Second))
	}
	if n := strings.Count(b.String(), "\n"); n < 20 || n > 30 {
		t.Errorf("%d lines in an hour:\n%s", n, b.String())
	}
	if strings.Count(b.String(), "left") > 1 {
		t.Errorf("an estimate out of nothing:\n%s", b.String())
	}
}

func TestProgressBarFitsAndIsDrawnOver(t *testing.T) {
	for width := 25; width < 140; width += 3 {
		for _, colour := range []bool{false, true} {
			var b bytes.Buffer
			p := NewProgress(&Screen{Writer: &b, Terminal: true, Width: width, Colour: colour}, "a rather long name.txt", noon)
			p.Update(counts(1_000_000, 16, 3, 500_000), noon)
			p.Update(counts(990_000, 16, 30, 510_000), noon.Add(time.Second))
			p.Hide()
			for _, draw := range strings.Split(b.String(), "\r")[1:] {
				line := strings.TrimSuffix(draw, "\x1b[K")
				if n := visible(strings.Split(line, "\x00")); !colour && n >= width {
					t.Fatalf("width %d: %d columns: %q", width, n, line)
				}
			}
			if !strings.HasSuffix(b.String(), "\r\x1b[K") || !strings.Contains(b.String(), fmt.Sprint(510_030)) {
				t.Fatalf("width %d: %q", width, b.String())
			}
		}
	}
}

func TestProgressBlocksAddUp(t *testing.T) {
	p := NewProgress(&Screen{}, "x", noon)
	for _, c := range []job.Counts{counts(0, 0, 0, 0), counts(1, 0, 0, 0), counts(0, 0, 0, 7), counts(3, 3, 3, 3), counts(1<<40, 5, 1, 1<<41)} {
		p.counts = c
		if n := runewidth.StringWidth(p.blocks(40)); n != 40 {
			t.Errorf("%v: %d blocks", c, n)
		}
	}
}

// On a terminal a line is cut to its width; what programs read never is, however
// many rows were measured before.
func TestLongLines(t *testing.T) {
	long := strings.Repeat("x", 300)
	narrow := &Screen{Width: 40}
	if got := narrow.Fit(10, long); len([]rune(got)) != 30 || !strings.HasSuffix(got, "…") {
		t.Errorf("cut to %q", got)
	}
	if got := (&Screen{}).Fit(10, long); got != long {
		t.Errorf("cut without a terminal: %q", got)
	}
	for _, width := range []int{0, 40} {
		var b strings.Builder
		l := NewListing(&Screen{Writer: &b, Width: width}, Table, Column{Name: "job", Stretch: true}, Column{Name: "n"})
		for range measured {
			if err := l.Row("short", 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Row(long, 2); err != nil {
			t.Fatal(err)
		}
		if whole := strings.Contains(b.String(), long); whole != (width == 0) {
			t.Errorf("width %d: the whole cell is shown: %v", width, whole)
		}
	}
}
