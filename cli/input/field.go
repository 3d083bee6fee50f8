package input

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Field is one thing that can be said about a job, in JSON or by a flag.
type Field struct {
	// Name is the JSON name; Aliases are names that users of wr know it by.
	Name    string
	Aliases []string
	// Help is one phrase, Example a JSON value, Arg a word for the value.
	Help, Example, Arg string
	// Flag is the form of the flag of the same name (with hyphens), Short its letter.
	Flag  FlagKind
	Short string
	// Path is the field's name in the API, for changes; several have commas between.
	Path string

	set setter
}

// FlagKind is the form of a field's flag.
type FlagKind uint8

// The forms of flags.
const (
	NoFlag   FlagKind = iota
	TextFlag          // one value
	ListFlag          // may be repeated
	BoolFlag          // true when named
)

// target is what setters write to.
type target struct {
	job     *job.Job
	command *job.Command
	now     time.Time
	depends bool // dependencies were given already, and more are added
	// setLimit is told of limits that are set on the way; nil where they cannot be.
	setLimit func(*job.Limit)
}

type setter func(t *target, v any) error

// Fields are all fields, in the order of the documentation.
var Fields = []Field{
	{Name: "cmd", Help: "the command: a shell line, or a list of words that is executed without a shell",
		Example: `"sort big.txt | uniq -c"`, Path: "command.line,command.argv", set: setCmd},
	{Name: "shell", Help: "the shell that runs the line; bash, with pipefail, when not given",
		Example: `"sh"`, Flag: TextFlag, Arg: "PROGRAM", Path: "command.shell", set: str(func(t *target) *string { return &t.command.Shell })},
	{Name: "cwd", Help: "the directory the command runs in; the present one when not given",
		Example: `"/data/run7"`, Flag: TextFlag, Arg: "DIR", Short: "c", Path: "command.dir", set: str(func(t *target) *string { return &t.command.Dir })},
	{Name: "unique_dir", Help: "run in a new, empty directory below cwd instead of in cwd itself",
		Example: `true`, Flag: BoolFlag, Path: "command.dir_given", set: not(func(t *target) *bool { return &t.command.DirGiven })},
	{Name: "cwd_matters", Help: "true: run in cwd itself, as is usual; false: as unique_dir",
		Example: `true`, Path: "command.dir_given", set: flag(func(t *target) *bool { return &t.command.DirGiven })},
	{Name: "change_home", Help: "with unique_dir: HOME is that directory",
		Example: `true`, Flag: BoolFlag, Path: "command.change_home", set: flag(func(t *target) *bool { return &t.command.ChangeHome })},
	{Name: "env", Help: "environment settings that win over the captured environment, NAME=value",
		Example: `["LC_ALL=C", "THREADS=2"]`, Flag: ListFlag, Arg: "NAME=VALUE", Path: "command.env", set: setEnv},
	{Name: "env_unset", Help: "variables that the command does not get although they were captured",
		Example: `["LD_PRELOAD"]`, Flag: ListFlag, Arg: "NAME", Path: "command.env_unset", set: list(func(t *target) *[]string { return &t.command.EnvUnset })},
	{Name: "secrets", Help: "variables whose values are found when the command starts, by where they are: NAME=store:SECRET (of the server), file:SECRET or env:VARIABLE (of the agent); NAME alone is NAME=store:NAME",
		Example: `{"DB_PASSWORD": "store:db"}`, Flag: ListFlag, Arg: "NAME=REF", Path: "command.secrets", set: setSecrets},

	{Name: "group", Aliases: []string{"rep_grp"}, Help: "the report group, which lists and counts go by",
		Example: `"run7"`, Flag: TextFlag, Arg: "NAME", Short: "i", Path: "group", set: str(func(t *target) *string { return &t.job.Group })},
	{Name: "kind", Aliases: []string{"req_grp"}, Help: "what sort of command it is; the base name of its first word when not given",
		Example: `"align"`, Flag: TextFlag, Arg: "NAME", Short: "g", Path: "kind", set: str(func(t *target) *string { return &t.job.Kind })},
	{Name: "queue", Help: "the queue it belongs to; default when not given",
		Example: `"nightly"`, Flag: TextFlag, Arg: "NAME", Short: "q", Path: "queue", set: str(func(t *target) *string { return &t.job.Queue })},
	{Name: "account", Help: "the account that pays; that of the queue, or the default one, when not given",
		Example: `"physics"`, Flag: TextFlag, Arg: "NAME", Path: "account", set: str(func(t *target) *string { return &t.job.Account })},
	{Name: "key", Help: "its identity in the queue; a digest of command and directory when not given",
		Example: `"sample-17"`, Path: "key", set: setKey},

	{Name: "cpus", Help: "processor cores, also parts of one; 1 when not given",
		Example: `0.5`, Flag: TextFlag, Arg: "N", Path: "needs.cpu", set: need(job.CPU)},
	{Name: "memory", Help: "memory, with a unit",
		Example: `"500M"`, Flag: TextFlag, Arg: "SIZE", Short: "m", Path: "needs.mem", set: need(job.Memory)},
	{Name: "disk", Help: "disk space, with a unit",
		Example: `"20G"`, Flag: TextFlag, Arg: "SIZE", Path: "needs.disk", set: need(job.Disk)},
	{Name: "resources", Aliases: []string{"resource"}, Help: "amounts of anything else that machines have, name=amount",
		Example: `{"gpu": 1}`, Flag: ListFlag, Arg: "NAME=AMOUNT", Path: "needs", set: setResources},
	{Name: "time", Help: "how long it may run; it is stopped then, and tried again with more time, unless override is always",
		Example: `"1h30m"`, Flag: TextFlag, Arg: "TIME", Short: "t", Path: "time", set: span(func(t *target) *time.Duration { return &t.job.Time })},
	{Name: "override", Help: "when needs that were learned give way to the given ones: no, higher or always",
		Example: `"always"`, Flag: TextFlag, Arg: "WORD", Path: "override", set: setOverride},
	{Name: "wait", Help: "stay queued when no present machine is large enough, instead of failing at once",
		Example: `true`, Flag: BoolFlag, Path: "wait", set: flag(func(t *target) *bool { return &t.job.Wait })},

	{Name: "priority", Help: "larger runs sooner; 0 when not given",
		Example: `10`, Flag: TextFlag, Arg: "N", Short: "p", Path: "priority", set: setPriority},
	{Name: "retries", Help: "how often a failed command is tried again; 3 when not given",
		Example: `0`, Flag: TextFlag, Arg: "N", Short: "r", Path: "retries", set: setRetries},
	{Name: "no_retry_after", Aliases: []string{"no_retry_over_walltime"}, Help: "do not try again what failed after running longer than this",
		Example: `"10m"`, Flag: TextFlag, Arg: "TIME", Path: "no_retry_after", set: span(func(t *target) *time.Duration { return &t.job.NoRetryAfter })},
	{Name: "backoff", Help: "the pause before a retry: base x 2^n plus up to jitter, at most cap (in JSON); a single time is a fixed pause",
		Example: `"1m"`, Flag: TextFlag, Arg: "TIME", Path: "backoff", set: setBackoff},
	{Name: "delay", Help: "do not start before this time has passed",
		Example: `"10m"`, Flag: TextFlag, Arg: "TIME", Path: "not_before", set: setDelay},
	{Name: "not_before", Help: "do not start before this moment (RFC 3339)",
		Example: `"2030-01-31T08:00:00Z"`, Flag: TextFlag, Arg: "MOMENT", Path: "not_before", set: setNotBefore},
	{Name: "on_lost", Help: "what follows when its machine is gone for good: rerun, or hold for a person's word",
		Example: `"hold"`, Flag: TextFlag, Arg: "WORD", Path: "on_lost", set: setOnLost},
	{Name: "preemptible", Help: "false: never stopped to make room for a better job",
		Example: `false`, Path: "not_preemptible", set: not(func(t *target) *bool { return &t.job.NotPreemptible })},
	{Name: "lease", Help: "how long its machine may be silent before the job is given to another",
		Example: `"5m"`, Flag: TextFlag, Arg: "TIME", Path: "lease", set: span(func(t *target) *time.Duration { return &t.job.Lease })},

	{Name: "labels", Help: "labels key:value that the machine must have",
		Example: `["arch:amd64"]`, Flag: ListFlag, Arg: "KEY:VALUE", Path: "labels", set: labels(func(t *target) *job.Labels { return &t.job.Labels })},
	{Name: "prefer", Help: "labels key:value that the machine should rather have",
		Example: `["disk:ssd"]`, Flag: ListFlag, Arg: "KEY:VALUE", Path: "prefer", set: labels(func(t *target) *job.Labels { return &t.job.Prefer })},

	{Name: "limits", Aliases: []string{"limit_grps"}, Help: "named limits it counts against, NAME or NAME*WEIGHT; NAME:5 or NAME:100/minute sets the limit as well",
		Example: `["irods", "gpu*2"]`, Flag: ListFlag, Arg: "NAME", Short: "l", Path: "limits", set: setLimits},

	{Name: "dep_groups", Aliases: []string{"dep_grps"}, Help: "dependency groups it is a member of, which others can wait for",
		Example: `["aligned"]`, Flag: ListFlag, Arg: "NAME", Short: "e", Path: "dep_groups", set: list(func(t *target) *[]string { return &t.job.DepGroups })},
	{Name: "deps", Help: "dependency groups it waits for, NAME or NAME:failed, NAME:any (ended either way), NAME:static, NAME:met (also when there is none); in JSON also objects, see Dependencies",
		Example: `["aligned"]`, Flag: ListFlag, Arg: "NAME", Short: "d", Path: "dependencies", set: setDeps},
	{Name: "cmd_deps", Help: "commands it waits for, in its own directory unless an object {\"cmd\": LINE, \"cwd\": DIR} says another",
		Example: `["make index"]`, Flag: ListFlag, Arg: "LINE", Path: "dependencies", set: setCommandDeps},

	{Name: "image", Help: "the container image to run in",
		Example: `"debian:13"`, Flag: TextFlag, Arg: "IMAGE", Path: "command.image", set: str(func(t *target) *string { return &t.command.Image })},
	{Name: "runtime", Help: "what runs the container: docker, podman or apptainer; the first one found when not given",
		Example: `"podman"`, Flag: TextFlag, Arg: "NAME", Path: "command.runtime", set: str(func(t *target) *string { return &t.command.Runtime })},
	{Name: "container_mounts", Help: "directories that the container sees too, OUTSIDE or OUTSIDE:INSIDE",
		Example: `["/data:/in"]`, Flag: ListFlag, Arg: "DIR", Path: "command.container_mounts", set: setContainerMounts},
	{Name: "monitor_container", Aliases: []string{"monitor_docker"}, Help: "a container that the command itself starts with docker or podman, whose use counts as the command's: its name, or (a pattern of) the file that its id is written to, with a slash in it",
		Example: `"./*.cid"`, Flag: TextFlag, Arg: "NAME", Path: "command.monitor_container", set: setMonitor},
	{Name: "with_docker", Help: "image, with runtime docker (wr's name)",
		Example: `"debian:13"`, Path: "command.image,command.runtime", set: imageFor("docker")},
	{Name: "with_singularity", Help: "image, with runtime apptainer (wr's name)",
		Example: `"debian.sif"`, Path: "command.image,command.runtime", set: imageFor("apptainer")},
	{Name: "modules", Help: "environment modules that are loaded first",
		Example: `["samtools/1.20"]`, Flag: ListFlag, Arg: "NAME", Path: "command.modules", set: list(func(t *target) *[]string { return &t.command.Modules })},
	{Name: "user", Help: "the user to run as, where the agent has the right to",
		Example: `"build"`, Flag: TextFlag, Arg: "NAME", Path: "command.user", set: str(func(t *target) *string { return &t.command.User })},
	{Name: "unix_group", Help: "the Unix group to run as",
		Example: `"team7"`, Flag: TextFlag, Arg: "NAME", Path: "command.unix_group", set: str(func(t *target) *string { return &t.command.UnixGroup })},
	{Name: "on_success", Help: "what follows a success: \"run LINE\", cleanup, \"keep N\" (days) or nothing; in JSON a list of {\"run\": LINE}, {\"cleanup\": true}, {\"keep_days\": N}",
		Example: `[{"run": "gzip out.txt"}]`, Flag: ListFlag, Arg: "WHAT", Path: "command.on_success", set: behaviours(func(t *target) *[]job.Behaviour { return &t.command.OnSuccess })},
	{Name: "on_failure", Help: "what follows a failure: as on_success, and remove, {\"remove\": true}: the job is deleted once it is buried",
		Example: `[{"run": "rm -f part.tmp"}]`, Flag: ListFlag, Arg: "WHAT", Path: "command.on_failure", set: behaviours(func(t *target) *[]job.Behaviour { return &t.command.OnFailure })},
	{Name: "on_exit", Help: "what follows either, after the above",
		Example: `[{"cleanup": true}]`, Flag: ListFlag, Arg: "WHAT", Path: "command.on_exit", set: behaviours(func(t *target) *[]job.Behaviour { return &t.command.OnExit })},
	{Name: "emulate", Help: "the batch system whose commands it finds first in its PATH, which add, show and stop jobs here: lsf (bsub, ...) or slurm (sbatch, ...)",
		Example: `"slurm"`, Flag: TextFlag, Arg: "SYSTEM", Path: "command.emulate", set: str(func(t *target) *string { return &t.command.Emulate })},
	{Name: "bsub_mode", Help: "with any text, emulate lsf (wr's name)",
		Example: `"production"`, Path: "command.emulate", set: setBsubMode},
	{Name: "grace", Help: "time between the request to stop (SIGTERM) and SIGKILL",
		Example: `"10s"`, Flag: TextFlag, Arg: "TIME", Path: "command.grace", set: span(func(t *target) *time.Duration { return &t.command.Grace })},
	{Name: "keep", Help: "how much of the beginning and of the end of each output stream is kept; 4K when not given",
		Example: `"64K"`, Flag: TextFlag, Arg: "SIZE", Path: "command.keep", set: setKeep},
	{Name: "spool", Help: "also write the whole output to files on the machine that runs it",
		Example: `true`, Flag: BoolFlag, Path: "command.spool", set: flag(func(t *target) *bool { return &t.command.Spool })},
}

