package pebble

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"

	"github.com/muster-queue/muster/job"
)

// State records are written for every transition of every job, so they are
// packed by hand: a format byte, a mask of the fields that are not zero, the key
// digest, then the fields, numbers as varints and times as distances from the
// time of adding. A queued job takes about 45 bytes.
const formatLive = 1

// Bits of the mask.
const (
	hasPriority = 1 << iota
	hasShapeOnly
	hasGroup
	hasKind
	hasMark
	hasEnd // reason, exit, outcome
	hasGiven
	hasCounts // number, starts, failures, losses
	hasRetries
	hasAttempt
	hasWorker
	hasDue
	hasLease
	hasSince
	hasGranted
	hasStarted
)

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func liveMask(l *job.Live) uint64 {
	var m uint64
	set := func(bit uint64, on bool) {
		if on {
			m |= bit
		}
	}
	set(hasPriority, l.Priority != 0 || math.Signbit(l.Priority))
	set(hasGroup, l.Group != 0)
	set(hasKind, l.Kind != 0)
	set(hasShapeOnly, l.Shape != 0)
	set(hasMark, l.Mark != 0)
	set(hasEnd, l.Reason != 0 || l.Exit != 0 || l.Outcome != 0)
	set(hasGiven, l.GivenVersion != 0)
	set(hasCounts, l.Number|l.Starts|l.Failures|l.Losses != 0)
	set(hasRetries, l.Retries != job.RetriesDefault)
	set(hasAttempt, !l.Attempt.IsZero())
	set(hasWorker, l.Worker != 0)
	set(hasDue, l.Due != 0)
	set(hasLease, l.Lease != 0)
	set(hasSince, l.Since != l.Added)
	set(hasGranted, l.Granted != 0)
	set(hasStarted, l.Started != 0)
	return m
}

// appendLive appends the stored form of l. Its sequence number is in the key.
func appendLive(b []byte, l *job.Live) []byte {
	m := liveMask(l)
	b = append(b, formatLive)
	b = binary.LittleEndian.AppendUint16(b, uint16(m))
	b = append(b, l.Digest[:]...)
	b = append(b, byte(l.State), byte(l.Flags))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.Added))
	b = binary.AppendUvarint(b, zigzag(int64(l.Place-uint64(l.Seq))))
	b = binary.AppendUvarint(b, uint64(l.Queue))
	b = binary.AppendUvarint(b, uint64(l.Version))
	b = binary.AppendUvarint(b, uint64(l.Size))
	b = appendIdentity(b, m, l)
	b = appendOutcome(b, m, l)
	return appendTimes(b, m, l)
}

func appendIdentity(b []byte, m uint64, l *job.Live) []byte {
	if m&hasPriority != 0 {
		b = binary.AppendUvarint(b, bits.ReverseBytes64(math.Float64bits(l.Priority)))
	}
	if m&hasGroup != 0 {
		b = binary.AppendUvarint(b, uint64(l.Group))
	}
	if m&hasKind != 0 {
		b = binary.AppendUvarint(b, uint64(l.Kind))
	}
	if m&hasShapeOnly != 0 {
		b = binary.AppendUvarint(b, uint64(l.Shape))
	}
	return b
}

func appendOutcome(b []byte, m uint64, l *job.Live) []byte {
	if m&hasMark != 0 {
		b = append(b, byte(l.Mark))
	}
	if m&hasEnd != 0 {
		b = append(b, byte(l.Reason), byte(l.Outcome))
		b = binary.AppendUvarint(b, zigzag(int64(l.Exit)))
	}
	if m&hasGiven != 0 {
		b = binary.AppendUvarint(b, uint64(l.GivenVersion))
	}
	if m&hasCounts != 0 {
		b = binary.AppendUvarint(b, uint64(l.Number))
		b = binary.AppendUvarint(b, uint64(l.Starts))
		b = binary.AppendUvarint(b, uint64(l.Failures))
		b = binary.AppendUvarint(b, uint64(l.Losses))
	}
	if m&hasRetries != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Retries)))
	}
	if m&hasAttempt != 0 {
		b = binary.AppendUvarint(b, uint64(l.Attempt.Epoch))
		b = binary.AppendUvarint(b, l.Attempt.N)
	}
	if m&hasWorker != 0 {
		b = binary.AppendUvarint(b, uint64(l.Worker))
	}
	return b
}

