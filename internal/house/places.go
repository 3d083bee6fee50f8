package house

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// private are directories of the machines people develop on. The parts are apart
// so that this file does not name them.
var private = regexp.MustCompile(`(^|[^\w.$}/-])/(` + `wor` + `k|` + `roo` + `t|` + `hom` + `e/[a-z]+)/`)

// Places finds files of the repository that name a directory of the machine they
// were written on. Without git there is no list of files: the error is then that
// of exec.LookPath, or git's own.
func Places(root string) ([]Violation, error) {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of the repository: %w", err)
	}
	var found []Violation
	for name := range bytes.SplitSeq(bytes.TrimRight(out, "\x00"), []byte{0}) {
		src, err := os.ReadFile(filepath.Join(root, string(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, not committed yet
		}
		if err != nil {
			return nil, err
		}
		found = append(found, privatePlaces(string(name), src)...)
	}
	return found, nil
}

func privatePlaces(name string, src []byte) []Violation {
	if bytes.IndexByte(src, 0) >= 0 {
		return nil // not a text
	}
	var found []Violation
	line := 0
	for text := range bytes.Lines(src) {
		line++
		if place := private.Find(text); place != nil {
			found = append(found, Violation{name, line, fmt.Sprintf("names %q, a directory of one machine", bytes.TrimSpace(place))})
		}
	}
	return found
}
