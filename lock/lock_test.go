package lock

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

const second = job.Time(time.Second)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// owners are who holds each path, "-" for nobody.
func owners(t *testing.T, tree *Tree, now job.Time, paths ...Path) string {
	t.Helper()
	held, err := tree.Read(now, paths)
	must(t, err)
	names := make([]string, len(held))
	for i, h := range held {
		if names[i] = "-"; h != nil {
			names[i] = h.Owner
		}
	}
	return strings.Join(names, " ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func refused(t *testing.T, what string, err error, kind job.ErrorKind, words ...string) {
	t.Helper()
	if !job.IsKind(err, kind) {
		t.Fatalf("%s: %v, want an error of kind %s", what, err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%s: %v does not say %q", what, err, w)
		}
	}
}

func TestLockReadUnlock(t *testing.T) { // case 58
	tree := New(0)
	must(t, tree.Lock(0, "id", []Path{"foo", "bar/baz"}, 0))
	expect(t, "owners", owners(t, tree, 0, "foo", "bar/baz", "bar", "foo/x", ""), "id id - - -")
	must(t, tree.Unlock(0, "id", []Path{"foo", "bar/baz"}))
	expect(t, "owners", owners(t, tree, 0, "foo", "bar/baz"), "- -")
}

func TestLockable(t *testing.T) { // cases 59 and 60, and the table of the reference
	for path, word := range map[Path]string{
		"foo": "holds it", "foo/x": "above it", "foo/x/y": "above it", "bar": "below it", "": "below it", "bar/baz": "holds it",
		"bar/qux": "", "new": "", "foo2": "", "fo": "", "foo!": "", "bar/ba": "", "bar/baz2": "", "#": "",
	} {
		tree := New(0)
		must(t, tree.Lock(0, "id", []Path{"foo", "bar/baz"}, 0))
		for _, who := range []string{"id", "other"} {
			err := tree.Lock(0, who, []Path{"fresh", path}, 0)
			if word == "" {
				must(t, err)
				must(t, tree.Unlock(0, who, []Path{"fresh", path}))
				continue
			}
			refused(t, string(path), err, job.Conflict, "not lockable", word, `"id"`)
			expect(t, "owners", owners(t, tree, 0, "fresh", "foo", "bar/baz"), "- id id")
		}
	}
}

func TestRoot(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "id", []Path{""}, 0))
	refused(t, "below the root", tree.Lock(0, "id", []Path{"a"}, 0), job.Conflict, "the root", "above it")
	must(t, tree.Unlock(0, "id", []Path{""}))
	must(t, tree.Lock(0, "id", []Path{"a"}, 0))
}

func TestOneCallIsNotInItsOwnWay(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "id", []Path{"s", "s/t", "s"}, 0))
	expect(t, "owners", owners(t, tree, 0, "s", "s/t"), "id id")
	if tree.Len() != 2 {
		t.Fatalf("%d locks, want 2", tree.Len())
	}
	must(t, tree.Lock(0, "id", nil, 0))
}

func TestLockSome(t *testing.T) { // case 61
	tree := New(0)
	must(t, tree.Lock(0, "id", []Path{"foo"}, 0))
	given, err := tree.LockSome(0, "other", []Path{"foo", "bar", "baz", "bar/x", "foo/y"}, 0)
	must(t, err)
	if want := []bool{false, true, true, false, false}; !slices.Equal(given, want) {
		t.Fatalf("given %v, want %v", given, want)
	}
	expect(t, "owners", owners(t, tree, 0, "foo", "bar", "baz", "bar/x"), "id other other -")
	none, err := tree.LockSome(0, "other", nil, 0)
	if err != nil || none == nil || len(none) != 0 {
		t.Fatalf("locksome of nothing: %v, %v", none, err)
	}
}

func TestUnlockByAnother(t *testing.T) { // cases 62 and 63
	tree := New(0)
	must(t, tree.Lock(0, "id", []Path{"foo"}, 0))
	refused(t, "unlock by another", tree.Unlock(0, "other", []Path{"foo"}), job.LostLease, `held by "id"`)
	refused(t, "unlock of nothing", tree.Unlock(0, "id", []Path{"foo", "bar"}), job.LostLease, `"bar" is not locked`)
	refused(t, "unlock of a descendant", tree.Unlock(0, "id", []Path{"foo/x"}), job.LostLease, "is not locked")
	expect(t, "owners", owners(t, tree, 0, "foo"), "id")
}

