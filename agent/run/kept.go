package run

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// What is kept for a number of days is listed in a file of the state directory,
// one line each: the Unix time of its end, a blank, the quoted path.
const (
	keptName    = "kept"
	outputsName = "output"
)

// keepFor notes that path is to be removed after days.
func (r *Runner) keepFor(path string, days int) {
	r.keptMu.Lock()
	defer r.keptMu.Unlock()
	f, err := os.OpenFile(r.cfg.Home.Path(keptName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return // it stays for good, which loses nothing
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %q\n", time.Now().AddDate(0, 0, days).Unix(), path)
}

// Prune removes the directories and outputs whose days are over at the given
// time. The agent calls it now and then.
func (r *Runner) Prune(now time.Time) error {
	r.keptMu.Lock()
	defer r.keptMu.Unlock()
	path := r.cfg.Home.Path(keptName)
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var left bytes.Buffer
	var errs []error
	lines := bufio.NewScanner(bytes.NewReader(old))
	for lines.Scan() {
		end, name, ok := parseKept(lines.Text())
		switch {
		case !ok:
		case end.After(now):
			left.WriteString(lines.Text() + "\n")
		default:
			if err := os.RemoveAll(name); err != nil {
				errs = append(errs, err)
				left.WriteString(lines.Text() + "\n")
			}
		}
	}
	if left.Len() < len(old) {
		errs = append(errs, renameio.WriteFile(path, left.Bytes(), 0o600))
	}
	return errors.Join(errs...)
}

// parseKept reads a line; one that was not written whole is not ok.
func parseKept(line string) (end time.Time, path string, ok bool) {
	num, quoted, _ := strings.Cut(line, " ")
	sec, err1 := strconv.ParseInt(num, 10, 64)
	path, err2 := strconv.Unquote(quoted)
	return time.Unix(sec, 0), path, err1 == nil && err2 == nil && filepath.IsAbs(path)
}
