//go:build !race

package pebble

// raceSpares: without the race detector no more cases are left out.
const raceSpares = 1
