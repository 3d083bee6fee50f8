package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	vec "golang.org/x/image/vector"

	"github.com/muster-queue/muster/job"
)

// density is how many dots there are to a point.
const density = 2

// raster is a canvas of dots.
type raster struct {
	to    *image.RGBA
	rast  *vec.Rasterizer
	faces map[float64]font.Face
	// shapes are what is painted next, in dots.
	shapes [][]point
}

func newRaster(width, height float64) (*raster, error) {
	w, h := int(math.Ceil(width*density)), int(math.Ceil(height*density))
	r := &raster{to: image.NewRGBA(image.Rect(0, 0, w, h)), rast: vec.NewRasterizer(0, 0), faces: map[float64]font.Face{}}
	_, err := faceOf(1) // later ones have the same font
	return r, err
}

func (r *raster) bytes() ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, r.to); err != nil {
		return nil, job.Errorf(job.Internal, "write the picture: %w", err)
	}
	return b.Bytes(), nil
}

// rgba is the colour with an opacity.
func (c colour) rgba(opacity float64) color.RGBA {
	n, _ := strconv.ParseUint(string(c[1:]), 16, 32) // colours are ours
	part := func(shift int) uint8 { return uint8(math.Round(float64(n>>shift&0xff) * opacity)) }
	return color.RGBA{part(16), part(8), part(0), uint8(math.Round(255 * opacity))}
}

// outline adds a shape to what is painted next. All go the same way around: parts
// that lie over each other then add up.
func (r *raster) outline(points []point) {
	area := 0.0
	for i, p := range points {
		q := points[(i+1)%len(points)]
		area += p.x*q.y - q.x*p.y
	}
	dots := make([]point, len(points))
	for i, p := range points {
		if area < 0 {
			i = len(points) - 1 - i
		}
		dots[i] = point{p.x * density, p.y * density}
	}
	r.shapes = append(r.shapes, dots)
}

// paint paints the shapes, within the rectangle around them only.
func (r *raster) paint(c colour, opacity float64) {
	bounds := around(r.shapes).Intersect(r.to.Bounds())
	r.rast.Reset(bounds.Dx(), bounds.Dy())
	for _, shape := range r.shapes {
		for i, p := range shape {
			x, y := float32(p.x-float64(bounds.Min.X)), float32(p.y-float64(bounds.Min.Y))
			if i == 0 {
				r.rast.MoveTo(x, y)
			} else {
				r.rast.LineTo(x, y)
			}
		}
		r.rast.ClosePath()
	}
	r.shapes = r.shapes[:0]
	r.rast.DrawOp = draw.Over
	r.rast.Draw(r.to, bounds, image.NewUniform(c.rgba(opacity)), image.Point{})
}

// around is the least rectangle of whole dots around shapes.
func around(shapes [][]point) image.Rectangle {
	var all image.Rectangle
	for _, shape := range shapes {
		for _, p := range shape {
			x, y := int(math.Floor(p.x)), int(math.Floor(p.y))
			all = all.Union(image.Rect(x, y, x+1, y+1))
		}
	}
	return all
}

func (r *raster) fill(points []point, c colour, opacity float64) {
	if len(points) < 3 {
		return
	}
	r.outline(points)
	r.paint(c, opacity)
}

func (r *raster) stroke(points []point, p pen) {
	for _, part := range dashes(points, p.dash) {
		for i := 1; i < len(part); i++ {
			r.segment(part[i-1], part[i], p.width/2)
			if i > 1 {
				r.joint(part[i-1], p.width/2)
			}
		}
	}
	r.paint(p.colour, 1)
}

// segment outlines a line of twice that width.
func (r *raster) segment(a, b point, half float64) {
	length := math.Hypot(b.x-a.x, b.y-a.y)
	if length == 0 {
		return
	}
	dx, dy := -(b.y-a.y)/length*half, (b.x-a.x)/length*half
	r.outline([]point{{a.x + dx, a.y + dy}, {b.x + dx, b.y + dy}, {b.x - dx, b.y - dy}, {a.x - dx, a.y - dy}})
}

// joint outlines the round corner between two segments.
func (r *raster) joint(at point, radius float64) {
	const corners = 8
	round := make([]point, corners)
	for i := range round {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		round[i] = point{at.x + radius*cos, at.y + radius*sin}
	}
	r.outline(round)
}

// dashes cuts a line into pieces of that length, with gaps as long between them;
// zero cuts nothing.
func dashes(points []point, length float64) (list [][]point) {
	if length <= 0 || len(points) < 2 {
		return [][]point{points}
	}
	drawn, left := true, length
	piece := []point{points[0]}
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		for rest := math.Hypot(b.x-a.x, b.y-a.y); rest > 0; {
			step := min(rest, left)
			a = point{a.x + (b.x-a.x)*step/rest, a.y + (b.y-a.y)*step/rest}
			rest -= step
			piece = append(piece, a)
			if left -= step; left > 0 {
				continue
			}
			if drawn {
				list = append(list, piece)
			}
			drawn, left, piece = !drawn, length, []point{a}
		}
	}
	if drawn {
		list = append(list, piece)
	}
	return list
}

func (r *raster) write(at point, text string, l lettering) {
	face := r.faces[l.size]
	if face == nil {
		var err error
		if face, err = faceOf(l.size * density); err != nil {
			return // it was read before
		}
		r.faces[l.size] = face
	}
	d := font.Drawer{Dst: r.to, Src: image.NewUniform(l.colour.rgba(1)), Face: face}
	width := d.MeasureString(text)
	x := fixed.Int26_6(math.Round(at.x * density * 64))
	switch l.align {
	case middle:
		x -= width / 2
	case right:
		x -= width
	}
	d.Dot = fixed.Point26_6{X: x, Y: fixed.Int26_6(math.Round(at.y * density * 64))}
	d.DrawString(text)
}
