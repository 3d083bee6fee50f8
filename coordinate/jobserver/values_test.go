package jobserver_test

import (
	"math"
	"math/big"

	"github.com/muster-queue/muster/coordinate/cborrpc"
)

var nan = math.NaN()

func uuidValue(id [16]byte) any { return cborrpc.UUID(id) }

func bigInt(s string) any {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}
