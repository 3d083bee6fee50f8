package picture

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// vector is a canvas of SVG.
type vector struct{ b bytes.Buffer }

func newVector(width, height float64) *vector {
	v := &vector{}
	fmt.Fprintf(&v.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" font-family="Go, Helvetica, Arial, sans-serif">`+"\n",
		number(width), number(height), number(width), number(height))
	return v
}

func (v *vector) bytes() []byte {
	v.b.WriteString("</svg>\n")
	return v.b.Bytes()
}

// number has at most one digit after the point, which is enough for eyes.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 1, 64)
	if s = strings.TrimSuffix(s, ".0"); s == "-0" {
		return "0"
	}
	return s
}

// path is the way through points; level and upright parts are written short.
func path(points []point) string {
	var b strings.Builder
	var x, y string
	for i, p := range points {
		px, py := number(p.x), number(p.y)
		switch {
		case i == 0:
			b.WriteString("M" + px + " " + py)
		case px == x && py == y:
		case px == x:
			b.WriteString("V" + py)
		case py == y:
			b.WriteString("H" + px)
		default:
			b.WriteString("L" + px + " " + py)
		}
		x, y = px, py
	}
	return b.String()
}

func (v *vector) fill(points []point, c colour, opacity float64) {
	more := ""
	if opacity < 1 {
		more = fmt.Sprintf(` fill-opacity="%g"`, opacity)
	}
	fmt.Fprintf(&v.b, `<path d="%sZ" fill="%s"%s/>`+"\n", path(points), c, more)
}

func (v *vector) stroke(points []point, p pen) {
	dash := ""
	if p.dash > 0 {
		dash = fmt.Sprintf(` stroke-dasharray="%g"`, p.dash)
	}
	fmt.Fprintf(&v.b, `<path d="%s" fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"%s/>`+"\n", path(points), p.colour, p.width, dash)
}

func (v *vector) write(at point, text string, l lettering) {
	anchor := [...]string{"start", "middle", "end"}[l.align]
	fmt.Fprintf(&v.b, `<text x="%s" y="%s" font-size="%g" fill="%s" text-anchor="%s">`, number(at.x), number(at.y), l.size, l.colour, anchor)
	_ = xml.EscapeText(&v.b, []byte(text)) // a buffer takes all
	v.b.WriteString("</text>\n")
}
