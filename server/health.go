package server

import (
	"context"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// healthEvery is how often health is looked at; nothing waits for it.
const healthEvery = time.Second

// keepHealth tells whether new work is accepted, in the words of the gRPC
// health protocol: the service "" is the server, "muster.v1.Jobs" adding.
func (s *Server) keepHealth(ctx context.Context) {
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	s.setHealth()
	for {
		select {
		case <-ticker.C:
			s.setHealth()
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) setHealth() {
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	adding := healthpb.HealthCheckResponse_SERVING
	if s.engine.Health() != nil {
		adding = healthpb.HealthCheckResponse_NOT_SERVING
	}
	s.health.SetServingStatus("muster.v1.Jobs", adding)
}