// later are fields that wr's users have and this release does not act on. They
// are refused: a command that runs without its container or before what it
// depends on is worse than one that does not run.
var later = map[string]string{}

func init() {
	for what, names := range map[string]string{
		"object store mounts": "mounts",
		"cluster and cloud settings": "queues_avoid misc reserve_timeout cloud_os cloud_username cloud_ram " +
			"cloud_script cloud_config_files cloud_flavor cloud_shared",
	} {
		for name := range strings.FieldsSeq(names) {
			later[name] = what
		}
	}
}

func lookup(name string) (*Field, bool) {
	for i := range Fields {
		f := &Fields[i]
		if f.Name == name {
			return f, true
		}
		if slices.Contains(f.Aliases, name) {
			return f, true
		}
	}
	return nil, false
}

// apply sets the field; errors name it as the person wrote it.
func (f *Field) apply(t *target, name string, value any) error {
	if err := f.set(t, value); err != nil {
		return job.Wrap(err, "", name)
	}
	return nil
}

// FlagName is the name of the field's flag: of a list, where each flag gives one
// element, the singular.
func (f *Field) FlagName() string {
	name := strings.ReplaceAll(f.Name, "_", "-")
	if f.Flag == ListFlag {
		if !strings.HasSuffix(name, "ss") {
			name = strings.TrimSuffix(name, "s")
		}
	}
	return name
}

// FlagHelp is the help text of the field's flag, with an example.
func (f *Field) FlagHelp() string {
	switch f.Flag {
	case BoolFlag:
		return f.Help
	case ListFlag:
		return f.Help + "; may be repeated; e.g. " + f.flagExample()
	}
	return f.Help + "; e.g. " + f.flagExample()
}

// flagExample is the example as it is typed in a shell.
func (f *Field) flagExample() string {
	var v any
	d := json.NewDecoder(strings.NewReader(f.Example))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return f.Example
	}
	if f.Flag == ListFlag {
		if list, err := pairs(v); err == nil {
			return list[0][0] + "=" + list[0][1]
		}
		if list, err := texts(v); err == nil {
			return list[0]
		}
	}
	if s, err := word(v, ""); err == nil {
		return s
	}
	return "'" + f.Example + "'"
}

// SetFlag sets the field of a template job from its flag's values.
func (f *Field) SetFlag(j *job.Job, now time.Time, values []string) error {
	if j.Command == nil {
		j.Command = &job.Command{}
	}
	t := &target{job: j, command: j.Command, now: now, depends: true}
	var value any = values[len(values)-1]
	if f.Flag == ListFlag {
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		value = list
	}
	return f.apply(t, "--"+f.FlagName(), value)
}
