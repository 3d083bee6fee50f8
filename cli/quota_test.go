package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// shared is a sharing of 40 machines in which all there is to see occurs: one that
// saves, one that owes, one at all levels, one without quota.
func shared() *sharing {
	account := func(name string, rate, balance job.Quota, running [6]int64, workers [6]float64, ready int64) *client.AccountInfo {
		return &client.AccountInfo{
			Account: job.Account{Name: name, Rate: rate, Window: 2 * time.Hour}, Balance: balance,
			Running: running, Workers: workers, Ready: ready, At: time.Unix(1e9, 0),
		}
	}
	return &sharing{machines: 40, others: 3, accounts: []*client.AccountInfo{
		account("biology", job.Quota{10, 4}, job.Quota{-1800, 28800}, [6]int64{40, 8}, [6]float64{10, 2}, 112),
		account("chemistry", job.Quota{5}, job.Quota{36000}, [6]int64{2}, [6]float64{1.5}, 0),
		account("physics-of-particles", job.Quota{8, 4, 2, 1, 1}, job.Quota{7, 28800, 7300, 7200, -90000},
			[6]int64{8, 6, 3, 2, 1, 9}, [6]float64{8, 4, 2, 1, 1, 3}, 7),
		account("visitors", job.Quota{}, job.Quota{}, [6]int64{5: 5}, [6]float64{5: 2.25}, 30),
		account("quiet", job.Quota{}, job.Quota{}, [6]int64{}, [6]float64{}, 0),
	}}
}

func shownOn(t *testing.T, screen output.Screen, f output.Format) string {
	t.Helper()
	var b bytes.Buffer
	screen.Writer = &b
	if err := shared().show(&screen, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestQuotaIn80Columns(t *testing.T) {
	want := `
ACCOUNT               WORKERS  SHARE  WORKERS USED, BY LEVEL (| IS THE RATE)
biology                    12    30%  00000000000000000000001111....|
chemistry                 1.5     4%  000........|
physics-of-particles       19    48%  00000000000000000111111111222233444|ffffff
visitors                 2.25     6%  |fffff
quiet                       0     0%  |

ACCOUNT               LEVEL  RATE  RUNNING  READY  BALANCE  CAP  SAVED
biology               0        10       40            -30m  20h  -.............|
                      1         4        8    112       8h   8h  ==============|
chemistry             0         5        2             10h  10h  ==============|
physics-of-particles  0         8        8      7       7s  16h  =.............|
                      1         4        6              8h   8h  ==============|
                      2         2        3              2h   4h  =======.......|
                      3         1        2              2h   2h  ==============|
                      4         1        1            -25h   2h  --------------|
                      free               9
visitors              free               5     30
quiet                 0                                 0s   0s

3 jobs of no account run for free.
`
	if d := cmp.Diff(want, "\n"+shownOn(t, output.Screen{Terminal: true, Width: 80}, output.Table)); d != "" {
		t.Error(d)
	}
}

// Whatever the terminal, its lines are long enough for the table and no bar is cut;
// colours change nothing of that.
func TestQuotaFitsTheTerminal(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for width := 70; width <= 200; width += 10 {
		plain := shownOn(t, output.Screen{Terminal: true, Width: width}, output.Table)
		coloured := shownOn(t, output.Screen{Terminal: true, Width: width, Colour: true}, output.Table)
		if !strings.Contains(coloured, "\x1b[32m████") || !strings.Contains(coloured, "\x1b[31m-30m\x1b[0m") {
			t.Errorf("width %d: no colours: %q", width, coloured)
		}
		bare := strings.Split(escapes.ReplaceAllString(coloured, ""), "\n")
		for i, line := range strings.Split(plain, "\n") {
			if n := runewidth.StringWidth(line); n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
			if a, b := runewidth.StringWidth(line), runewidth.StringWidth(strings.TrimRight(bare[i], " ")); a != b {
				t.Errorf("width %d: %d columns without colours, %d with them: %s", width, a, b, bare[i])
			}
		}
	}
}

func TestQuotaForPrograms(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(shownOn(t, output.Screen{}, output.JSON)), "\n")
	if len(rows) != 5*6 {
		t.Fatalf("%d rows", len(rows))
	}
	want := `{"account":"biology","level":"1","rate":4,"balance":28800,"cap":28800,"running":8,"workers":2,"ready":112,"at":"2001-09-09T01:46:40Z"}`
	if got := strings.Replace(rows[1], time.Unix(1e9, 0).Format(time.RFC3339), "2001-09-09T01:46:40Z", 1); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := strings.Split(shownOn(t, output.Screen{}, output.Plain), "\n")[23]; !strings.HasPrefix(got, "visitors\tfree\t0\t0\t0\t5\t2.25\t30\t") {
		t.Errorf("plain: %q", got)
	}
}

func TestWorkTime(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0s", 7: "7s", 7.26: "7.3s", 59.4: "59s", 90: "1.5m", 600: "10m", -1800: "-30m", 3600: "1h", 9000: "2.5h", 355000: "99h",
		360000: "4.2d", 8.64e6: "100d", 1e12: "1.16e+07d", -0.01: "0s",
	} {
		if got := workTime(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
}
