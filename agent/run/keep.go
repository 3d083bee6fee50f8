package run

import (
	"bytes"

	"github.com/muster-queue/muster/job"
)

// window holds the last limit bytes written to it.
type window struct {
	limit int
	buf   []byte // up to twice the limit, so that sliding is rare
}

func (w *window) write(p []byte) {
	if len(p) > w.limit {
		p = p[len(p)-w.limit:]
	}
	if len(w.buf)+len(p) > 2*w.limit {
		n := copy(w.buf, w.buf[len(w.buf)-w.limit:])
		w.buf = w.buf[:n]
	}
	w.buf = append(w.buf, p...)
}

func (w *window) bytes() []byte {
	return w.buf[max(0, len(w.buf)-w.limit):]
}

// from copies what the window has from offset on, where total bytes were written
// in all, and says where that begins.
func (w *window) from(offset, total int64) ([]byte, int64) {
	b := w.bytes()
	begin := max(offset, total-int64(len(b)))
	return bytes.Clone(b[int64(len(b))-(total-begin):]), begin
}

// kept holds the beginning and the end of an output, progress bars reduced.
type kept struct {
	limit int
	head  []byte
	tail  window
	total int64
	bars  reducer
}

func newKept(limit int) kept {
	switch {
	case limit == 0:
		limit = job.DefaultKeep
	case limit < 0:
		limit = 0
	}
	return kept{limit: limit, tail: window{limit: limit}}
}

func (k *kept) write(p []byte) { k.bars.write(p, k.add) }

func (k *kept) end() { k.bars.end(k.add) }

func (k *kept) add(p []byte) {
	k.total += int64(len(p))
	n := min(len(p), k.limit-len(k.head))
	k.head = append(k.head, p[:n]...)
	if len(p) > n {
		k.tail.write(p[n:])
	}
}

func (k *kept) output() job.Output {
	out := job.Output{Head: k.head, Tail: k.tail.bytes()}
	out.Omitted = k.total - int64(out.Size())
	return out
}

// reducer leaves out the middle of progress bars: of the versions of a line that
// carriage returns put over each other, the first and the last stay.
type reducer struct {
	cr       bool   // a carriage return was the last byte
	over     bool   // the line is being written over
	versions int    // versions after the first
	last     []byte // the last complete version
	now      []byte // the version being written
}

// barBytes bounds what is kept of one version.
const barBytes = 4096

func (r *reducer) write(p []byte, emit func([]byte)) {
	for len(p) > 0 {
		switch {
		case r.over:
			p = r.skip(p, emit)
		case r.cr && p[0] == '\n':
			r.cr = false
			emit([]byte("\r\n"))
			p = p[1:]
		case r.cr:
			r.cr, r.over, r.versions = false, true, 0
			r.last, r.now = r.last[:0], r.now[:0]
		default:
			i := bytes.IndexByte(p, '\r')
			if i < 0 {
				emit(p)
				return
			}
			emit(p[:i])
			r.cr = true
			p = p[i+1:]
		}
	}
}

// skip takes the rest of a version, or all there is, and returns what follows.
func (r *reducer) skip(p []byte, emit func([]byte)) []byte {
	i := bytes.IndexAny(p, "\r\n")
	end := i
	if i < 0 {
		end = len(p)
	}
	r.now = append(r.now, p[:min(end, barBytes-len(r.now))]...)
	if i < 0 {
		return nil
	}
	r.version()
	if p[i] == '\n' {
		r.show(emit)
		emit(p[i : i+1])
	}
	return p[i+1:]
}

// version ends a version; empty ones do not count.
func (r *reducer) version() {
	if len(r.now) > 0 {
		r.versions++
		r.last, r.now = r.now, r.last[:0]
	}
}

// show writes what stays of the versions after the first.
func (r *reducer) show(emit func([]byte)) {
	r.over = false
	switch r.versions {
	case 0:
		return
	case 1:
		emit([]byte{'\r'})
	default:
		emit([]byte("\n[...]\n"))
	}
	emit(r.last)
}

// end writes what is held back when no more comes.
func (r *reducer) end(emit func([]byte)) {
	if r.over {
		r.version()
		r.show(emit)
	}
}
