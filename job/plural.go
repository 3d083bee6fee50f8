package job

import "strconv"

// Plural is a number of things, in words for people: "1 job", "2 jobs".
func Plural[N int | int64 | uint64](n N, noun string) string {
	text := strconv.FormatInt(int64(n), 10) + " " + noun
	if n == 1 {
		return text
	}
	return text + "s"
}
