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
	"strings"
)

// private are directories of the machines people develop on. The parts are apart
// so that this file does not name them.
var private = regexp.MustCompile(`(^|[^\w.$}/-])/(` + `wor` + `k|` + `roo` + `t|` + `hom` + `e/[a-z]+)/`)

// Places finds files of the repository that name a directory of the machine they
// were written on. Without git there is no list of files: the error is then that
// of exec.LookPath, or git's own.
func Places(root string) ([]Violation, error) {
	var found []Violation
	err := eachText(root, func(name string, src []byte) {
		found = append(found, privatePlaces(name, src)...)
	})
	return found, err
}

// Links finds links in Markdown files that lead to no file of the repository.
func Links(root string) ([]Violation, error) {
	var found []Violation
	err := eachText(root, func(name string, src []byte) {
		if strings.HasSuffix(name, ".md") {
			found = append(found, deadLinks(root, name, src)...)
		}
	})
	return found, err
}

// eachText visits the text files that belong to the repository, committed or not.
func eachText(root string, visit func(name string, src []byte)) error {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing the files of the repository: %w", err)
	}
	for name := range bytes.SplitSeq(bytes.TrimRight(out, "\x00"), []byte{0}) {
		src, err := os.ReadFile(filepath.Join(root, string(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted, not committed yet
		case err != nil:
			return err
		case bytes.IndexByte(src, 0) < 0:
			visit(string(name), src)
		}
	}
	return nil
}

var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

func deadLinks(root, name string, src []byte) []Violation {
	var found []Violation
	line := 0
	for text := range bytes.Lines(src) {
		line++
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, ":") {
				continue // within the page, or elsewhere in the world
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target)); err != nil {
				found = append(found, Violation{name, line, "links to " + target + ", which is not there"})
			}
		}
	}
	return found
}

func privatePlaces(name string, src []byte) []Violation {
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
