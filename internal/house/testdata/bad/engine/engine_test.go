package engine

import (
	"testing"
	"time"
)

func TestSlow(*testing.T) {
	time.Sleep(time.Second)
}
