package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/job"
)

// emulated is a command of another batch system: what does it, and how an error of
// muster's is told there.
type emulated struct {
	name, short string
	run         func(ctx context.Context, e *emulation, args []string) error
	failure     func(command string, err error) error
}

// command is the emulated command as one of muster's. It reads its arguments itself.
func (m emulated) command(a *app) *cobra.Command {
	return &cobra.Command{
		Use: m.name + " [OPTION...]", Short: m.short, Hidden: true, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			err := m.run(cmd.Context(), &emulation{app: a}, args)
			var failed *emulate.Failure
			var status exitStatus
			if err == nil || errors.As(err, &failed) || errors.As(err, &status) {
				return err
			}
			return m.failure(m.name, err)
		},
	}
}

// emulation is a call of an emulated command.
type emulation struct{ *app }

// caller is who calls.
func (e *emulation) caller() *emulate.Caller {
	getenv := func(name string) string { v, _ := e.lookup(name); return v }
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := orElse(getenv("USER"), getenv("LOGNAME"))
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return &emulate.Caller{User: name, Host: host, Dir: e.Dir, Getenv: getenv, Now: e.now()}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// print writes the answer.
func (e *emulation) print(text string) error {
	_, err := io.WriteString(e.out, text)
	return err
}

// tell writes what is not the answer.
func (e *emulation) tell(text string) { _, _ = io.WriteString(e.err, text) }

// maxScript bounds what is read of a script.
const maxScript = 4 << 20

// script reads a script, of the standard input when no file is named.
func (e *emulation) script(path string) (string, error) {
	in := e.Stdin
	if path != "" && path != "/dev/stdin" {
		f, err := os.Open(filepath.Join(e.Dir, path))
		if filepath.IsAbs(path) {
			f, err = os.Open(path)
		}
		if err != nil {
			return "", job.Errorf(job.NotFound, "Unable to open file %s: %w", path, errors.Unwrap(err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxScript+1))
	switch {
	case err != nil:
		return "", job.Errorf(job.Internal, "read the script: %w", err)
	case len(b) > maxScript:
		return "", job.Errorf(job.Invalid, "the script has more than %d bytes", maxScript)
	}
	return string(b), nil
}

// submit adds what a command asks for and gives the number it is answered with: that of
// the job, or of the first element of the array.
func (e *emulation) submit(ctx context.Context, l *link, s *emulate.Submission) (job.Seq, error) {
	j := s.Job
	j.Queue = orElse(j.Queue, e.inherited("MUSTER_EMULATE_QUEUE"))
	j.Account = orElse(j.Account, e.inherited("MUSTER_EMULATE_ACCOUNT"))
	word, err := newWord()
	if err != nil {
		return 0, err
	}
	base := j.Command.Emulate + "-" + word
	if err := e.environ(ctx, l, s); err != nil {
		return 0, err
	}
	if err := e.waits(ctx, l, s); err != nil {
		return 0, err
	}
	if s.Singleton {
		name := limitName(job.SingletonLimit + j.Command.Batch.User + " " + j.Command.Batch.Name)
		if err := e.limit(ctx, l, j, name, 1); err != nil {
			return 0, err
		}
	}
	if s.Array != nil && s.Array.AtOnce > 0 {
		if err := e.limit(ctx, l, j, job.ArrayLimit+base, s.Array.AtOnce); err != nil {
			return 0, err
		}
	}
	if s.Array != nil {
		return e.submitArray(ctx, l, s, base)
	}
	j.Key = job.Key(base)
	_, items, err := l.AddJobs(ctx, client.AddOptions{EveryItem: true}, j)
	if err != nil {
		return 0, err
	}
	return items[0].Seq, nil
}

// limit lets so many jobs like one run at once.
func (e *emulation) limit(ctx context.Context, l *link, j *job.Job, name string, most int64) error {
	if _, err := l.SetLimit(ctx, &job.Limit{Name: name, Max: most}); err != nil {
		return job.Wrap(err, "limit how many run at once to", emulate.Digits(most))
	}
	j.Limits = append(j.Limits, job.LimitUse{Name: name})
	return nil
}

// limitName is a name that a limit can have.
func limitName(name string) string {
	return strings.NewReplacer(":", ".", "*", ".", ",", ".", "/", ".").Replace(strings.TrimSpace(name))
}

// inherited is a variable that a job has from its own submission.
func (e *emulation) inherited(name string) string { v, _ := e.lookup(name); return v }

// newWord is a name that nobody had before.
func newWord() (string, error) {
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		return "", job.Errorf(job.Internal, "make a key: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// submitArray adds the elements of an array in one batch, so that their numbers follow
// each other.
func (e *emulation) submitArray(ctx context.Context, l *link, s *emulate.Submission, base string) (job.Seq, error) {
	shared := *s.Job
	shared.DepGroups = append(shared.DepGroups, base)
	elements := make([]*job.Job, len(s.Array.Indices))
	for place, index := range s.Array.Indices {
		b := *shared.Command.Batch
		b.Array, b.Index, b.Place = s.Array.Text, index, int64(place)
		element := &job.Job{Key: job.Key(base + "_" + emulate.Digits(index)), Command: &job.Command{Batch: &b}}
		element.Dependencies = e.corresponding(s, index)
		elements[place] = element
	}
	_, items, err := l.AddJobs(ctx, client.AddOptions{EveryItem: true, Defaults: &shared}, elements...)
	if err != nil {
		return 0, err
	}
	first := items[0].Seq
	for place, item := range items {
		if item.Seq != first+job.Seq(place) {
			return 0, e.undo(ctx, l, items)
		}
	}
	return first, nil
}

// undo removes an array whose numbers do not follow each other, since others were
// added between: its elements could not be told.
func (e *emulation) undo(ctx context.Context, l *link, items []client.AddedItem) error {
	refs := make([]client.Ref, len(items))
	for i, item := range items {
		refs[i] = client.Ref{Seq: item.Seq}
	}
	err := job.Errorf(job.Unavailable, "the server was too busy to add the array as one; try again")
	if _, derr := l.Delete(ctx, client.Select(refs...), client.DeleteOptions{Force: true}); derr != nil {
		err = job.Errorf(job.Unavailable, "%w (and what was added could not be removed: %w)", err, derr)
	}
	return err
}

// environ stores the environment that goes with a job.
func (e *emulation) environ(ctx context.Context, l *link, s *emulate.Submission) (err error) {
	c := s.Job.Command
	rules, err := client.NewCapture(nil, nil, e.lookup)
	if err != nil {
		return err
	}
	kept, held := rules.Of(e.Environ)
	if !s.Export.All {
		kept = slices.DeleteFunc(kept, func(setting string) bool {
			name, _, _ := strings.Cut(setting, "=")
			return !slices.Contains(s.Export.Names, name) && !slices.Contains(bare, name)
		})
		held = nil
	}
	for _, name := range s.Export.Names {
		if value, ok := e.lookup(name); ok {
			s.Export.Set = append(s.Export.Set, name+"="+value)
		}
	}
	c.Env = append(c.Env, s.Export.Set...)
	if held = without(held, c.Env); len(held) > 0 {
		e.say("Not passed on to the job, for it looks secret: %s (name it in the list of variables to pass it on).", strings.Join(held, ", "))
	}
	kept = slices.DeleteFunc(kept, ofBatch)
	if c.EnvID, err = l.PutEnvironment(ctx, kept); err != nil {
		return job.Wrap(err, "store", "the environment of the job")
	}
	return nil
}

// bare are the variables that a job has at least.
var bare = []string{"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "MUSTER_SERVER", "MUSTER_DATA", "MUSTER_CA", "MUSTER_TOKEN_FILE"}

// ofBatch tells variables that are of the job that calls, not of the one it adds.
func ofBatch(setting string) bool {
	return strings.HasPrefix(setting, "SLURM_") && !strings.HasPrefix(setting, "SLURM_CONF=") || strings.HasPrefix(setting, "SLURMD_") ||
		strings.HasPrefix(setting, "LSB_") || strings.HasPrefix(setting, "LS_")
}