func appendTimes(b []byte, m uint64, l *job.Live) []byte {
	if m&hasDue != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Due-l.Added)))
	}
	if m&hasLease != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Lease)))
	}
	if m&hasSince != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Since-l.Added)))
	}
	if m&hasGranted != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Granted-l.Added)))
	}
	if m&hasStarted != 0 {
		b = binary.AppendUvarint(b, zigzag(int64(l.Started-l.Added)))
	}
	return b
}

// reader takes fields off a record; after a short or overlong field bad stays
// set and every field is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 && !r.bad {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.bad = true
	}
	return uint32(v)
}

func (r *reader) int32() int32 {
	v := unzigzag(r.uvarint())
	if v != int64(int32(v)) {
		r.bad = true
	}
	return int32(v)
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// decodeLive reads the stored form of the job seq. Anything else than what
// appendLive writes is a Damaged error.
func decodeLive(b []byte, seq job.Seq, l *job.Live) error {
	if len(b) == 0 || b[0] != formatLive {
		return job.Errorf(job.Damaged, "state of job %d: unknown record format; was it written by a newer release?", seq)
	}
	r := reader{b: b[1:]}
	*l = job.Live{Seq: seq, Retries: job.RetriesDefault}
	r.live(l)
	if r.bad || len(r.b) != 0 {
		return job.Errorf(job.Damaged, "state of job %d: the record is cut off or has bytes too many", seq)
	}
	return nil
}

func (r *reader) live(l *job.Live) {
	m := uint64(binary.LittleEndian.Uint16(r.take(2)))
	copy(l.Digest[:], r.take(len(l.Digest)))
	l.State, l.Flags = job.State(r.byte()), job.Flags(r.byte())
	l.Added = job.Time(binary.LittleEndian.Uint64(r.take(8)))
	l.Place = uint64(r.varint()) + uint64(l.Seq)
	l.Queue = job.QueueID(r.uint32())
	l.Version = r.uint32()
	l.Size = r.uint32()
	r.identity(m, l)
	r.outcome(m, l)
	r.times(m, l)
}

func (r *reader) identity(m uint64, l *job.Live) {
	if m&hasPriority != 0 {
		l.Priority = math.Float64frombits(bits.ReverseBytes64(r.uvarint()))
	}
	if m&hasGroup != 0 {
		l.Group = job.GroupID(r.uint32())
	}
	if m&hasKind != 0 {
		l.Kind = job.KindID(r.uint32())
	}
	if m&hasShapeOnly != 0 {
		l.Shape = job.ShapeID(r.uint32())
	}
}

func (r *reader) outcome(m uint64, l *job.Live) {
	if m&hasMark != 0 {
		l.Mark = job.Mark(r.byte())
	}
	if m&hasEnd != 0 {
		l.Reason, l.Outcome = job.Reason(r.byte()), job.Outcome(r.byte())
		l.Exit = r.int32()
	}
	if m&hasGiven != 0 {
		l.GivenVersion = r.uint32()
	}
	if m&hasCounts != 0 {
		l.Number, l.Starts = r.uint32(), r.uint32()
		l.Failures, l.Losses = r.uint32(), r.uint32()
	}
	if m&hasRetries != 0 {
		l.Retries = r.int32()
	}
	if m&hasAttempt != 0 {
		l.Attempt = job.AttemptID{Epoch: r.uint32(), N: r.uvarint()}
	}
	if m&hasWorker != 0 {
		l.Worker = job.WorkerID(r.uint32())
	}
}

func (r *reader) times(m uint64, l *job.Live) {
	l.Since = l.Added
	if m&hasDue != 0 {
		l.Due = l.Added + job.Time(r.varint())
	}
	if m&hasLease != 0 {
		l.Lease = time.Duration(r.varint())
	}
	if m&hasSince != 0 {
		l.Since = l.Added + job.Time(r.varint())
	}
	if m&hasGranted != 0 {
		l.Granted = l.Added + job.Time(r.varint())
	}
	if m&hasStarted != 0 {
		l.Started = l.Added + job.Time(r.varint())
	}
}

// A history record is the state record with the time of the end and the
// sequence number before it. Its end number is in the key. The second format has
// the job's key in front, the third a set of what is in front.
const (
	formatFinished      = 1
	formatFinishedKeyed = 2
	formatFinishedWith  = 3
)

// What may be in front of a history record, in this order.
const (
	withKey = 1 << iota
	withDepGroups
	withUsed
	withHost
)

// frontOf is the set of what is in front of a record.
func frontOf(f *job.Finished) (with uint64) {
	if f.Keyed {
		with |= withKey
	}
	if len(f.DepGroups) > 0 {
		with |= withDepGroups
	}
	if f.Used != (job.Usage{}) {
		with |= withUsed
	}
	if f.Host != "" {
		with |= withHost
	}
	return with
}

func appendFinished(b []byte, f *job.Finished) []byte {
	switch with := frontOf(f); with {
	case 0:
		b = append(b, formatFinished)
	case withKey:
		b = appendText(append(b, formatFinishedKeyed), string(f.Key))
	default:
		b = appendFront(append(b, formatFinishedWith), f, with)
	}
	b = binary.AppendUvarint(b, uint64(f.Seq))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Ended))
	return appendLive(b, &f.Live)
}

