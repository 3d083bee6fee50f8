// Package certificate gives a server its TLS certificate: files that a person
// keeps, reloaded when they change, or one signed by an authority of its own,
// made at first start and renewed long before it ends. Neither drops a
// connection. Package server is its only caller.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/job"
)

// How often files are looked at, and the end of a certificate made here is
// thought of.
const (
	filesEvery = time.Minute
	madeEvery  = time.Hour
)

// Source is a certificate that is kept good.
type Source struct {
	current atomic.Pointer[tls.Certificate]
	// refresh returns a newer certificate, or nil when the present one stays.
	refresh func(now time.Time, present *tls.Certificate) (*tls.Certificate, error)
	every   time.Duration
	log     *slog.Logger
}

// newSource takes the first certificate.
func newSource(every time.Duration, log *slog.Logger, refresh func(time.Time, *tls.Certificate) (*tls.Certificate, error)) (*Source, error) {
	s := &Source{refresh: refresh, every: every, log: log}
	if err := s.Refresh(time.Now()); err != nil {
		return nil, err
	}
	return s, nil
}

// Refresh looks for a newer certificate now. On an error the present one stays.
func (s *Source) Refresh(now time.Time) error {
	c, err := s.refresh(now, s.current.Load())
	if err != nil || c == nil {
		return err
	}
	first := s.current.Swap(c) == nil
	if !first {
		s.log.Info("the TLS certificate was renewed", "until", c.Leaf.NotAfter)
	}
	return nil
}

// Run keeps the certificate good until ctx ends.
func (s *Source) Run(ctx context.Context) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := s.Refresh(time.Now()); err != nil {
				s.log.Error("the TLS certificate could not be renewed; the present one stays",
					"until", s.Until(), "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// Until is when the present certificate ends.
func (s *Source) Until() time.Time { return s.current.Load().Leaf.NotAfter }

// Config is what a listener needs: each handshake gets the present certificate.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.current.Load(), nil
		},
	}
}

// withLeaf parses the leaf where the loader did not.
func withLeaf(c tls.Certificate) (*tls.Certificate, error) {
	if c.Leaf != nil {
		return &c, nil
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, job.Errorf(job.Invalid, "read the certificate: %w", err)
	}
	c.Leaf = leaf
	return &c, nil
}
