package run

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// bases remembers, in a file of the state directory, below which base
// directories an incarnation has made directories, so that its successor can
// remove the empty ones it left when it was killed. One quoted path a line.
type bases struct {
	mu   sync.Mutex
	file *os.File
}

const basesName = "bases"

// openBases returns what earlier incarnations noted; it stays noted until tidied.
func openBases(path string) (b *bases, before []string) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return &bases{}, nil // some empty directories may stay, no more
	}
	seen := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		base, err := strconv.Unquote(lines.Text())
		if err == nil && filepath.IsAbs(base) && !seen[base] {
			seen[base] = true
			before = append(before, base)
		}
	}
	return &bases{file: file}, before
}

func (b *bases) note(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		fmt.Fprintf(b.file, "%q\n", base)
	}
}

// only forgets all but the given bases.
func (b *bases) only(list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil && b.file.Truncate(0) == nil {
		for _, base := range list {
			fmt.Fprintf(b.file, "%q\n", base)
		}
	}
}

func (b *bases) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		b.file.Close()
		b.file = nil
	}
}

// tidy removes what earlier incarnations of an agent left empty below the bases,
// and their temporary directories. What holds files stays for people to look at.
func (ds *dirs) tidy(before []string) {
	for _, base := range before {
		work := filepath.Join(base, workName)
		old, _ := os.ReadDir(work)
		for _, e := range old {
			if strings.HasPrefix(e.Name(), ds.id+"-") && !strings.HasPrefix(e.Name()+"-", ds.name+"-") {
				tidyIncarnation(filepath.Join(work, e.Name()))
			}
		}
		_ = syscall.Rmdir(work)
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	var now []string
	for key := range ds.pools {
		now = append(now, key.base)
	}
	ds.bases.only(now)
}

func tidyIncarnation(dir string) {
	roots, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, root := range roots {
		_ = os.RemoveAll(filepath.Join(root, "tmp"))
		for _, d := range []string{filepath.Join(root, "cwd"), root, filepath.Dir(root)} {
			_ = syscall.Rmdir(d)
		}
	}
	_ = syscall.Rmdir(dir)
}
