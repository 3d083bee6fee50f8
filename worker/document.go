package worker

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// reading is how documents are read into Go values: what Python programs write as
// byte strings fits where Go has strings.
var reading = must(cbor.DecOptions{
	ByteStringToString:  cbor.ByteStringToStringAllowed,
	FieldNameByteString: cbor.FieldNameByteStringAllowed,
	DefaultMapType:      reflect.TypeFor[map[string]any](),
	MaxNestedLevels:     100,
}.DecMode())

// exact is how a document is taken apart so that it can be put together again with
// every value of the kind it had.
var exact = must(cbor.DecOptions{DefaultByteStringType: reflect.TypeFor[cbor.ByteString](), MaxNestedLevels: 100}.DecMode())

var writing = must(cbor.EncOptions{Sort: cbor.SortBytewiseLexical, Time: cbor.TimeRFC3339Nano}.EncMode())

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err)
	}
	return mode
}

func decode(document []byte, v any) error {
	if len(document) == 0 {
		return job.Errorf(job.Invalid, "there is none")
	}
	if err := reading.Unmarshal(document, v); err != nil {
		return job.Errorf(job.Invalid, "%w", err)
	}
	return nil
}

func encode(v any) ([]byte, error) {
	document, err := writing.Marshal(v)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "%w", err)
	}
	return document, nil
}

// taskOf is the name of a queue's task: what its definition says, else its own.
func taskOf(q *job.Queue) string {
	if definition, err := cborrpc.Parse(q.Definition); err == nil && definition.IsMap() {
		if name, ok := definition.Get("task").Str(); ok && name != "" {
			return name
		}
	}
	return q.Name
}

// withTraceback is a document that is a map, with a text under "traceback"; one
// that is no map stays as it is, none becomes a map.
func withTraceback(document []byte, text string) []byte {
	entries := map[any]cbor.RawMessage{}
	if len(document) > 0 && exact.Unmarshal(document, &entries) != nil {
		return document
	}
	value, err := encode(text)
	if err != nil {
		return document
	}
	delete(entries, cbor.ByteString("traceback"))
	if entries == nil { // the document was null
		entries = map[any]cbor.RawMessage{}
	}
	entries["traceback"] = value
	if document2, err := encode(entries); err == nil {
		return document2
	}
	return document
}
