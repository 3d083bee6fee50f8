package server

import (
	"encoding/json"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// Discovery is what the file server.json in the data directory tells clients
// of the same user: where the server is and how to speak to it.
type Discovery struct {
	// Address of gRPC, HTTPAddress of HTTP/JSON (empty: none), as HOST:PORT that
	// this machine can reach.
	Address     string `json:"address"`
	HTTPAddress string `json:"http_address,omitempty"`
	// CoordinateAddress is where Coordinate's clients are served; empty: nowhere.
	CoordinateAddress string `json:"coordinate_address,omitempty"`
	// TLS is used on Address and HTTPAddress; CAFile is what to trust then, empty for
	// the system's authorities.
	TLS     bool   `json:"tls,omitempty"`
	HTTPTLS bool   `json:"http_tls,omitempty"`
	CAFile  string `json:"ca_file,omitempty"`
	// TokenFile has a token.
	TokenFile string    `json:"token_file"`
	PID       int       `json:"pid"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
}

func (d *Discovery) write(path string) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return job.Errorf(job.Internal, "describe the server: %w", err)
	}
	if err := private.WriteFile(path, append(b, '\n')); err != nil {
		return job.Errorf(job.Internal, "write where the server is: %w", err)
	}
	return nil
}
