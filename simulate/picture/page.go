package picture

import (
	"fmt"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
)

// The measures of a page, in points.
const (
	margin     = 16.0
	axisRoom   = 56.0 // for the numbers left of a panel
	columnGap  = 28.0 // between a column and the numbers of the next
	headRoom   = 22.0 // for a panel's heading
	panelGap   = 16.0
	titleRoom  = 26.0
	legendLine = 18.0
	footRoom   = 40.0 // for the times below
	textSize   = 12.0
	smallSize  = 11.0
	rugRow     = 7.0
	pointWidth = 4.0 // the least room of a sample
)

// page is a picture: columns of panels, one column a result.
type page struct {
	width, height float64
	series        []series
	columns       []*column
	panels        []*panel
	legend        [][]entry
}

// column is a result with where it is drawn.
type column struct {
	*simulate.Result
	x, width float64
	// places are those of the series in the samples.
	places [][]int
}

// entry is a word of the legend with a sample of its line.
type entry struct {
	text string
	pen  pen
	rug  bool // strokes, as for what was preempted
	x    float64
}

func newPage(results []*simulate.Result) *page {
	p := &page{series: seriesOf(results)}
	width := [...]float64{860, 560, 440, 380}[len(results)-1]
	x := margin + axisRoom
	for _, r := range results {
		thin := *r
		thin.Samples = thinned(r.Samples, int(width/pointWidth))
		c := &column{Result: &thin, x: x, width: width}
		for i := range p.series {
			c.places = append(c.places, p.places(i, r))
		}
		p.columns = append(p.columns, c)
		x += width + columnGap + axisRoom
	}
	p.width = x - columnGap - axisRoom + 2*margin
	p.panels = p.choose()
	p.addLegend()
	y := margin + titleRoom + float64(len(p.legend))*legendLine
	for _, n := range p.panels {
		y += headRoom + n.rugHeight()
		n.y = y
		y += n.height + panelGap
	}
	p.height = y - panelGap + footRoom
	return p
}

// places are where the accounts of a series are in a result.
func (p *page) places(series int, r *simulate.Result) (list []int) {
	own := map[string]bool{}
	for i := range p.series {
		if !p.series[i].rest {
			own[p.series[i].name] = true
		}
	}
	for i := range r.Accounts {
		name := r.Accounts[i].Name
		if p.series[series].rest && !own[name] || !p.series[series].rest && name == p.series[series].name {
			list = append(list, i)
		}
	}
	return list
}

// addLegend breaks the legend into lines, as wide as the first column.
func (p *page) addLegend() {
	var all []entry
	for i := range p.series {
		all = append(all, entry{text: p.series[i].title(), pen: pen{p.series[i].colour, 2, 0}})
	}
	all = append(all, entry{text: "rate, or cap", pen: pen{faint, 1.2, 4}}, entry{text: "workers there are", pen: pen{ink, 1.5, 0}})
	if len(p.panels[0].rug) > 0 {
		all = append(all, entry{text: "a run of it was preempted", pen: pen{faint, 1.5, 0}, rug: true})
	}
	begin := p.columns[0].x
	end, x := begin+p.columns[0].width, begin
	var line []entry
	for _, e := range all {
		w := 22 + 6 + widthOf(e.text, textSize)
		if x+w > end && len(line) > 0 {
			p.legend = append(p.legend, line)
			line, x = nil, begin
		}
		e.x = x
		line = append(line, e)
		x += w + 20
	}
	p.legend = append(p.legend, line)
}

func (p *page) draw(c canvas) {
	c.fill(box(0, 0, p.width, p.height), white, 1)
	for _, col := range p.columns {
		c.write(point{col.x, margin + textSize}, fit(col.title(), col.width, textSize), lettering{ink, 14, left})
	}
	p.drawLegend(c)
	for _, n := range p.panels {
		for _, col := range p.columns {
			n.draw(c, p, col)
		}
	}
	for _, col := range p.columns {
		p.drawTimes(c, col)
	}
}

// title is what a column is about.
func (c *column) title() string {
	return fmt.Sprintf("%s: %s, %s done, %d preempted", c.Name, timeLabel(c.Duration.Truncate(time.Second)), job.Plural(c.Done, "job"), c.Preemptions())
}

// fit cuts a text to a width.
func fit(text string, width, size float64) string {
	if widthOf(text, size) <= width {
		return text
	}
	r := []rune(text)
	for len(r) > 1 && widthOf(string(r)+"…", size) > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

func (p *page) drawLegend(c canvas) {
	y := margin + titleRoom
	for _, line := range p.legend {
		for _, e := range line {
			if e.rug {
				for x := e.x + 4; x < e.x+22; x += 6 {
					c.stroke([]point{{x, y + 3}, {x, y + 8}}, e.pen)
				}
			} else {
				c.stroke([]point{{e.x, y + 6}, {e.x + 22, y + 6}}, e.pen)
			}
			c.write(point{e.x + 28, y + 10}, e.text, lettering{ink, textSize, left})
		}
		y += legendLine
	}
}

// timeAt is where a time is in a column.
func (c *column) timeAt(d time.Duration) float64 {
	if c.Duration == 0 {
		return c.x
	}
	return c.x + c.width*float64(d)/float64(c.Duration)
}

// times are those with a tick.
func (c *column) times() (list []time.Duration) {
	step := timeStep(c.Duration, int(c.width/64))
	for d := time.Duration(0); d <= c.Duration; d += step {
		list = append(list, d)
	}
	return list
}

func (p *page) drawTimes(c canvas, col *column) {
	last := p.panels[len(p.panels)-1]
	y := last.y + last.height
	for _, d := range col.times() {
		c.write(point{col.timeAt(d), y + 15}, timeLabel(d), lettering{faint, smallSize, middle})
	}
	c.write(point{col.x + col.width/2, y + 31}, "time since the beginning", lettering{faint, smallSize, middle})
}
