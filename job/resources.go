package job

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Resources are amounts by name: "cpu" in thousandths of a core, "mem" and
// "disk" in bytes, any other name (gpu, licences) in thousandths. They are
// summed exactly; a name that is absent counts as zero.
type Resources map[string]int64

// Names of the resources every machine has, and the unit of the others.
const (
	CPU    = "cpu"
	Memory = "mem"
	Disk   = "disk"
	// Thousandth is the unit of cpu and of every named resource: 1000 is one.
	Thousandth = 1000
)

// Fits reports whether r fits into free, name by name.
func (r Resources) Fits(free Resources) bool {
	for name, need := range r {
		if need > free[name] {
			return false
		}
	}
	return true
}

// Add adds o to r.
func (r Resources) Add(o Resources) {
	for name, v := range o {
		r[name] += v
	}
}

// Sub takes o from r.
func (r Resources) Sub(o Resources) {
	for name, v := range o {
		r[name] -= v
	}
}

// Clone is a copy; that of nil is empty, not nil.
func (r Resources) Clone() Resources {
	c := make(Resources, len(r))
	maps.Copy(c, r)
	return c
}

// String lists the resources in the order of their names, as people write them:
// "cpu=1.5 mem=2G".
func (r Resources) String() string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(r)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + FormatAmount(name, r[name]))
	}
	return b.String()
}

// IsBytes reports whether a resource is counted in bytes.
func IsBytes(name string) bool { return name == Memory || name == Disk }

// FormatAmount writes an amount the way ParseAmount reads it.
func FormatAmount(name string, v int64) string {
	if !IsBytes(name) {
		return strconv.FormatFloat(float64(v)/Thousandth, 'f', -1, 64)
	}
	for _, u := range byteUnits {
		if v != 0 && v%u.size == 0 {
			return strconv.FormatInt(v/u.size, 10) + u.suffix
		}
	}
	return strconv.FormatInt(v, 10)
}

// ShowAmount writes an amount for people, rounded: "23.5G".
func ShowAmount(name string, v int64) string {
	if !IsBytes(name) {
		return FormatAmount(name, v)
	}
	for _, u := range byteUnits {
		if v >= u.size {
			return strconv.FormatFloat(math.Round(float64(v)/float64(u.size)*10)/10, 'f', -1, 64) + u.suffix
		}
	}
	return strconv.FormatInt(v, 10)
}

var byteUnits = []struct {
	suffix string
	size   int64
}{{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}}

// ParseAmount reads "1.5" cores, "2G" of memory, "500M" of disk, "1" gpu.
// Without a unit, bytes are bytes. Units are powers of 1024.
func ParseAmount(name, s string) (int64, error) {
	scale := int64(Thousandth)
	num := strings.TrimSpace(s)
	if IsBytes(name) {
		num, scale = cutUnit(num)
	}
	f, err := strconv.ParseFloat(num, 64)
	v := f * float64(scale)
	if err != nil || !(v >= 0 && v <= MaxAmount) {
		return 0, Errorf(Invalid, "%s %q is not an amount; write e.g. %s", name, s, amountExample(name))
	}
	return int64(v + 0.5), nil
}

// ParseGivenAmount is ParseAmount for what people type. Bytes need a unit: a bare
// "500" would be megabytes to one person and bytes to the next.
func ParseGivenAmount(name, s string) (int64, error) {
	n, err := ParseAmount(name, s)
	if err != nil {
		return 0, err
	}
	t := strings.TrimSpace(s)
	if last := t[len(t)-1]; IsBytes(name) && n != 0 && last >= '0' && last <= '9' {
		return 0, Errorf(Invalid, "%q has no unit; write %[1]sM or %[1]sG", t)
	}
	return n, nil
}

func cutUnit(s string) (string, int64) {
	t := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(t, u.suffix); ok {
			return rest, u.size
		}
	}
	return t, 1
}

func amountExample(name string) string {
	if IsBytes(name) {
		return "500M or 2G"
	}
	return "1 or 0.5"
}
