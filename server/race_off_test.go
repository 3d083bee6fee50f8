//go:build !race

package server

// raceEnabled tells tests about memory that they cannot measure it.
const raceEnabled = false
