// Package e2e has nothing but tests, which is no fault.
package e2e
