package job

// DepGroupRow is a stored dependency group. It is kept as long as it has members that
// are live or complete, or a live job waits for it.
type DepGroupRow struct {
	ID   DepGroupID `cbor:"1,keyasint"`
	Name string     `cbor:"2,keyasint"`
	// Done is how many of its members are complete.
	Done int64 `cbor:"3,keyasint,omitempty"`
	Gone bool  `cbor:"-"`
}

// DependRow is what dependencies make of a live job: the groups it is a member of,
// and what it waits for. Jobs without either have none.
type DependRow struct {
	Seq    Seq          `cbor:"1,keyasint"`
	Groups []DepGroupID `cbor:"2,keyasint,omitempty"`
	On     []DependOn   `cbor:"3,keyasint,omitempty"`
	Gone   bool         `cbor:"-"`
}

// DependOn is one dependency of a job as it stands: on a group, or on the job of a digest.
type DependOn struct {
	Group     DepGroupID `cbor:"1,keyasint,omitempty"`
	Digest    Digest     `cbor:"2,keyasint,omitzero"`
	Condition Condition  `cbor:"3,keyasint,omitempty"`
	Static    bool       `cbor:"4,keyasint,omitempty"`
	IfAbsent  IfAbsent   `cbor:"5,keyasint,omitempty"`
	// Met: it is satisfied.
	Met bool `cbor:"6,keyasint,omitempty"`
}