func TestReadNothing(t *testing.T) { // case 64
	held, err := New(0).Read(0, []Path{})
	if err != nil || held == nil || len(held) != 0 {
		t.Fatalf("%v, %v, want an empty list", held, err)
	}
}

func TestExpiry(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "a", []Path{"x"}, 10*time.Second))
	must(t, tree.Lock(0, "b", []Path{"y"}, 0)) // a minute
	must(t, tree.Lock(0, "c", []Path{"z"}, 2*MaxLease))
	expect(t, "owners at the deadline", owners(t, tree, 10*second, "x", "y", "z"), "a b c")
	if at, ok := tree.Next(); !ok || at != 10*second {
		t.Fatalf("next %v %v", at, ok)
	}
	expect(t, "owners after it", owners(t, tree, 10*second+1, "x", "y", "z"), "- b c")
	expect(t, "owners after a minute", owners(t, tree, 60*second+1, "x", "y", "z"), "- - c")
	expect(t, "owners after the longest", owners(t, tree, job.Time(MaxLease), "z"), "c")
	tree.Expire(job.Time(MaxLease)+1, -1)
	if _, ok := tree.Next(); ok || tree.Len() != 0 {
		t.Fatal("a lock is left")
	}
	must(t, tree.Lock(0, "a", []Path{"gone"}, -time.Second))
	expect(t, "a lock that had ended at once", owners(t, tree, 0, "gone"), "-")
}

func TestRenew(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "a", []Path{"x", "y"}, 10*time.Second))
	must(t, tree.Lock(0, "b", []Path{"z"}, 0))
	must(t, tree.Renew(8*second, "a", []Path{"x"}, 10*time.Second))
	refused(t, "renew of another's", tree.Renew(9*second, "a", []Path{"x", "z"}, time.Hour), job.LostLease, `"z"`, `"b"`)
	expect(t, "owners", owners(t, tree, 18*second, "x", "y"), "a -")
	expect(t, "owners", owners(t, tree, 19*second, "x", "y"), "- -")
	refused(t, "renew too late", tree.Renew(19*second, "a", []Path{"x"}, 0), job.LostLease, "not locked")
	must(t, tree.Renew(19*second, "b", []Path{"z", "z"}, -1))
	expect(t, "owner", owners(t, tree, 19*second, "z"), "-")
}

func TestShift(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "a", []Path{"x"}, 10*time.Second))
	tree.Shift(5 * time.Second)
	tree.Shift(-time.Hour)
	expect(t, "owner", owners(t, tree, 15*second, "x"), "a")
	expect(t, "owner", owners(t, tree, 15*second+1, "x"), "-")
}

func TestRemove(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "a", []Path{"x", "x2/b", "y/1", "y/2/3", "y/4"}, 0))
	must(t, tree.Lock(0, "b", []Path{"z"}, 0))
	if n, more := tree.Remove(0, "y", false, 10); n != 0 || more {
		t.Fatalf("removed %d %v", n, more)
	}
	if n, more := tree.Remove(0, "y", true, 2); n != 2 || !more {
		t.Fatalf("removed %d %v", n, more)
	}
	if n, more := tree.Remove(0, "y", true, 2); n != 1 || more {
		t.Fatalf("removed %d %v", n, more)
	}
	if n, _ := tree.Remove(0, "x", true, 10); n != 1 {
		t.Fatalf("removed %d", n)
	}
	expect(t, "owners", owners(t, tree, 0, "x", "x2/b", "y/1", "y/2/3", "y/4", "z"), "- a - - - b")
	if n, more := tree.Remove(0, "", true, 10); n != 2 || more || tree.Len() != 0 {
		t.Fatalf("removed %d %v", n, more)
	}
}

