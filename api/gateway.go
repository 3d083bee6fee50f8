package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Gateway is the HTTP face of the contract: it translates requests for calls
// over conn. Names of fields are those of the contract, unknown ones are
// refused, and every refusal has an Error as its body.
func Gateway(ctx context.Context, conn *grpc.ClientConn, opts ...runtime.ServeMuxOption) (http.Handler, error) {
	mux := runtime.NewServeMux(append([]runtime.ServeMuxOption{
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{UseProtoNames: true}}),
		runtime.WithErrorHandler(refuse),
		runtime.WithRoutingErrorHandler(refuseRoute),
		withQuery,
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
	}, opts...)...)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		musterv1.RegisterNamespacesHandler, musterv1.RegisterJobsHandler, musterv1.RegisterWorkHandler,
		musterv1.RegisterEnvironmentsHandler, musterv1.RegisterQueuesHandler, musterv1.RegisterWorkersHandler,
		musterv1.RegisterServerHandler, musterv1.RegisterTokensHandler,
	} {
		if err := register(ctx, mux, conn); err != nil {
			return nil, job.Errorf(job.Internal, "map the contract to HTTP: %w", err)
		}
	}
	return mux, nil
}

// WriteError answers an HTTP request with a refusal, as the gateway does.
func WriteError(w http.ResponseWriter, err error) {
	m := FromError(err)
	kind := kindOf(err)
	h := w.Header()
	h.Del("Trailer")
	h.Set("Content-Type", "application/json")
	if retry := m.RetryAfter.AsDuration(); retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int((retry+time.Second-1)/time.Second)))
	}
	if kind == job.Unauthenticated {
		h.Set("WWW-Authenticate", "Bearer")
	}
	body, bad := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if bad != nil {
		body, _ = json.Marshal(map[string]string{"kind": kind.String()})
	}
	w.WriteHeader(kind.HTTPStatus())
	_, _ = w.Write(body) // the client went away, nobody is left to tell
}

func refuse(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	WriteError(w, FromStatus(err))
}

func refuseRoute(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusNotFound:
		WriteError(w, job.Errorf(job.NotFound, "there is no %s; GET /v1/openapi.json lists what there is", r.URL.Path))
	case http.StatusMethodNotAllowed:
		WriteError(w, job.Errorf(job.Unimplemented, "%s cannot be used with %s", r.Method, r.URL.Path))
	default:
		WriteError(w, job.Errorf(job.Invalid, "%s %s: %s", r.Method, r.URL.Path, http.StatusText(code)))
	}
}

// withQuery makes query the parser of the library, which has one for the whole
// process: set once here, and strict only about our own messages.
var withQuery = runtime.SetQueryParameterParser(&query{})

// query reads query parameters. Fields of a filter need no prefix, and lists may
// be named in the singular: ?state=buried is ?filter.states=buried.
type query struct{ standard runtime.DefaultQueryParser }

// Parse sets the fields of msg that values name; an unknown one is an error.
func (q *query) Parse(msg proto.Message, values url.Values, filter *utilities.DoubleArray) error {
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
	for i := 0; i < len(name); i++ {
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
