package client

import (
	"net"
	"path/filepath"

	"github.com/muster-queue/muster/job"
)

// Reach is how other programs on this machine reach a server, their token apart.
type Reach struct {
	// Data is the data directory by which it is found, wherever it listens after a
	// restart; empty when it is known by its address only.
	Data string
	// Address is where it listens at present, CAFile the authority to trust; empty: the
	// system's, or none on this machine's own addresses.
	Address, CAFile string
}

// Reach is how other programs on this machine reach the server. NotFound: it cannot be
// reached by another program.
func (c *Client) Reach() (Reach, error) {
	r := Reach{Data: c.cfg.Data, Address: c.cfg.Address, CAFile: c.cfg.CAFile}
	if r.Data != "" {
		d, err := readDiscovery(r.Data)
		if err != nil {
			return r, err
		}
		r.Address, r.CAFile = d.Address, beside(r.Data, d.CAFile)
	}
	if _, _, err := net.SplitHostPort(r.Address); err != nil {
		return r, job.Errorf(job.NotFound, "other programs cannot reach the server, for it has no address (%q)", r.Address)
	}
	if r.CAFile == "" {
		return r, nil
	}
	var err error
	r.CAFile, err = filepath.Abs(r.CAFile)
	return r, err
}
