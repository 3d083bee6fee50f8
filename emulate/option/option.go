// Package option reads the options of the commands of other batch systems from
// tables. Each option is known by name and is acted on, accepted without effect, or
// refused with the reason; any other is an error. The tables are also what the
// documentation is checked against.
package option

import (
	"fmt"
	"strings"
)

// Arg says whether an option has a value.
type Arg uint8

// Whether an option has a value. That of an Optional one is attached to it.
const (
	None Arg = iota
	Required
	Optional
)

// Option is one option of a command that reads into an R.
type Option[R any] struct {
	// Name is the long name, or in the style of LSF the only one; Short the letter.
	Name  string
	Short string
	Arg   Arg
	// Set acts on it; nil: it has no effect here.
	Set func(r *R, value string) error
	// Refuse is why it is refused; empty: it is not.
	Refuse string
}

// Set is all options of a command.
type Set[R any] []Option[R]

// Given is an option as it was given.
type Given[R any] struct {
	*Option[R]
	// As is how it was written, Value its value.
	As, Value string
}

// Unknown is an option that is not in the table, or that lacks a value.
type Unknown struct {
	// As is the option as it was written, with its dashes.
	As string
	// Missing: it is known, but its value is missing; Extra: it has none.
	Missing, Extra bool
	// Among are the options that an abbreviation may mean.
	Among []string
}

// Error says what is wrong in the words of getopt_long.
func (u *Unknown) Error() string {
	switch {
	case u.Missing:
		return fmt.Sprintf("option '%s' requires an argument", u.As)
	case u.Extra:
		return fmt.Sprintf("option '%s' doesn't allow an argument", u.As)
	case len(u.Among) > 0:
		return fmt.Sprintf("option '%s' is ambiguous; possibilities: '--%s'", u.As, strings.Join(u.Among, "' '--"))
	case strings.HasPrefix(u.As, "--"):
		return fmt.Sprintf("unrecognized option '%s'", u.As)
	}
	return fmt.Sprintf("invalid option -- '%s'", strings.TrimPrefix(u.As, "-"))
}

// Apply acts on an option.
func (g *Given[R]) Apply(r *R) error {
	switch {
	case g.Refuse != "":
		return fmt.Errorf("%s: %s", g.As, g.Refuse)
	case g.Option.Set == nil:
		return nil
	}
	if err := g.Option.Set(r, g.Value); err != nil {
		return fmt.Errorf("%s: %w", g.As, err)
	}
	return nil
}

// GNU reads arguments as getopt_long does: "--name=value", "--name value", "-nvalue",
// "-n value", "-ab", unambiguous abbreviations of long names. It stops at the first
// operand, or with permute collects operands wherever they are.
func (s Set[R]) GNU(args []string, permute bool) (given []Given[R], operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var one []Given[R]
		switch {
		case arg == "--":
			return given, append(operands, args...), nil
		case strings.HasPrefix(arg, "--"):
			one, args, err = s.long(arg, args)
		case len(arg) > 1 && arg[0] == '-':
			one, args, err = s.short(arg, args)
		case permute:
			operands = append(operands, arg)
		default:
			return given, append([]string{arg}, args...), nil
		}
		if err != nil {
			return nil, nil, err
		}
		given = append(given, one...)
	}
	return given, operands, nil
}

func (s Set[R]) long(arg string, rest []string) ([]Given[R], []string, error) {
	name, value, attached := strings.Cut(arg[2:], "=")
	o, among := s.Named(name)
	switch {
	case o == nil:
		return nil, nil, &Unknown{As: "--" + name, Among: among}
	case attached && o.Arg == None:
		return nil, nil, &Unknown{As: "--" + o.Name, Extra: true}
	case o.Arg == Required && !attached:
		if len(rest) == 0 {
			return nil, nil, &Unknown{As: "--" + o.Name, Missing: true}
		}
		value, rest = rest[0], rest[1:]
	}
	return []Given[R]{{o, "--" + o.Name, value}}, rest, nil
}

// Named finds a long option by its name or an unambiguous beginning of it.
func (s Set[R]) Named(name string) (*Option[R], []string) {
	var found *Option[R]
	var among []string
	for i := range s {
		switch {
		case s[i].Name == "":
		case s[i].Name == name:
			return &s[i], nil
		case strings.HasPrefix(s[i].Name, name):
			found = &s[i]
			among = append(among, s[i].Name)
		}
	}
	if len(among) == 1 {
		return found, nil
	}
	return nil, among
}

func (s Set[R]) short(arg string, rest []string) ([]Given[R], []string, error) {
	var given []Given[R]
	for letters := arg[1:]; letters != ""; {
		letter := letters[:1]
		letters = letters[1:]
		o := s.letter(letter)
		if o == nil {
			return nil, nil, &Unknown{As: "-" + letter}
		}
		g := Given[R]{Option: o, As: "-" + letter}
		switch {
		case o.Arg != None && letters != "":
			g.Value, letters = letters, ""
		case o.Arg == Required && len(rest) == 0:
			return nil, nil, &Unknown{As: "-" + letter, Missing: true}
		case o.Arg == Required:
			g.Value, rest = rest[0], rest[1:]
		}
		given = append(given, g)
	}
	return given, rest, nil
}

func (s Set[R]) letter(letter string) *Option[R] {
	for i := range s {
		if s[i].Short == letter {
			return &s[i]
		}
	}
	return nil
}

// LSF reads arguments as LSF does: names of any length after one dash, each value an
// argument of its own, or a number attached to a name of one letter.
func (s Set[R]) LSF(args []string, permute bool) (given []Given[R], operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' {
			operands = append(operands, arg)
			if !permute {
				return given, append(operands, args...), nil
			}
			continue
		}
		g, attached := s.lsf(arg[1:])
		switch {
		case g.Option == nil:
			return nil, nil, &Unknown{As: arg}
		case g.Arg == Required && !attached && len(args) == 0:
			return nil, nil, &Unknown{As: arg, Missing: true}
		case g.Arg == Required && !attached:
			g.Value, args = args[0], args[1:]
		}
		given = append(given, g)
	}
	return given, operands, nil
}

func (s Set[R]) lsf(word string) (g Given[R], attached bool) {
	for i := range s {
		if s[i].Name == word {
			return Given[R]{Option: &s[i], As: "-" + word}, false
		}
	}
	for i := 0; len(word) > 1 && i < len(s); i++ {
		if o := &s[i]; len(o.Name) == 1 && o.Name == word[:1] && o.Arg != None && word[1] >= '0' && word[1] <= '9' {
			return Given[R]{Option: o, As: "-" + o.Name, Value: word[1:]}, true
		}
	}
	return Given[R]{}, false
}
