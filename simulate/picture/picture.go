// Package picture draws what a simulation found, as SVG or PNG: running jobs with
// the rates of their accounts, who waits, and balances with their caps, over time.
// Several results stand beside each other, to the same scale. The command line calls
// it.
package picture

import (
	"cmp"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
)

// Format is the form of a picture.
type Format uint8

// The formats.
const (
	SVG Format = iota
	PNG
)

// MaxResults is how many results can stand beside each other.
const MaxResults = 4

// maxSeries is how many lines a panel has at most.
const maxSeries = 8

// Draw draws results. Errors: Invalid.
func Draw(results []*simulate.Result, format Format) ([]byte, error) {
	if len(results) == 0 || len(results) > MaxResults {
		return nil, job.Errorf(job.Invalid, "a picture of %d simulations; it can have 1 to %d", len(results), MaxResults)
	}
	p := newPage(results)
	if format == PNG {
		c, err := newRaster(p.width, p.height)
		if err != nil {
			return nil, err
		}
		p.draw(c)
		return c.bytes()
	}
	c := newVector(p.width, p.height)
	p.draw(c)
	return c.bytes(), nil
}

// series is what is drawn in one colour: an account, or all that have none of their
// own.
type series struct {
	name   string
	colour colour
	rest   bool
}

// The colours of series: apart for all eyes, the last for the rest.
var palette = [maxSeries]colour{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#888888"}

// seriesOf gives colours to the accounts that took the most.
func seriesOf(results []*simulate.Result) []series {
	names := simulate.Names(results)
	took := map[string]float64{}
	for _, r := range results {
		for i := range r.Accounts {
			took[r.Accounts[i].Name] += r.Accounts[i].Total()
		}
	}
	if len(names) > maxSeries {
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(took[b], took[a]) })
		names = names[:maxSeries-1]
		slices.Sort(names)
	}
	var list []series
	for i, name := range names {
		list = append(list, series{name: name, colour: palette[i]})
	}
	if len(names) < len(took) {
		list = append(list, series{name: "the others", colour: palette[maxSeries-1], rest: true})
	}
	return list
}

// title is the name of a series as people see it.
func (s *series) title() string {
	if s.name == "" {
		return "(no account)"
	}
	return s.name
}
