package queue

import (
	"math/bits"

	"github.com/muster-queue/muster/job"
)

// pages find slots by sequence number, in pages of 64 consecutive numbers, so
// that live jobs can be visited in order from anywhere.
type pages struct {
	dir map[uint64]*page
	// The page used last, for the many look-ups in a row.
	last   *page
	lastNo uint64
}

type page struct {
	mask  uint64
	slots [64]uint32
}

func (p *pages) page(no uint64) *page {
	if p.last != nil && p.lastNo == no {
		return p.last
	}
	pg := p.dir[no]
	if pg != nil {
		p.last, p.lastNo = pg, no
	}
	return pg
}

func (p *pages) find(seq job.Seq) uint32 {
	if pg := p.page(uint64(seq) / 64); pg != nil {
		return pg.slots[seq%64]
	}
	return 0
}

func (p *pages) put(seq job.Seq, slot uint32) {
	no := uint64(seq) / 64
	pg := p.page(no)
	if pg == nil {
		pg = new(page)
		if p.dir == nil {
			p.dir = make(map[uint64]*page)
		}
		p.dir[no] = pg
	}
	pg.mask |= 1 << (seq % 64)
	pg.slots[seq%64] = slot
}

func (p *pages) remove(seq job.Seq) {
	no := uint64(seq) / 64
	pg := p.page(no)
	pg.mask &^= 1 << (seq % 64)
	pg.slots[seq%64] = 0
	if pg.mask == 0 {
		delete(p.dir, no)
		p.last = nil
	}
}

// next finds the first live number at or after seq and below end, looking at no
// more than work pages; stop is where it gave up (end when there is none).
func (p *pages) next(seq, end job.Seq, work int) (slot uint32, stop job.Seq) {
	for ; seq < end && work > 0; work-- {
		if pg := p.page(uint64(seq) / 64); pg != nil {
			if m := pg.mask >> (seq % 64); m != 0 {
				seq += job.Seq(bits.TrailingZeros64(m))
				return pg.slots[seq%64], seq
			}
		}
		seq = (seq/64 + 1) * 64
	}
	return 0, min(seq, end)
}
