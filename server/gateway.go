package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// openGateway sets the HTTP face up. It passes requests on to gRPC through
// memory, streams included, so that tokens, bounds and errors are dealt with in
// one place.
func (s *Server) openGateway(ctx context.Context) error {
	conn, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(s.cfg.MaxMessage), grpc.MaxCallSendMsgSize(s.cfg.MaxMessage)))
	if err != nil {
		return job.Errorf(job.Internal, "open the HTTP face: %w", err)
	}
	s.inner = conn
	mux := newGateway()
	for _, register := range gateways {
		if err := register(ctx, mux, conn); err != nil {
			return job.Errorf(job.Internal, "open the HTTP face: %w", err)
		}
	}
	s.http = &http.Server{
		Handler:           s.face(mux),
		ReadHeaderTimeout: s.cfg.ConnectTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

var gateways = []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
	v1.RegisterPoolsHandler, v1.RegisterExternalSchedulerHandler,
	v1.RegisterNamespacesHandler, v1.RegisterJobsHandler, v1.RegisterWorkHandler,
	v1.RegisterEnvironmentsHandler, v1.RegisterSecretsHandler, v1.RegisterQueuesHandler, v1.RegisterWorkersHandler,
	v1.RegisterCronHandler, v1.RegisterNoticesHandler,
	v1.RegisterUnitsHandler, v1.RegisterLocksHandler, v1.RegisterAccountsHandler, v1.RegisterLimitsHandler, v1.RegisterKindsHandler, v1.RegisterEventsHandler, v1.RegisterServerHandler, v1.RegisterTokensHandler,
}

// newGateway maps HTTP to gRPC as api/http.yaml says.
func newGateway() *runtime.ServeMux {
	marshaler := &runtime.JSONPb{
		// What is zero, empty or false is left out.
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler),
		runtime.WithMarshalerOption(eventStream, &eventMarshaler{marshaler}),
		runtime.WithErrorHandler(writeStatus),
		runtime.WithStreamErrorHandler(func(_ context.Context, err error) *status.Status {
			return status.Convert(api.Status(fromGateway(err)))
		}),
		runtime.WithRoutingErrorHandler(writeRouting),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
		api.WithQuery(),
	)
}

// face is what is around every HTTP request.
func (s *Server) face(mux http.Handler) http.Handler {
	plain := http.NewServeMux()
	plain.Handle("/v1/", mux)
	plain.HandleFunc("GET /v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(api.OpenAPI)
	})
	plain.HandleFunc("GET /healthz", s.healthz)
	plain.HandleFunc("GET /metrics", newMetrics(s).serve)
	plain.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, job.Errorf(job.NotFound, "there is nothing at %.200q; everything is below /v1/, described in /v1/openapi.json", r.URL.Path))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if err := noSecrets(r.URL.Query()); err != nil {
			writeError(w, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxMessage))
		plain.ServeHTTP(w, r)
	})
}

// noSecrets refuses tokens in URLs: those end in histories and logs.
func noSecrets(query url.Values) error {
	if slices.ContainsFunc([]string{"token", "access_token"}, query.Has) {
		return job.Errorf(job.Invalid, "a token in a URL is not accepted, and should be revoked if it was a real one: URLs end in histories and logs; send the header \"Authorization: Bearer TOKEN\"")
	}
	return nil
}

// healthz answers 200 while new work is accepted; it needs no token.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := s.engine.Health(); err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, "{\"status\":%q}\n", *s.mode.Load())
}

// writeStatus writes the error of a call.
func writeStatus(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	writeError(w, fromGateway(err))
}

// fromGateway is the error of a call. One without details is of the gateway
// itself and is about the form of the request.
func fromGateway(err error) error {
	st, ok := status.FromError(err)
	if !ok || len(st.Details()) > 0 || st.Code() != codes.InvalidArgument {
		return api.FromStatus(err)
	}
	// The protobuf library varies its spaces on purpose.
	why := strings.TrimPrefix(strings.ReplaceAll(st.Message(), "\u00a0", " "), "proto: ")
	if strings.Contains(why, "http: request body too large") {
		return job.Errorf(job.Invalid, "the body of the request is too large")
	}
	return job.Errorf(job.Invalid, "the request cannot be read: %s", why)
}

// writeRouting writes that there is nothing at a path, or not for a method.
func writeRouting(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	err := job.Errorf(job.NotFound, "there is nothing at %.200q; /v1/openapi.json describes what there is", r.URL.Path)
	switch code {
	case http.StatusMethodNotAllowed:
		err = job.Errorf(job.Unimplemented, "%s is not for %.200q; /v1/openapi.json describes what is", r.Method, r.URL.Path)
	case http.StatusBadRequest:
		err = job.Errorf(job.Invalid, "the path %.200q is malformed", r.URL.Path)
	}
	writeErrorAs(w, code, err)
}

func writeError(w http.ResponseWriter, err error) {
	writeErrorAs(w, job.KindOf(err).HTTPStatus(), err)
}

// writeErrorAs writes an error as JSON, muster.v1.Error.
func writeErrorAs(w http.ResponseWriter, code int, err error) {
	m := api.FromError(err)
	body, bad := (protojson.MarshalOptions{UseProtoNames: true}).Marshal(m)
	if bad != nil {
		body, _ = json.Marshal(map[string]string{"kind": m.GetKind(), "message": "the error cannot be described"})
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if retry := m.GetRetryAfter().AsDuration(); retry > 0 {
		h.Set("Retry-After", fmt.Sprint(int(retry.Seconds()+0.999)))
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
