// Package schedule says it twice.
package schedule