func TestList(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(0, "a", []Path{"", "y", "y/1", "y/2", "y!", "y0", "a"}, 0))
	for _, tt := range []struct {
		under Path
		after []Path
		limit int
		want  string
	}{
		{"", nil, 100, " a y y! y/1 y/2 y0"},
		{"", []Path{""}, 2, "a y"},
		{"", []Path{"y!"}, 2, "y/1 y/2"},
		{"y", nil, 100, "y y/1 y/2"},
		{"y", nil, 1, "y"},
		{"y", []Path{"y"}, 1, "y/1"},
		{"y", []Path{"y/1"}, 100, "y/2"},
		{"y/1", nil, 100, "y/1"},
		{"b", nil, 100, ""},
	} {
		var after *Path
		if tt.after != nil {
			after = &tt.after[0]
		}
		var got []string
		for _, h := range tree.List(0, tt.under, after, tt.limit) {
			got = append(got, string(h.Path))
		}
		expect(t, "listed under "+string(tt.under), strings.Join(got, " "), tt.want)
	}
}

func TestBounds(t *testing.T) {
	tree := New(3)
	must(t, tree.Lock(0, "a", []Path{"1", "2"}, 0))
	refused(t, "too many", tree.Lock(0, "a", []Path{"3", "4"}, 0), job.Exhausted, "2 locks are held")
	_, err := tree.LockSome(0, "a", []Path{"3", "4"}, 0)
	refused(t, "too many", err, job.Exhausted)
	must(t, tree.Lock(0, "a", []Path{"3"}, 0))
	must(t, tree.Unlock(0, "a", []Path{"1", "2", "3"}))
	long := strings.Repeat("x", MaxOwner+1)
	refused(t, "a long owner", tree.Lock(0, long, nil, 0), job.Invalid, "owner")
	refused(t, "a long owner", tree.Renew(0, long, nil, 0), job.Invalid, "owner")
	many := make([]Path, MaxPaths+1)
	refused(t, "many paths", tree.Unlock(0, "a", many), job.Invalid, "1001 paths")
	_, err = tree.Read(0, many)
	refused(t, "many paths", err, job.Invalid, "1001 paths")
}

func TestRows(t *testing.T) {
	tree := New(0)
	must(t, tree.Lock(second, "a", []Path{"x", "y"}, 10*time.Second))
	must(t, tree.Lock(second, "a", []Path{"never"}, -1))
	want := []job.LockRow{
		{Path: "x", Owner: "a", Since: second, Until: 11 * second, Lease: 10 * time.Second},
		{Path: "y", Owner: "a", Since: second, Until: 11 * second, Lease: 10 * time.Second},
	}
	rows := tree.Take()
	if !slices.Equal(rows, want) {
		t.Fatalf("rows %+v, want %+v", rows, want)
	}
	must(t, tree.Renew(5*second, "a", []Path{"y"}, 20*time.Second))
	tree.Expire(12*second, -1)
	want = []job.LockRow{{Path: "x", Gone: true}, {Path: "y", Owner: "a", Since: second, Until: 25 * second, Lease: 20 * time.Second}}
	if got := tree.Take(); !slices.Equal(got, want) {
		t.Fatalf("rows %+v, want %+v", got, want)
	}
	if got := tree.Take(); got != nil {
		t.Fatalf("rows %+v when nothing changed", got)
	}

	loaded := New(0)
	loaded.Load(want[1])
	expect(t, "owner in the lease", owners(t, loaded, 25*second, "y"), "a")
	refused(t, "below what was loaded", loaded.Lock(25*second, "b", []Path{"y/z"}, 0), job.Conflict)
	expect(t, "owner after it", owners(t, loaded, 25*second+1, "y"), "-")
	if got := loaded.Take(); !slices.Equal(got, []job.LockRow{{Path: "y", Gone: true}}) {
		t.Fatalf("rows %+v after the loaded lock expired", got)
	}
}

// TestExpireInParts: many locks that end together are released in steps, and to
// their owner they are gone at once.
func TestExpireInParts(t *testing.T) {
	tree := New(0)
	for i := range 10 {
		must(t, tree.Lock(0, "a", []Path{Path('a' + rune(i))}, time.Second))
	}
	must(t, tree.Lock(0, "a", []Path{"long"}, time.Hour))
	now := 2 * second
	for _, left := range []int{8, 5, 2, 1} {
		if more := tree.Expire(now, 3); more != (left > 1) || tree.Len() != left {
			t.Fatalf("%d locks are left (more: %v), want %d", tree.Len(), more, left)
		}
		refused(t, "renewing one that has ended", tree.Renew(now, "a", []Path{"j"}, time.Hour), job.LostLease)
		must(t, tree.Renew(now, "a", []Path{"long"}, time.Hour))
	}
}
