package lsf

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// bsubOptions are the options of bsub and of #BSUB lines.
var bsubOptions = slices.Concat(bsubActed, bsubIgnored, bsubRefused)

func text(field func(*bsub) *string) func(*bsub, string) error {
	return func(r *bsub, v string) error {
		*field(r) = v
		return nil
	}
}

func told(field func(*bsub) *bool) func(*bsub, string) error {
	return func(r *bsub, _ string) error {
		*field(r) = true
		return nil
	}
}

// bsubActed are acted on.
var bsubActed = option.Set[bsub]{
	{Name: "b", Arg: option.Required, Set: func(r *bsub, v string) (err error) {
		r.begin, err = parseBegin(v, r.now)
		return err
	}},
	{Name: "cwd", Arg: option.Required, Set: text(func(r *bsub) *string { return &r.dir })},
	{Name: "e", Arg: option.Required, Set: func(r *bsub, v string) error {
		r.errors, r.appendErrors = v, true
		return nil
	}},
	{Name: "env", Arg: option.Required, Set: (*bsub).environment},
	{Name: "eo", Arg: option.Required, Set: text(func(r *bsub) *string { return &r.errors })},
	{Name: "gpu", Arg: option.Required, Set: (*bsub).gpus},
	{Name: "H", Set: told(func(r *bsub) *bool { return &r.held })},
	{Name: "h"},
	{Name: "i", Arg: option.Required, Set: text(func(r *bsub) *string { return &r.input })},
	{Name: "J", Arg: option.Required, Set: (*bsub).naming},
	{Name: "Jd", Arg: option.Required, Set: text(func(r *bsub) *string { return &r.comment })},
	{Name: "K", Set: told(func(r *bsub) *bool { return &r.sync })},
	{Name: "M", Arg: option.Required, Set: func(r *bsub, v string) (err error) {
		r.memory, err = parseMemory(strings.TrimSuffix(v, "!"))
		return err
	}},
	{Name: "m", Arg: option.Required, Set: func(r *bsub, v string) error {
		if strings.ContainsAny(strings.TrimSpace(v), " !+") {
			return errors.New("several machines cannot be named; name one")
		}
		r.needs.label("host:" + v)
		return nil
	}},
	{Name: "n", Arg: option.Required, Set: (*bsub).processors},
	{Name: "o", Arg: option.Required, Set: func(r *bsub, v string) error {
		r.output, r.append = v, true
		return nil
	}},
	{Name: "oo", Arg: option.Required, Set: func(r *bsub, v string) error {
		r.output, r.append = v, false
		return nil
	}},
	{Name: "P", Arg: option.Required, Set: text(func(r *bsub) *string { return &r.project })},
	{Name: "q", Arg: option.Required, Set: func(r *bsub, v string) error {
		if strings.ContainsAny(strings.TrimSpace(v), " ,") {
			return errors.New("several queues cannot be named; name one")
		}
		r.queue = strings.TrimSpace(v)
		return nil
	}},
	{Name: "R", Arg: option.Required, Set: func(r *bsub, v string) error { return r.needs.ParseResource(v) }},
	{Name: "sp", Arg: option.Required, Set: func(r *bsub, v string) error {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return job.Errorf(job.Invalid, "%q is no number", v)
		}
		r.priority = float64(n)
		return nil
	}},
	{Name: "V"},
	{Name: "W", Arg: option.Required, Set: func(r *bsub, v string) (err error) {
		r.time, err = parseLimit(v)
		return err
	}},
	{Name: "w", Arg: option.Required, Set: func(r *bsub, v string) (err error) {
		r.waits, err = ParseDependency(v)
		return err
	}},
}

// bsubIgnored have no effect here.
var bsubIgnored = option.Set[bsub]{
	// Lost work is always done again, and never while the first try may still run.
	{Name: "r"}, {Name: "rn"}, {Name: "ar"},
	{Name: "B"}, {Name: "N"}, {Name: "Ne"}, {Name: "u", Arg: option.Required}, // there is no mail; muster notice tells
	{Name: "We", Arg: option.Required}, {Name: "G", Arg: option.Required}, {Name: "g", Arg: option.Required},
	{Name: "L", Arg: option.Required}, {Name: "Lp", Arg: option.Required}, {Name: "ti"}, {Name: "mig", Arg: option.Required},
	{Name: "C", Arg: option.Required}, {Name: "D", Arg: option.Required}, {Name: "F", Arg: option.Required},
	{Name: "S", Arg: option.Required}, {Name: "T", Arg: option.Required}, {Name: "p", Arg: option.Required},
	{Name: "ul"}, {Name: "v", Arg: option.Required}, {Name: "wa", Arg: option.Required}, {Name: "wt", Arg: option.Required}, {Name: "ptl", Arg: option.Required},
	{Name: "hl"}, {Name: "freq", Arg: option.Required},
}

const interactive = "a job of muster has no terminal"

// bsubRefused are refused, with the reason.
var bsubRefused = option.Set[bsub]{
	{Name: "I", Refuse: interactive}, {Name: "Ip", Refuse: interactive}, {Name: "Is", Refuse: interactive},
	{Name: "IS", Refuse: interactive}, {Name: "ISp", Refuse: interactive}, {Name: "ISs", Refuse: interactive}, {Name: "IX", Refuse: interactive}, {Name: "tty", Refuse: interactive}, {Name: "XF", Refuse: interactive},
	{Name: "x", Refuse: "a whole machine cannot be asked for; ask for its cores and memory"},
	{Name: "a", Arg: option.Required, Refuse: "there are no application checkpoints or esubs here"},
	{Name: "app", Arg: option.Required, Refuse: "there are no application profiles here"},
	{Name: "c", Arg: option.Required, Refuse: "CPU time is not limited; use -W"},
	{Name: "E", Arg: option.Required, Refuse: "put what runs before the command into it"},
	{Name: "Ep", Arg: option.Required, Refuse: "put what runs after the command into it, or use muster add --on-exit"},
	{Name: "f", Arg: option.Required, Refuse: "files are not copied; jobs see the machine's file systems"},
	{Name: "k", Arg: option.Required, Refuse: "there are no checkpoints here"},
	{Name: "pack", Arg: option.Required, Refuse: "submit the lines one by one"},
	{Name: "Q", Arg: option.Required, Refuse: "exit codes do not decide about another try; use muster add --retries"},
	{Name: "t", Arg: option.Required, Refuse: "there are no deadlines here; use -W"},
	{Name: "U", Arg: option.Required, Refuse: "there are no reservations here"},
	{Name: "sla", Arg: option.Required, Refuse: "there are no service classes here"},
	{Name: "s", Arg: option.Required, Refuse: "a job is told of its end by SIGTERM"},
	{Name: "Zs", Refuse: "the script is always kept with the job"},
	{Name: "hostfile", Arg: option.Required, Refuse: "a job of muster runs on one machine"},
	{Name: "network", Arg: option.Required, Refuse: "a job of muster runs on one machine"},
	{Name: "outdir", Arg: option.Required, Refuse: "name the files with -o and -e"},
	{Name: "clusters", Arg: option.Required, Refuse: "there is one cluster here"},
	{Name: "data", Arg: option.Required, Refuse: "data is not staged"},
	{Name: "rnc", Arg: option.Required, Refuse: "a running job does not grow"},
	{Name: "jsdl", Arg: option.Required, Refuse: "JSDL is not read"},
}
