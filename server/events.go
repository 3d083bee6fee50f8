package server

import (
	"bytes"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
)

// eventStream is what a browser's EventSource accepts.
const eventStream = "text/event-stream"

// eventMarshaler writes the messages of a stream as server-sent events.
type eventMarshaler struct{ runtime.Marshaler }

// ContentType is that of server-sent events.
func (m *eventMarshaler) ContentType(any) string { return eventStream }

// Marshal is one event.
func (m *eventMarshaler) Marshal(v any) ([]byte, error) {
	body, err := m.Marshaler.Marshal(v)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{[]byte("data: "), body}, nil), nil
}

// Delimiter ends an event.
func (m *eventMarshaler) Delimiter() []byte { return []byte("\n\n") }
