package picture

import (
	"fmt"
	"time"

	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/simulate"
)

// panel is one diagram of a column: a line for each series, and its bound dashed.
type panel struct {
	heading string
	y       float64
	height  float64
	scale   scale
	// value is of an account at a sample, bound its rate or cap.
	value, bound func(*simulate.AccountSample) float64
	// steps: the value holds since the sample before; else it is of the moment.
	steps bool
	// workers: how many there are is shown.
	workers bool
	// funded: only those have a line who ever have a bound, or more than nothing.
	funded bool
	// rug are the series whose preempted runs are marked above the panel.
	rug []int
}

// rugHeight is the room that the marks need.
func (n *panel) rugHeight() float64 {
	if len(n.rug) == 0 {
		return 0
	}
	return float64(len(n.rug))*rugRow + 3
}

// choose makes the panels that have anything to show.
func (p *page) choose() (list []*panel) {
	running := &panel{
		heading: "Running: workers, on average between two points", height: 230, steps: true, workers: true,
		value: func(a *simulate.AccountSample) (n float64) {
			for _, v := range a.Workers {
				n += v
			}
			return n
		},
		bound: func(a *simulate.AccountSample) float64 { return a.Rate },
	}
	waiting := &panel{
		heading: "Waiting: jobs that are ready", height: 90,
		value: func(a *simulate.AccountSample) float64 { return float64(a.Ready) },
	}
	running.rug = p.preempted()
	list = append(list, running, waiting)
	p.measure(running, 1)
	p.measure(waiting, 1)
	for level := range schedule.Free {
		balance := &panel{
			height: 120, funded: true,
			value: func(a *simulate.AccountSample) float64 { return a.Balance[level] },
			bound: func(a *simulate.AccountSample) float64 { return a.Cap[level] },
		}
		low, high := p.extremes(balance)
		if low == 0 && high == 0 {
			continue
		}
		unit, name := unitOf(max(-low, high))
		balance.heading = fmt.Sprintf("Balance at level %d, in worker-%s", level, name)
		p.measure(balance, unit)
		list = append(list, balance)
	}
	return list
}

// unitOf is the unit of time that makes an amount easy to read.
func unitOf(seconds float64) (unit float64, name string) {
	switch {
	case seconds >= 2*3600:
		return 3600, "hours"
	case seconds >= 2*60:
		return 60, "minutes"
	}
	return 1, "seconds"
}

// preempted are the series with runs that were.
func (p *page) preempted() (list []int) {
	for s := range p.series {
		for _, c := range p.columns {
			if c.any(c.places[s], preemptions) {
				list = append(list, s)
				break
			}
		}
	}
	return list
}

func preemptions(a *simulate.AccountSample) float64 { return float64(a.Preempted) }

// any reports whether a value of a series is ever more than nothing.
func (c *column) any(places []int, value func(*simulate.AccountSample) float64) bool {
	for i := range c.Samples {
		if c.sum(i, places, value) > 0 {
			return true
		}
	}
	return false
}

// shown reports whether a series has a line in the panel.
func (n *panel) shown(c *column, series int) bool {
	places := c.places[series]
	return len(places) > 0 && (!n.funded || c.any(places, n.value) || c.any(places, n.bound))
}

func (p *page) measure(n *panel, unit float64) {
	low, high := p.extremes(n)
	n.scale = newScale(low, high, unit)
}

// extremes are the least and the largest of what is drawn.
func (p *page) extremes(n *panel) (low, high float64) {
	for _, c := range p.columns {
		for i := range c.Samples {
			if n.workers {
				high = max(high, float64(c.Samples[i].Capacity))
			}
			for s, places := range c.places {
				if !n.shown(c, s) {
					continue
				}
				v, b := c.sum(i, places, n.value), c.sum(i, places, n.bound)
				low, high = min(low, v, b), max(high, v, b)
			}
		}
	}
	return low, high
}

// sum adds a value up over the accounts of a series; none is zero.
func (c *column) sum(sample int, places []int, value func(*simulate.AccountSample) float64) (sum float64) {
	if value == nil {
		return 0
	}
	for _, i := range places {
		sum += value(&c.Samples[sample].Accounts[i])
	}
	return sum
}

