package api

import (
	"net/url"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// setQuery sets the library's one parser for the whole process, once: other
// servers of the process may be using it.
var setQuery = sync.OnceFunc(func() { runtime.SetQueryParameterParser(&Query{})(runtime.NewServeMux()) })

// WithQuery makes a gateway read query parameters with Query.
func WithQuery() runtime.ServeMuxOption {
	return func(*runtime.ServeMux) { setQuery() }
}

// Query reads the query parameters of the HTTP face into messages of the
// contract. Fields of a filter need no prefix, and lists may be named in the
// singular: ?state=buried is ?filter.states=buried. An unknown parameter is an
// Invalid error, rather than a filter that silently selects everything.
type Query struct{ standard runtime.DefaultQueryParser }

// Parse sets the fields of msg that values name; an unknown one is an error.
func (q *Query) Parse(msg proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	if msg.ProtoReflect().Descriptor().ParentFile().Package() != musterv1.File_muster_v1_job_proto.Package() {
		return q.standard.Parse(msg, values, filter)
	}
	full := make(url.Values, len(values))
	fields := msg.ProtoReflect().Descriptor().Fields()
	for name, list := range values {
		path, err := queryPath(fields, name)
		if err != nil {
			return err
		}
		full[path] = append(full[path], list...)
	}
	return q.standard.Parse(msg, full, filter)
}

func queryPath(fields protoreflect.FieldDescriptors, name string) (string, error) {
	if path, ok := fieldNamed(fields, name); ok {
		return path, nil
	}
	if f := fields.ByName("filter"); f != nil {
		if path, ok := fieldNamed(f.Message().Fields(), name); ok {
			return "filter." + path, nil
		}
	}
	for i := range len(name) {
		if name[i] == '.' {
			if f := fields.ByName(protoreflect.Name(name[:i])); f != nil && f.Message() != nil {
				path, err := queryPath(f.Message().Fields(), name[i+1:])
				return name[:i+1] + path, err
			}
		}
	}
	return "", job.Errorf(job.Invalid, "unknown parameter %.60q", name)
}

func fieldNamed(fields protoreflect.FieldDescriptors, name string) (string, bool) {
	if fields.ByName(protoreflect.Name(name)) != nil {
		return name, true
	}
	if f := fields.ByName(protoreflect.Name(name + "s")); f != nil && f.IsList() {
		return name + "s", true
	}
	return "", false
}
