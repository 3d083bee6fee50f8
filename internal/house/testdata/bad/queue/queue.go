// Package queue breaks the rules of a pure package.
package queue

import "os"
import "time"
import _ "example.org/bad/engine"
import _ "example.org/bad/schedule"

// F looks at the clock and at the world.
func F() time.Time {
	now := time.Now()
	// TODO: stop this
	go os.Getpid()
	return now
}