func (n *panel) draw(c canvas, p *page, col *column) {
	n.drawFrame(c, col)
	if n.workers {
		n.line(c, col, pen{ink, 1.5, 0}, false, func(i int) float64 { return float64(col.Samples[i].Capacity) })
	}
	for s := range p.series {
		if n.bound != nil && col.any(col.places[s], n.bound) {
			n.line(c, col, pen{p.series[s].colour, 1.2, 4}, false, func(i int) float64 { return col.sum(i, col.places[s], n.bound) })
		}
	}
	for s := range p.series {
		if n.shown(col, s) {
			n.line(c, col, pen{p.series[s].colour, 1.8, 0}, n.steps, func(i int) float64 { return col.sum(i, col.places[s], n.value) })
		}
	}
	n.drawRug(c, p, col)
}

// drawFrame draws the axes, the grid and the heading.
func (n *panel) drawFrame(c canvas, col *column) {
	c.write(point{col.x, n.y - n.rugHeight() - 7}, n.heading, lettering{ink, textSize, left})
	for _, d := range col.times() {
		x := col.timeAt(d)
		c.stroke([]point{{x, n.y}, {x, n.y + n.height}}, pen{grid, 1, 0})
	}
	for _, v := range n.scale.ticks() {
		y := n.place(v * n.scale.unit)
		line := pen{grid, 1, 0}
		if v == 0 && n.scale.low < 0 {
			line = pen{frame, 1, 0}
		}
		c.stroke([]point{{col.x, y}, {col.x + col.width, y}}, line)
		c.write(point{col.x - 6, y + 4}, n.scale.label(v), lettering{faint, smallSize, right})
	}
	c.stroke(append(box(col.x, n.y, col.width, n.height), point{col.x, n.y}), pen{frame, 1, 0})
}

// place is where a value is.
func (n *panel) place(v float64) float64 { return n.y + n.height*(1-n.scale.at(v)) }

// line draws a value over time. One that is back holds since the sample before;
// a bound holds until the next.
func (n *panel) line(c canvas, col *column, p pen, back bool, value func(i int) float64) {
	var points []point
	for i := range col.Samples {
		x := col.timeAt(col.Samples[i].At)
		switch {
		case back && i == 0:
			continue
		case back:
			y := n.place(value(i))
			points = append(points, point{col.timeAt(col.Samples[i-1].At), y}, point{x, y})
		case i > 0 && (p.dash > 0 || n.workers):
			points = append(points, point{x, n.place(value(i - 1))}, point{x, n.place(value(i))})
		default:
			points = append(points, point{x, n.place(value(i))})
		}
	}
	if len(points) > 1 {
		c.stroke(simplified(points), p)
	}
}

// simplified leaves out points within level or upright parts.
func simplified(points []point) []point {
	out := points[:0:0]
	for i, p := range points {
		if n := len(out); i+1 < len(points) && n > 0 {
			before, next := out[n-1], points[i+1]
			if before.y == p.y && p.y == next.y || before.x == p.x && p.x == next.x && (before.y-p.y)*(p.y-next.y) >= 0 {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// drawRug marks when runs were preempted: a row of strokes for each series.
func (n *panel) drawRug(c canvas, p *page, col *column) {
	for row, s := range n.rug {
		y := n.y - n.rugHeight() + float64(row)*rugRow
		for i := 1; i < len(col.Samples); i++ {
			if col.sum(i, col.places[s], preemptions) > 0 {
				at := (col.timeAt(col.Samples[i-1].At) + col.timeAt(col.Samples[i].At)) / 2
				c.stroke([]point{{at, y}, {at, y + rugRow - 2}}, pen{p.series[s].colour, 1.5, 0})
			}
		}
	}
}

// thinned joins samples until there are no more than so many.
func thinned(samples []simulate.Sample, most int) []simulate.Sample {
	stride := (len(samples) + most - 1) / most
	if stride <= 1 {
		return samples
	}
	out := []simulate.Sample{samples[0]}
	for i := 1; i < len(samples); i += stride {
		out = append(out, joined(samples[i-1].At, samples[i:min(i+stride, len(samples))]))
	}
	return out
}

// joined is the last of some samples, with what happened in all of them.
func joined(from time.Duration, some []simulate.Sample) simulate.Sample {
	out := some[len(some)-1]
	out.Accounts = append([]simulate.AccountSample(nil), out.Accounts...)
	whole := (out.At - from).Seconds()
	for i := range out.Accounts {
		a := &out.Accounts[i]
		a.Preempted = 0
		a.Workers = [schedule.Levels + 1]float64{}
		before := from
		for j := range some {
			part := (some[j].At - before).Seconds() / whole
			before = some[j].At
			a.Preempted += some[j].Accounts[i].Preempted
			for level, v := range some[j].Accounts[i].Workers {
				a.Workers[level] += v * part
			}
		}
	}
	return out
}
