package job

// DepGroupRow is a stored dependency group. It is kept as long as it has members that
// are live or complete, or a live job waits for it. A key that jobs wait for is a group
// of one: that of the digest, without a name.
type DepGroupRow struct {
	ID     DepGroupID `cbor:"1,keyasint"`
	Name   string     `cbor:"2,keyasint,omitempty"`
	Digest Digest     `cbor:"4,keyasint,omitzero"`
	// Done is how many of its members are complete.
	Done int64 `cbor:"3,keyasint,omitempty"`
	// Past says what a group without members was, as long as somebody waits for it.
	Past DepPast `cbor:"5,keyasint,omitempty"`
	Gone bool    `cbor:"-"`
}

// DepPast is what became of the members of a group that has none.
type DepPast uint8

// What became of the members.
const (
	// DepNever: there were none.
	DepNever DepPast = iota
	// DepComplete: they were complete, and then deleted or pruned.
	DepComplete
	// DepReleased: they were deleted, and whoever waited for them was released.
	DepReleased
)

// DependRow is what dependencies make of a live job: the groups it is a member of,
// and what it waits for. Jobs without either have none.
type DependRow struct {
	Seq    Seq          `cbor:"1,keyasint"`
	Groups []DepGroupID `cbor:"2,keyasint,omitempty"`
	On     []DependOn   `cbor:"3,keyasint,omitempty"`
	Gone   bool         `cbor:"-"`
}

// DependOn is one dependency of a job, on a group or on the group of one that a key is.
// They are in the order of Job.Dependencies.
type DependOn struct {
	Group     DepGroupID `cbor:"1,keyasint,omitempty"`
	Condition Condition  `cbor:"3,keyasint,omitempty"`
	Static    bool       `cbor:"4,keyasint,omitempty"`
	IfAbsent  IfAbsent   `cbor:"5,keyasint,omitempty"`
	// Met: it is static, and was met.
	Met bool `cbor:"6,keyasint,omitempty"`
}

// Bounds of the dependencies of a job.
const (
	// MaxDependencies is how many things a job can wait for, and MaxDepGroups how many
	// groups it can be a member of.
	MaxDependencies = MaxList
	MaxDepGroups    = 100
)

// OnGroup reports whether the dependency is on a group rather than on one job.
func (d *Dependency) OnGroup() bool { return d.Group != "" }

// normalise fills in the queue of a job that is named by its key, and that key.
func (d *Dependency) normalise(queue string) {
	if d.Command != nil {
		if d.Key == "" {
			d.Key = d.Command.Key()
		}
		d.Command = nil
	}
	if !d.OnGroup() && d.Queue == "" {
		d.Queue = queue
	}
}

// Validate checks a dependency whose queue was filled in. The error is Invalid.
func (d *Dependency) Validate() error {
	switch {
	case d.Condition > ConditionAny || d.IfAbsent > IfAbsentMet:
		return Errorf(Invalid, "dependency: its condition or if_absent has an unknown value")
	case d.OnGroup() && d.Key != "":
		return Errorf(Invalid, "dependency: it names the group %.40q and the key %.40q; name one of them", d.Group, d.Key)
	case d.OnGroup():
		return CheckName("dependency: group", d.Group)
	case d.Key == "":
		return Errorf(Invalid, "dependency: name the group, or the key of the job, that it is on")
	case len(d.Key) > MaxKey:
		return Errorf(Invalid, "dependency: a key of %d bytes; at most %d", len(d.Key), MaxKey)
	}
	return CheckName("dependency: queue", d.Queue)
}

// Dependants is what becomes of jobs that wait for one that is deleted, by its key, or
// for a group that it is a member of.
type Dependants uint8

// The choices.
const (
	// DependantsKeep: the job is not deleted, unless they are selected as well.
	DependantsKeep Dependants = iota
	// DependantsDelete: they are deleted too, and who waits for them.
	DependantsDelete
	// DependantsRelease: they do not wait for it any longer.
	DependantsRelease
)

var dependantsWords = [...]string{"", "delete", "release"}

// String is the word for the choice, empty for DependantsKeep.
func (d Dependants) String() string { return dependantsWords[d] }

// ParseDependants reads a choice's word. The error is Invalid.
func ParseDependants(word string) (Dependants, error) {
	for i, w := range dependantsWords {
		if w == word {
			return Dependants(i), nil
		}
	}
	return 0, Errorf(Invalid, "dependants: %.40q is unknown; it is delete or release, or left out", word)
}
