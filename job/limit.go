package job

// LimitUse is a job's share of a named limit: it counts Weight against it while
// it is held (one when zero).
type LimitUse struct {
	Name   string `cbor:"1,keyasint"`
	Weight int64  `cbor:"2,keyasint,omitempty"`
}

// Limit is a named cap on the jobs that carry it: at most Max units at once, or
// per period. Zero means none may run; it is removed to lift it.
type Limit struct {
	Name string `cbor:"1,keyasint"`
	Max  int64  `cbor:"2,keyasint"`
	// PerSecond > 0 makes it a rate with that period instead of a count.
	PeriodSeconds int64 `cbor:"3,keyasint,omitempty"`
}

// LimitRow is a stored limit with what is left of it: for a rate, how many units may
// start at once, and when it was that many.
type LimitRow struct {
	Limit `cbor:"1,keyasint"`
	Left  float64 `cbor:"2,keyasint,omitempty"`
	At    Time    `cbor:"3,keyasint,omitempty"`
	Gone  bool    `cbor:"-"`
}