func decodeFinished(b []byte, end uint64, f *job.Finished) error {
	r := reader{b: b}
	format := r.byte()
	f.Keyed, f.Key, f.DepGroups, f.Used, f.Host = false, "", nil, job.Usage{}, ""
	switch format {
	case formatFinished:
	case formatFinishedKeyed:
		r.key(f)
	case formatFinishedWith:
		r.front(f)
	default:
		r.bad = true
	}
	seq := job.Seq(r.uvarint())
	ended := job.Time(binary.LittleEndian.Uint64(r.take(8)))
	if r.bad {
		return job.Errorf(job.Damaged, "history record %d: unknown record format; was it written by a newer release?", end)
	}
	f.End, f.Ended = end, ended
	return decodeLive(r.b, seq, &f.Live)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func (r *reader) text() string { return string(r.take(int(min(r.uvarint(), uint64(len(r.b))+1)))) }

func (r *reader) key(f *job.Finished) { f.Keyed, f.Key = true, job.Key(r.text()) }

// appendFront appends the set of what is in front of a history record, and that.
func appendFront(b []byte, f *job.Finished, with uint64) []byte {
	b = binary.AppendUvarint(b, with)
	if with&withKey != 0 {
		b = appendText(b, string(f.Key))
	}
	if with&withDepGroups != 0 {
		b = binary.AppendUvarint(b, uint64(len(f.DepGroups)))
		for _, g := range f.DepGroups {
			b = binary.AppendUvarint(b, uint64(g))
		}
	}
	if with&withUsed != 0 {
		for _, n := range [...]int64{f.Used.Memory, f.Used.Disk, int64(f.Used.CPU), int64(f.Used.Wall)} {
			b = binary.AppendUvarint(b, zigzag(n))
		}
	}
	if with&withHost != 0 {
		b = appendText(b, f.Host)
	}
	return b
}

func (r *reader) front(f *job.Finished) {
	with := r.uvarint()
	if with&withKey != 0 {
		r.key(f)
	}
	if with&withDepGroups != 0 {
		for n := r.uvarint(); n > 0 && !r.bad; n-- {
			f.DepGroups = append(f.DepGroups, job.DepGroupID(r.uvarint()))
		}
	}
	if with&withUsed != 0 {
		f.Used = job.Usage{Memory: r.varint(), Disk: r.varint(), CPU: time.Duration(r.varint()), Wall: time.Duration(r.varint())}
	}
	if with&withHost != 0 {
		f.Host = r.text()
	}
	r.bad = r.bad || with&^(withKey|withDepGroups|withUsed|withHost) != 0
}

// A description or other content is stored as it is, or its digest stands for
// it when it is in a file.
const (
	formatInline = 1
	formatFile   = 2
)
