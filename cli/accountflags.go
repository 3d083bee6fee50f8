package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/job"
)

// accountFlags are the settings of an account on the command line.
type accountFlags struct {
	pool                  string
	rate, limits, balance []string
	window, description   string
	fanout                int
	noFree                bool
}

// accountFields are the flags of settings with their names in the API.
var accountFields = map[string]string{
	"rate": "rate", "window": "window", "fanout": "max_fanout", "label-limit": "label_limits",
	"no-free": "no_free", "description": "description",
}

func (f *accountFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringSliceVar(&f.rate, "rate", nil, "how many workers `R` it may have in the long run, level 0 first: 4,2 or repeated")
	fs.StringVar(&f.window, "window", "", "for how long `TIME` it saves what it does not use, e.g. 2h (default 1h)")
	fs.IntVar(&f.fanout, "fanout", 0, "at most `N` paid jobs run at once that want the same labels; 0 is any number")
	fs.StringSliceVar(&f.limits, "label-limit", nil, "`KEY=N`: at most N of its jobs run at once on workers with the same label KEY:...; none is no limits; may be repeated")
	fs.BoolVar(&f.noFree, "no-free", false, "start none of its jobs for free: without quota they wait")
	fs.StringVar(&f.description, "description", "", "any `TEXT`")
	poolFlag(cmd, &f.pool)
}

// read is the account that the flags describe, and the settings that were given.
func (f *accountFlags) read(cmd *cobra.Command, name string) (*job.Account, []string, error) {
	account := &job.Account{Name: name, Description: f.description, MaxFanout: f.fanout, NoFree: f.noFree}
	var err error
	if account.Rate, err = readQuota("rate", f.rate); err != nil {
		return nil, nil, err
	}
	if account.Window, err = timeFlag("window", f.window, 0); err != nil {
		return nil, nil, err
	}
	if account.LabelLimits, err = readLimits(f.limits); err != nil {
		return nil, nil, err
	}
	var fields []string
	for flag, field := range accountFields {
		if cmd.Flags().Changed(flag) {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return account, fields, account.Validate()
}

// readQuota reads a number for each level, level 0 first.
func readQuota(flag string, texts []string) (job.Quota, error) {
	levels := make([]float64, len(texts))
	for i, text := range texts {
		var err error
		if levels[i], err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil {
			return job.Quota{}, job.Errorf(job.Invalid, "--%s: %q is not a number; give one for each level, level 0 first, e.g. 4,2", flag, text)
		}
	}
	q, err := job.QuotaOf(levels...)
	return q, job.Wrap(err, "", "--"+flag)
}

// readLimits reads limits by the key of a label.
func readLimits(texts []string) (map[string]int, error) {
	if len(texts) == 1 && texts[0] == "none" {
		return nil, nil
	}
	limits := make(map[string]int, len(texts))
	for _, text := range texts {
		key, number, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || key == "" {
			return nil, job.Errorf(job.Invalid, "--label-limit: %q is not of the form KEY=N, e.g. gpu=2 (none, by itself, is no limits)", text)
		}
		if _, twice := limits[key]; twice {
			return nil, job.Errorf(job.Invalid, "--label-limit: %q is limited twice; give each key once", key)
		}
		limits[key] = n
	}
	return limits, nil
}
