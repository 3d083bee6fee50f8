package server

import (
	"context"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
)

// The services, each in its own file: they only translate between messages and
// the engine.
type (
	namespacesService struct {
		v1.UnimplementedNamespacesServer
		*Server
	}
	jobsService struct {
		v1.UnimplementedJobsServer
		*Server
	}
	workService struct {
		v1.UnimplementedWorkServer
		*Server
	}
	agentsService struct {
		v1.UnimplementedAgentsServer
		*Server
	}
	environmentsService struct {
		v1.UnimplementedEnvironmentsServer
		*Server
	}
	secretsService struct {
		v1.UnimplementedSecretsServer
		*Server
	}
	queuesService struct {
		v1.UnimplementedQueuesServer
		*Server
	}
	workersService struct {
		v1.UnimplementedWorkersServer
		*Server
	}
	unitsService struct {
		v1.UnimplementedUnitsServer
		*Server
	}
	poolsService struct {
		v1.UnimplementedPoolsServer
		*Server
	}
	schedulerService struct {
		v1.UnimplementedExternalSchedulerServer
		*Server
	}
	locksService struct {
		v1.UnimplementedLocksServer
		*Server
	}
	cronService struct {
		v1.UnimplementedCronServer
		*Server
	}
	noticesService struct {
		v1.UnimplementedNoticesServer
		*Server
	}
	accountsService struct {
		v1.UnimplementedAccountsServer
		*Server
	}
	kindsService struct {
		v1.UnimplementedKindsServer
		*Server
	}
	limitsService struct {
		v1.UnimplementedLimitsServer
		*Server
	}
	eventsService struct {
		v1.UnimplementedEventsServer
		*Server
	}
	serverService struct {
		v1.UnimplementedServerServer
		*Server
	}
	tokensService struct {
		v1.UnimplementedTokensServer
		*Server
	}
)

func (s *Server) register() {
	v1.RegisterPoolsServer(s.grpc, &poolsService{Server: s})
	v1.RegisterExternalSchedulerServer(s.grpc, &schedulerService{Server: s})
	s.registerPlugin(&schedulerService{Server: s})
	v1.RegisterNamespacesServer(s.grpc, &namespacesService{Server: s})
	v1.RegisterJobsServer(s.grpc, &jobsService{Server: s})
	v1.RegisterWorkServer(s.grpc, &workService{Server: s})
	v1.RegisterAgentsServer(s.grpc, &agentsService{Server: s})
	v1.RegisterEnvironmentsServer(s.grpc, &environmentsService{Server: s})
	v1.RegisterSecretsServer(s.grpc, &secretsService{Server: s})
	v1.RegisterQueuesServer(s.grpc, &queuesService{Server: s})
	v1.RegisterWorkersServer(s.grpc, &workersService{Server: s})
	v1.RegisterUnitsServer(s.grpc, &unitsService{Server: s})
	v1.RegisterLocksServer(s.grpc, &locksService{Server: s})
	v1.RegisterCronServer(s.grpc, &cronService{Server: s})
	v1.RegisterNoticesServer(s.grpc, &noticesService{Server: s})
	v1.RegisterAccountsServer(s.grpc, &accountsService{Server: s})
	v1.RegisterKindsServer(s.grpc, &kindsService{Server: s})
	v1.RegisterLimitsServer(s.grpc, &limitsService{Server: s})
	v1.RegisterEventsServer(s.grpc, &eventsService{Server: s})
	v1.RegisterServerServer(s.grpc, &serverService{Server: s})
	v1.RegisterTokensServer(s.grpc, &tokensService{Server: s})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.streaming = map[string]bool{}
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			s.streaming["/"+service+"/"+m.Name] = m.IsClientStream || m.IsServerStream
		}
	}
}

// namespace is the running namespace that a caller means and may use.
func (s *Server) namespace(ctx context.Context, name string) (*engine.Namespace, error) {
	name, err := scope(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.engine.Namespace(ctx, name)
}
