// Package schedule has global state and two comments.
package schedule

var signals chan int
