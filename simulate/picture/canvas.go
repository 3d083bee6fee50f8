package picture

import (
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/muster-queue/muster/job"
)

// colour is "#rrggbb".
type colour string

const (
	white colour = "#ffffff"
	ink   colour = "#222222"
	faint colour = "#666666"
	grid  colour = "#e4e4e4"
	frame colour = "#bbbbbb"
)

// point is a place, in points from the upper left corner.
type point struct{ x, y float64 }

// pen is how a line is drawn; dash is how long its dashes and gaps are, zero for
// none.
type pen struct {
	colour colour
	width  float64
	dash   float64
}

// align is which end of a text is at its place.
type align uint8

const (
	left align = iota
	middle
	right
)

// lettering is how a text is written.
type lettering struct {
	colour colour
	size   float64
	align  align
}

// canvas is what pictures are drawn on.
type canvas interface {
	// fill fills the shape that the points enclose; 0 < opacity <= 1.
	fill(points []point, c colour, opacity float64)
	// stroke draws lines from point to point.
	stroke(points []point, p pen)
	// write writes a text; its base line is at the point.
	write(at point, text string, l lettering)
}

func box(x, y, w, h float64) []point {
	return []point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}
}

// faceOf is the font at a size.
var regular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

func faceOf(size float64) (font.Face, error) {
	f, err := regular()
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the font: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the font: %w", err)
	}
	return face, nil
}

// widthOf is about how wide a text is.
func widthOf(text string, size float64) float64 {
	face, err := faceOf(size)
	if err != nil {
		return float64(len(text)) * size * 0.6
	}
	return float64(font.MeasureString(face, text)) / float64(fixed.I(1))
}
