package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/muster-queue/muster/job"
)

// The page about simulations, what its first command writes, and its picture.
const (
	simulationPage    = "simulate.md"
	simulationFile    = "teams.yaml"
	simulationPicture = "simulate.svg"
)

var (
	writtenFile = regexp.MustCompile(`(?s)\$ cat > ` + simulationFile + ` <<END\n(.*?)\nEND\n`)
	simulated   = regexp.MustCompile("(?s)(\\$ muster (simulate [^\n]*)\n)(.*?)```")
)

// writeSimulations runs the simulations of the page anew, writes what they print
// into it, and draws the picture of the last.
func writeSimulations(dir string) error {
	path := filepath.Join(dir, simulationPage)
	page, err := os.ReadFile(path)
	if err != nil {
		return job.Errorf(job.Internal, "write the simulations: %w", err)
	}
	tmp, err := os.MkdirTemp("", "muster-docs-")
	if err != nil {
		return job.Errorf(job.Internal, "write the simulations: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	written := writtenFile.FindSubmatch(page)
	if written == nil {
		return job.Errorf(job.Invalid, "%s does not write %s", simulationPage, simulationFile)
	}
	if err := os.WriteFile(filepath.Join(tmp, simulationFile), append(written[1], '\n'), 0o600); err != nil {
		return job.Errorf(job.Internal, "write the simulations: %w", err)
	}
	run := func(args ...string) (out bytes.Buffer) {
		Main(context.Background(), System{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Dir: tmp}, args)
		return out
	}
	var last []string
	page = simulated.ReplaceAllFunc(page, func(block []byte) []byte {
		m := simulated.FindSubmatch(block)
		last = strings.Fields(string(m[2]))
		out := run(last...)
		return append(append(bytes.Clone(m[1]), out.Bytes()...), "```"...)
	})
	run(append(last, "--picture", simulationPicture)...)
	picture, err := os.ReadFile(filepath.Join(tmp, simulationPicture))
	if err == nil {
		err = os.WriteFile(path, page, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, simulationPicture), picture, 0o644)
	}
	if err != nil {
		return job.Errorf(job.Internal, "write the simulations: %w", err)
	}
	return nil
}
