package output

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/muster-queue/muster/job"
)

// Progress shows how far a set of jobs is: a bar that is drawn over itself on a
// terminal, elsewhere a line now and then.
type Progress struct {
	// Every is the least time between two lines where there is no terminal.
	Every time.Duration

	screen  *Screen
	name    string
	counts  job.Counts
	samples []sample
	start   time.Time
	drawn   bool // a bar is on the terminal's last line
	changed bool // since the last line
	printed time.Time
}

type sample struct {
	at   time.Time
	done int64
}

// window is how far back the rate looks.
const window = 20 * time.Second

// NewProgress begins to show the progress of what is called name.
func NewProgress(s *Screen, name string, now time.Time) *Progress {
	return &Progress{Every: 5 * time.Second, screen: s, name: name, start: now, printed: now}
}

// Update shows new counts.
func (p *Progress) Update(c job.Counts, now time.Time) {
	p.changed = p.changed || c != p.counts
	p.counts = c
	done := ended(&c)
	if n := len(p.samples); n == 0 || now.Sub(p.samples[n-1].at) >= 200*time.Millisecond {
		p.samples = append(p.samples, sample{now, done})
	}
	p.Draw(now)
}

// Draw shows the present counts again, with the time that has passed.
func (p *Progress) Draw(now time.Time) {
	for len(p.samples) > 1 && now.Sub(p.samples[1].at) > window {
		p.samples = p.samples[1:]
	}
	if p.screen.Terminal {
		p.bar(now)
		return
	}
	if now.Sub(p.printed) < p.pause(now) {
		return
	}
	p.printed, p.changed = now, false
	fmt.Fprintln(p.screen, p.words(now))
}

// pause is how long after a line the next one comes: what takes long, or does not
// change, is told of more rarely.
func (p *Progress) pause(now time.Time) time.Duration {
	switch {
	case !p.changed:
		return 30 * p.Every
	case now.Sub(p.start) > 12*p.Every:
		return 6 * p.Every
	}
	return p.Every
}

// Note writes a line above the bar.
func (p *Progress) Note(text string) {
	p.Hide()
	fmt.Fprintln(p.screen, text)
}

// Hide takes the bar off the terminal.
func (p *Progress) Hide() {
	if p.drawn {
		_, _ = io.WriteString(p.screen, "\r\x1b[K")
		p.drawn = false
	}
}

func ended(c *job.Counts) int64 { return c[job.Complete] + c[job.Buried] }

// rate is how many jobs ended a second lately.
func (p *Progress) rate(now time.Time) float64 {
	if len(p.samples) == 0 {
		return 0
	}
	first := p.samples[0]
	seconds := now.Sub(first.at).Seconds()
	if seconds < 0.5 {
		return 0
	}
	return float64(ended(&p.counts)-first.done) / seconds
}

// left is how long the rest will take at the present rate; false when unknown,
// as it is of jobs that wait for a time or for others.
func (p *Progress) left(now time.Time) (time.Duration, bool) {
	c := &p.counts
	rate := p.rate(now)
	rest := c[job.Ready] + c[job.Reserved] + c[job.Running] + c[job.Lost]
	if rate <= 0 || rest == 0 {
		return 0, false
	}
	seconds := float64(rest) / rate
	if seconds > 1e8 {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// parts are the numbers worth showing, the most important first.
func (p *Progress) parts(now time.Time) []string {
	c := &p.counts
	parts := []string{fmt.Sprintf("%d/%d", ended(c), c.Total())}
	for _, x := range []struct {
		n      int64
		word   string
		colour Colour
	}{
		{c[job.Buried], "failed", Red},
		{c[job.Running] + c[job.Lost], "running", Blue},
		{c[job.Ready] + c[job.Reserved], "ready", NoColour},
		{c[job.Delayed], "delayed", Yellow},
		{c[job.Blocked], "blocked", Yellow},
	} {
		if x.n > 0 {
			parts = append(parts, p.screen.Paint(x.colour, fmt.Sprintf("%d %s", x.n, x.word)))
		}
	}
	if rate := p.rate(now); rate > 0 {
		parts = append(parts, rateText(rate))
	}
	if left, ok := p.left(now); ok {
		parts = append(parts, Short(left)+" left")
	}
	return parts
}

func rateText(rate float64) string {
	switch {
	case rate >= 10:
		return fmt.Sprintf("%.0f/s", rate)
	case rate >= 0.1:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.1f/min", rate*60)
}

// words is the progress as one line of text.
func (p *Progress) words(now time.Time) string {
	return p.name + ": " + strings.Join(p.parts(now), ", ") + ", " + Short(now.Sub(p.start)) + " so far"
}

// bar draws the bar over the one drawn before. Its width does not depend on the
// numbers beside it; those that do not fit are left out.
func (p *Progress) bar(now time.Time) {
	p.screen.measure()
	total := max(p.screen.Width-1, 20)
	name := runewidth.Truncate(Clean(p.name), total/4, "…")
	width := min(max(total/4, 5), 40)
	room := total - width - runewidth.StringWidth(name) - 2
	parts := p.parts(now)
	for len(parts) > 1 && visible(parts) > room {
		parts = parts[:len(parts)-1]
	}
	line := strings.Join(parts, " · ")
	if visible(parts) <= room {
		line = name + " " + p.blocks(width) + " " + line
	}
	_, _ = io.WriteString(p.screen, "\r"+line+"\x1b[K")
	p.drawn = true
}

// visible is how many columns parts take when joined, colours not counted.
func visible(parts []string) int {
	n := 3 * (len(parts) - 1)
	for _, s := range parts {
		if i := strings.IndexByte(s, 'm'); strings.HasPrefix(s, "\x1b[") && i > 0 {
			s = strings.TrimSuffix(s[i+1:], "\x1b[0m")
		}
		n += runewidth.StringWidth(s)
	}
	return n
}

// blocks is the bar itself: complete, failed, running, the rest.
func (p *Progress) blocks(width int) string {
	c := &p.counts
	total := c.Total()
	if total == 0 || width < 1 {
		return strings.Repeat("░", max(width, 0))
	}
	var b strings.Builder
	var sum, used int64
	for _, x := range []struct {
		n      int64
		sign   string
		colour Colour
	}{
		{c[job.Complete], "█", Green}, {c[job.Buried], "█", Red}, {c[job.Running] + c[job.Lost], "▒", Blue}, {total, "░", Grey},
	} {
		sum = min(sum+x.n, total)
		upTo := sum * int64(width) / total
		b.WriteString(p.screen.Paint(x.colour, strings.Repeat(x.sign, int(upTo-used))))
		used = upTo
	}
	return b.String()
}
