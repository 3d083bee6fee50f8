package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
)

// answerPair appends a pair: a value, which append writes, and the message of err,
// or instead none, the value that goes with a message.
func answerPair(b []byte, err error, none []byte, write func([]byte) []byte) ([]byte, error) {
	text, err := message(err)
	if err != nil {
		return nil, err
	}
	b = cborrpc.AppendList(b, 2)
	if text != "" {
		return cborrpc.AppendString(append(b, none...), text), nil
	}
	return append(write(b), cborrpc.Null...), nil
}

var (
	falseValue = cborrpc.AppendBool(nil, false)
	zeroValue  = cborrpc.AppendInt(nil, 0)
)

// answerDone appends the pair of a method that does something or does not.
func answerDone(b []byte, err error) ([]byte, error) {
	return answerPair(b, err, falseValue, func(b []byte) []byte { return cborrpc.AppendBool(b, true) })
}

// answerAny appends a pair of a value that is not large.
func answerAny(b []byte, v any, err error) ([]byte, error) {
	if err != nil {
		return answerPair(b, err, cborrpc.Null, nil)
	}
	encoded, err := cborrpc.Encode(v)
	return answerPair(b, err, nil, func(b []byte) []byte { return append(b, encoded...) })
}

// bare appends a result without a message.
func bare(b []byte, v any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	encoded, err := cborrpc.Encode(v)
	return append(b, encoded...), err
}
