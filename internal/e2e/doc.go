// Package e2e has the test that runs the real binary: thousands of real commands
// while server, agents and keepers are killed and stopped. Only tests live here.
//
// Its directory coordinate has the tests, in Python, of the original client of
// Coordinate against the real binary; scripts/coordinate-client runs them.
package e2e
