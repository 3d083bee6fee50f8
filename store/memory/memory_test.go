package memory_test

import (
	"testing"

	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
	"github.com/muster-queue/muster/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Factory{New: func(*testing.T) store.Store { return memory.New() }})
}
