//go:build race

package pebble

// raceSpares is how many times fewer cases there are when the race detector, which
// makes each take ten times as long, looks for races and not for lost records.
const raceSpares = 3
