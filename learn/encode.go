package learn

import (
	"encoding/binary"
	"math"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster/job"
)

// A kind is stored as a format byte and varints: runs, last, the settings (CBOR,
// with their length), and per resource what is asked for, runs, largest, the weight
// of zeros, and the bins as pairs of distance and weight, with their number. Weights
// are in parts of the newest run's, of which those below half of one are nothing.
const (
	format      = 1
	weightParts = 64
	// MaxBody bounds an encoded kind.
	MaxBody = 4096
	// maxBin is above the bin of every amount.
	maxBin = 2100
	// maxWeight is above every weight: that of all runs of the longest half-life.
	maxWeight = 1 << 31
)

// Encode appends the kind as Decode reads it, in at most MaxBody bytes.
func (k *Kind) Encode(b []byte) []byte {
	b = append(b, format)
	b = binary.AppendUvarint(b, k.Runs)
	b = binary.AppendVarint(b, int64(k.Last))
	own, _ := cbor.Marshal(k.Own) // plain numbers cannot fail
	b = append(binary.AppendUvarint(b, uint64(len(own))), own...)
	for i := range k.sketches {
		b = binary.AppendUvarint(b, uint64(k.asked[i]))
		b = k.sketches[i].encode(b)
	}
	return b
}

func (s *sketch) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, s.runs)
	b = binary.AppendUvarint(b, uint64(s.max))
	if s.bins == nil {
		return append(b, 0, 0)
	}
	s.rescale()
	b = binary.AppendUvarint(b, parts(s.bins.GetZeroCount()))
	var list []byte
	n, last := uint64(0), 0
	s.bins.GetPositiveValueStore().ForEach(func(bin int, weight float64) bool {
		if w := parts(weight); w > 0 {
			list = binary.AppendUvarint(list, uint64(bin-last))
			list = binary.AppendUvarint(list, w)
			n, last = n+1, bin
		}
		return false
	})
	return append(binary.AppendUvarint(b, n), list...)
}

func parts(weight float64) uint64 { return uint64(math.Round(weight * weightParts)) }

// Decode reads what Encode wrote. The error is Damaged.
func Decode(b []byte) (*Kind, error) {
	if len(b) > MaxBody || len(b) == 0 || b[0] != format {
		return nil, job.Errorf(job.Damaged, "what was learned of a kind cannot be read: %d bytes, not of format %d", len(b), format)
	}
	d := decoder{b: b[1:]}
	k := &Kind{Runs: d.number(math.MaxUint64), Last: job.Time(d.signed())}
	if own := d.bytes(d.number(MaxBody)); !d.bad {
		d.bad = cbor.Unmarshal(own, &k.Own) != nil || k.Own.Validate() != nil
	}
	for i := range k.sketches {
		k.asked[i] = int64(d.number(job.MaxAmount + 1))
		d.sketch(&k.sketches[i])
	}
	if d.bad || len(d.b) > 0 {
		return nil, job.Errorf(job.Damaged, "what was learned of a kind is damaged")
	}
	return k, nil
}

// decoder reads one part after the other; bad says that one was not as it must be.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) number(most uint64) uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || n > most {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	part := d.b[:n]
	d.b = d.b[n:]
	return part
}

func (d *decoder) sketch(s *sketch) {
	s.runs = d.number(math.MaxUint64)
	s.max = int64(d.number(job.MaxAmount))
	zeros, n := d.number(maxWeight), d.number(maxBins)
	if zeros+n == 0 {
		d.bad = d.bad || s.runs > 0
		return
	}
	s.bins, s.scale = newBins(), 1
	_ = s.bins.AddWithCount(0, float64(zeros)/weightParts) // neither is negative
	for bin := 0; n > 0 && !d.bad; n-- {
		bin += int(d.number(maxBin))
		weight := float64(d.number(maxWeight)) / weightParts
		if d.bad = d.bad || bin > maxBin || weight == 0; !d.bad {
			s.bins.GetPositiveValueStore().AddWithCount(bin, weight)
		}
	}
}
