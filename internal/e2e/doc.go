// Package e2e has the test that runs the real binary: thousands of real commands
// while server, agents and keepers are killed and stopped. Only tests live here.
package e2e
