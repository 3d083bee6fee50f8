package cron

import (
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones knows them too

	"github.com/robfig/cron/v3"

	"github.com/muster-queue/muster/job"
)

// Expression stands for a sequence of times.
type Expression struct {
	text string
	zone *time.Location

	// One of these: an interval from an anchor on, an interval after the end of what
	// was there before, or fields.
	every  time.Duration
	anchor time.Time
	after  time.Duration
	spec   *cron.SpecSchedule
	// wild: the minute or the hour is a star.
	wild bool
}

// maxExpression bounds the text of an expression.
const maxExpression = 1000

var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// nicknames are words for five fields.
var nicknames = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Parse reads an expression: the five fields of crontab (minute, hour, day of the
// month, month, day of the week; lists, ranges, steps, names), a nickname such as
// @daily, "@every 90s", whose times are counted from the anchor, or "@after 5m",
// the end of what was there before and 5 minutes. The zone is a name such as
// Europe/Berlin; empty means UTC. Errors: Invalid.
func Parse(text, zone string, anchor time.Time) (*Expression, error) {
	e := &Expression{text: strings.TrimSpace(text), anchor: anchor.UTC().Truncate(time.Second)}
	if len(text) > maxExpression {
		return nil, job.Errorf(job.Invalid, "an expression of %d bytes; at most %d", len(text), maxExpression)
	}
	var err error
	if e.zone, err = parseZone(zone); err != nil {
		return nil, err
	}
	word, rest, _ := strings.Cut(e.text, " ")
	switch word {
	case "@every":
		e.every, err = parseInterval(rest)
	case "@after":
		e.after, err = parseInterval(rest)
	default:
		err = e.parseFields()
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, job.Errorf(job.Invalid, "zone Local: name the zone, such as Europe/Berlin, for the server may be somewhere else")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "%.60q is no time zone; write a name such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}

func parseInterval(s string) (time.Duration, error) {
	d, err := job.ParseDuration(s)
	if err != nil {
		return 0, err
	}
	if d < time.Second || d%time.Second != 0 {
		return 0, job.Errorf(job.Invalid, "an interval of %v; it is in whole seconds, and at least one", d)
	}
	return d, nil
}

func (e *Expression) parseFields() error {
	text := e.text
	if five, ok := nicknames[strings.ToLower(text)]; ok {
		text = five
	}
	parts := strings.Fields(text)
	if len(parts) != 5 || strings.Contains(text, "=") || strings.HasPrefix(text, "@") {
		return job.Errorf(job.Invalid, "%.80q is no schedule; write five fields (minute, hour, day of month, month, day of week) "+
			`such as "30 3 * * mon-fri", or @hourly, @daily, @weekly, @monthly, @yearly, "@every 90s", "@after 5m"`, e.text)
	}
	e.wild = star(parts[0]) || star(parts[1])
	weekdays, err := sundays(parts[4])
	if err != nil {
		return err
	}
	parsed, err := fields.Parse(strings.Join(append(parts[:4:4], weekdays), " "))
	if err != nil {
		return job.Errorf(job.Invalid, "%.80q: %w", e.text, err)
	}
	e.spec = parsed.(*cron.SpecSchedule) // what five fields are parsed to
	e.spec.Location = time.UTC           // it is asked for civil times only
	// A day field that begins with a star does not restrict: as crontab(5) has it,
	// with a step too.
	for i, bits := range map[int]*uint64{2: &e.spec.Dom, 4: &e.spec.Dow} {
		if *bits &^= starBit; star(parts[i]) {
			*bits |= starBit
		}
	}
	if e.nextCivil(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return job.Errorf(job.Invalid, "%.80q: there is no such day", e.text)
	}
	return nil
}

// starBit marks a day field that does not restrict.
const starBit = 1 << 63

func star(field string) bool { return strings.HasPrefix(field, "*") || strings.HasPrefix(field, "?") }

// sundays writes a field of days of the week with 0 for Sunday where it has 7, or
// sun as the end of a range.
func sundays(field string) (string, error) {
	parts := strings.Split(field, ",")
	for i, p := range parts {
		span, step, stepped := strings.Cut(p, "/")
		from, to, ranged := strings.Cut(span, "-")
		switch {
		case !ranged && from == "7":
			parts[i] = strings.Replace(p, "7", "0", 1)
		case ranged && (to == "7" || strings.EqualFold(to, "sun")) && from != "0" && !strings.EqualFold(from, "sun"):
			days, err := upToSunday(from, step, stepped)
			if err != nil {
				return "", err
			}
			parts[i] = days
		}
	}
	return strings.Join(parts, ","), nil
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// upToSunday lists every step-th day from one to the Sunday that ends the week.
func upToSunday(from, step string, stepped bool) (string, error) {
	first, err := strconv.Atoi(from)
	for i, name := range weekdays {
		if strings.EqualFold(name, from) {
			first, err = i, nil
		}
	}
	by := 1
	if err == nil && stepped {
		by, err = strconv.Atoi(step)
	}
	if err != nil || first < 0 || first > 7 || by < 1 {
		return "", job.Errorf(job.Invalid, "%.40q is no range of days of the week", from+"-sun")
	}
	var days []string
	for d := first; d <= 7; d += by {
		days = append(days, strconv.Itoa(d%7))
	}
	return strings.Join(days, ","), nil
}

// String is the text the expression was read from.
func (e *Expression) String() string { return e.text }

// After is the time from the end of one run to the next, of an expression that
// says so; else zero.
func (e *Expression) After() time.Duration { return e.after }
