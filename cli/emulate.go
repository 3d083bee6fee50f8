package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/agent/links"
	"github.com/muster-queue/muster/emulate/lsf"
	"github.com/muster-queue/muster/job"
)

// Args are the arguments of a command line as Main takes them: a program that is
// called sbatch, by a link, is "muster sbatch".
func Args(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	if name := filepath.Base(argv[0]); isEmulated(name) {
		return append([]string{name}, argv[1:]...)
	}
	return argv[1:]
}

func isEmulated(name string) bool {
	return slices.ContainsFunc(emulatedCommands(), func(m emulated) bool { return m.name == name })
}

func emulatedCommands() []emulated { return slices.Concat(slurmCommands, lsfCommands) }

// program is the path of this program; empty when it cannot be told.
func program() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

func emulateCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "emulate",
		Short: "Let programs made for LSF or Slurm use muster",
		Long: `Emulate gives programs that know LSF or Slurm the commands of these: bsub, bjobs,
bkill; sbatch, squeue, scancel, sacct, scontrol, sinfo and srun. They are links to
muster, which behaves as the command it is called by, on the server that muster
itself would use. So a pipeline of Nextflow or Snakemake that is set to LSF or
Slurm runs on muster as it is. docs/emulation.md says which options do what.

"muster add --emulate slurm" gives a job these commands, too.`,
		Args: noArgs,
	}
	cmd.AddCommand(emulateEnvCmd(a), emulateInstallCmd(a))
	return cmd
}

const systemArg = "the batch system: lsf or slurm"

func emulateEnvCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "env SYSTEM", Short: "Print what makes a shell find the commands",
		Example: `  eval "$(muster emulate env slurm)" && sbatch align.sh`,
		Args:    oneArg(systemArg),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := filepath.Join(dataDir(), "emulate", args[0])
			if err := links.Make(dir, args[0], program()); err != nil {
				return job.Wrap(err, "make the commands of", args[0])
			}
			fmt.Fprintf(a.out, "export PATH=%s:\"$PATH\"\n", quoted(dir))
			if args[0] == job.LSF {
				for _, setting := range lsf.Environ(nil, dir) {
					name, value, _ := strings.Cut(setting, "=")
					fmt.Fprintf(a.out, "export %s=%s\n", name, quoted(value))
				}
			}
			return nil
		},
	}
}

// quoted is a word of the shell.
func quoted(s string) string { return (&job.Command{Argv: []string{s}}).String() }

func emulateInstallCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "install SYSTEM DIR", Short: "Make the commands in a directory",
		Example: `  muster emulate install lsf /opt/muster/lsf`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return job.Errorf(job.Invalid, "give %s, and the directory", systemArg)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			dir := a.path(args[1])
			if err := links.Make(dir, args[0], program()); err != nil {
				return job.Wrap(err, "make the commands of", args[0])
			}
			a.say("The commands of %s are in %s; put it first into PATH.", args[0], dir)
			return nil
		},
	}
}
