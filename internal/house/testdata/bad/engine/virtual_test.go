package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestVirtual(t *testing.T) {
	synctest.Test(t, func(*testing.T) { time.Sleep(time.Second) })
}
