package lock

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Parse reads a path in the notation of Path. The error is Invalid and says
// what cannot be read.
func Parse(text string) (Path, error) {
	if len(text) > MaxPath {
		return "", job.Errorf(job.Invalid, "a lock's path of %d bytes; it has at most %d", len(text), MaxPath)
	}
	p := parser{rest: text}
	if text == "" {
		return "", nil
	}
	for {
		err := p.label(0)
		if err == nil && p.rest != "" && p.rest[0] != '/' {
			err = job.Errorf(job.Invalid, "%q follows a tuple", p.rest)
		}
		if err != nil {
			return "", job.Wrap(err, "read the path of a lock", strconv.Quote(text))
		}
		if !p.next('/') {
			return checked(p.out)
		}
		p.out = append(p.out, '/')
	}
}

// parser reads labels and writes them again in the one form they have.
type parser struct {
	rest string
	out  []byte
}

func (p *parser) next(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// word takes what comes before the end of a label.
func (p *parser) word(depth int) string {
	ends := "/"
	if depth > 0 {
		ends = "/,()"
	}
	i := strings.IndexAny(p.rest, ends)
	if i < 0 {
		i = len(p.rest)
	}
	word := p.rest[:i]
	p.rest = p.rest[i:]
	return word
}

func (p *parser) label(depth int) error {
	if p.next('#') {
		if p.next('(') {
			return p.tuple(depth + 1)
		}
		return p.special(p.word(depth))
	}
	word := p.word(depth)
	if word == "" {
		return job.Errorf(job.Invalid, "a label is empty (a path begins and ends without a slash; # alone stands for the empty text)")
	}
	text, err := unescape(word)
	p.out = appendText(p.out, text, depth)
	return err
}

func (p *parser) tuple(depth int) error {
	if depth > maxNested {
		return job.Errorf(job.Invalid, "a label is nested more than %d deep", maxNested)
	}
	p.out = append(p.out, "#("...)
	for first := true; !p.next(')'); first = false {
		if !first {
			if !p.next(',') {
				return job.Errorf(job.Invalid, "a tuple is not closed: it is written #(a,b)")
			}
			p.out = append(p.out, ',')
		}
		if err := p.label(depth); err != nil {
			return err
		}
	}
	p.out = append(p.out, ')')
	return nil
}

// special reads what follows a number sign.
func (p *parser) special(word string) error {
	p.out = append(p.out, '#')
	switch word {
	case "", "null", "true", "false", "inf", "-inf":
		p.out = append(p.out, word...)
		return nil
	}
	if id, ok := parseUUID(word); ok {
		p.out = appendUUID(p.out, id)
		return nil
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil || word[0] == '+' || strings.Trim(word, "0123456789+-.eE") != "" {
		return job.Errorf(job.Invalid, "#%s is not a number, null, true, false, a UUID or a tuple; text that begins with # is written %%23%s", word, word)
	}
	if n, whole := new(big.Int).SetString(word, 10); whole {
		p.out = append(p.out, n.String()...)
		return nil
	}
	p.out, err = appendFloat(p.out[:len(p.out)-1], f)
	return err
}

func parseUUID(word string) (id [16]byte, ok bool) {
	if len(word) != uuidLen || word[8] != '-' || word[13] != '-' || word[18] != '-' || word[23] != '-' {
		return id, false
	}
	digits, err := hex.DecodeString(strings.ReplaceAll(word, "-", ""))
	if err != nil || len(digits) != len(id) {
		return id, false
	}
	return [16]byte(digits), true
}

// unescape undoes %XX.
func unescape(word string) (string, error) {
	if !strings.Contains(word, "%") {
		return word, nil
	}
	var b []byte
	for i := 0; i < len(word); i++ {
		if word[i] != '%' {
			b = append(b, word[i])
			continue
		}
		c, err := strconv.ParseUint(word[i+1:min(i+3, len(word))], 16, 8)
		if err != nil || i+3 > len(word) {
			return "", job.Errorf(job.Invalid, "%q: a percent sign is written %%25; two hexadecimal digits follow it", word)
		}
		b = append(b, byte(c))
		i += 2
	}
	return string(b), nil
}
