package emulate

import (
	"path"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Directives are the words of the lines of a script that begin with a marker such as
// "#SBATCH", in order. Without all they end at the first line that is neither empty
// nor a comment.
func Directives(script, marker string, all bool) ([][]string, error) {
	var lines [][]string
	for line := range strings.SplitSeq(script, "\n") {
		rest, ok := strings.CutPrefix(line, marker)
		switch {
		case ok && (rest == "" || strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t")):
			words, err := Words(rest)
			if err != nil {
				return nil, job.Errorf(job.Invalid, "%q: %w", strings.TrimSpace(line), err)
			}
			if len(words) > 0 {
				lines = append(lines, words)
			}
		case all || strings.HasPrefix(strings.TrimSpace(line), "#") || strings.TrimSpace(line) == "":
		default:
			return lines, nil
		}
	}
	return lines, nil
}

// Words splits as a shell does, without expanding anything: blanks separate, quotes
// and backslashes keep together, a word that begins with "#" ends the line.
func Words(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	in, quote := false, byte(0)
	end := func() {
		if in {
			words = append(words, w.String())
		}
		w.Reset()
		in = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			end()
		case quote == 0 && !in && c == '#':
			return words, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote, in = c, true
		case c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line) && (quote == 0 || strings.IndexByte(`"\$`+"`", line[i+1]) >= 0):
			i++
			w.WriteByte(line[i])
			in = true
		default:
			w.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, job.Errorf(job.Invalid, "a quote %c is not closed", quote)
	}
	end()
	return words, nil
}

// shells take a script with -c.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ksh": true, "zsh": true}

// feeder hands a script to any other program as a file: $1 is the script, $2 how many
// words the program has.
const feeder = `s=$1 n=$2; shift 2; exec "${@:1:n}" <(printf %s "$s") "${@:n+1}"`

// Interpreter is what the first line of a script names after "#!"; empty if none.
func Interpreter(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	program, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return ""
	}
	return strings.TrimSpace(program)
}

// Run is what executes a script under a name with arguments: the program its first
// line names, else otherwise. The script is what was read when it was added, whatever
// becomes of the file.
func Run(script, otherwise, name string, args []string) ([]string, error) {
	program := strings.Fields(Interpreter(script))
	if len(program) == 0 {
		program = strings.Fields(otherwise)
	}
	if len(script) > job.MaxWord {
		return nil, job.Errorf(job.Invalid, "the script has %d bytes, at most %d are taken: put its work into a file and run that", len(script), job.MaxWord)
	}
	base := path.Base(program[0])
	if base == "env" && len(program) == 2 {
		base = program[1]
	}
	var argv []string
	if shells[base] {
		argv = append(append(argv, program...), "-c", script, name)
	} else {
		argv = append(argv, "bash", "-c", feeder, name, script, strconv.Itoa(len(program)))
		argv = append(argv, program...)
	}
	return append(argv, args...), nil
}
