package client

import (
	"context"

	"google.golang.org/grpc"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// AgentStream is an agent's stream to the server.
type AgentStream = grpc.BidiStreamingClient[musterv1.AttachRequest, musterv1.AttachResponse]

// Attach opens an agent's stream; package agent is its one caller. It does not
// wait for a server that is away: the agent does, and runs its commands meanwhile.
func (c *Client) Attach(ctx context.Context) (AgentStream, error) {
	return musterv1.NewAgentsClient(c.conn).Attach(ctx)
}
