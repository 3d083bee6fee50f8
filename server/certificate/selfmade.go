package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/muster-queue/muster/job"
)

// Validity of what is made here, and how long before its end it is made anew.
const (
	leafLife  = 90 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour
	caLife    = 10 * 365 * 24 * time.Hour
	caRenew   = 2 * caSwitch
	caSwitch  = 365 * 24 * time.Hour
	// checkLeast is how often what is there is checked in earnest.
	checkLeast = 24 * time.Hour
	// skew is how far behind a client's clock may be.
	skew = time.Hour
)

// Files are where a self-made authority and certificate are kept. CA has what
// clients must trust; the others are readable by their owner only.
type Files struct {
	CA, CAKey, Cert string
}

// SelfMade makes and keeps, in files, a certificate for the hosts (names and
// addresses), signed by an authority made beside it. What is there and still
// good is used. For two years before an authority ends the file CA holds its
// successor too, so that clients who read it once a year never fail.
func SelfMade(files Files, hosts []string, log *slog.Logger) (*Source, error) {
	m := &maker{files: files, hosts: hosts}
	return newSource(madeEvery, log, m.refresh)
}

type maker struct {
	files Files
	hosts []string
	// checked is until when nothing need be done about what was found good.
	checked time.Time
}

// refresh makes a new certificate when there is none, or its end is near, or it
// is not for all hosts, or not of the present authority.
func (m *maker) refresh(now time.Time, present *tls.Certificate) (*tls.Certificate, error) {
	if present != nil && now.Before(m.checked) {
		return nil, nil
	}
	ca, err := m.authority(now)
	if err != nil {
		return nil, err
	}
	if present == nil {
		present, err = m.load()
		if err != nil {
			return nil, err
		}
		if present != nil && m.good(present.Leaf, ca.cert, now) {
			return present, nil
		}
	}
	if present != nil && m.good(present.Leaf, ca.cert, now) {
		return nil, nil
	}
	return m.issue(ca, now)
}

func (m *maker) good(leaf, ca *x509.Certificate, now time.Time) bool {
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter.Add(-leafRenew)) {
		return false
	}
	for _, host := range m.hosts {
		if leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	if leaf.CheckSignatureFrom(ca) != nil {
		return false
	}
	m.checked = now.Add(checkLeast)
	return true
}

// load reads the certificate kept; none is nil. One that cannot be read is made
// anew: nothing is lost with it.
func (m *maker) load() (*tls.Certificate, error) {
	b, err := os.ReadFile(m.files.Cert)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the TLS certificate: %w", err)
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, nil
	}
	return withLeaf(c)
}

func (m *maker) issue(ca *authority, now time.Time) (*tls.Certificate, error) {
	b, err := ca.sign(m.hosts, now)
	if err != nil {
		return nil, err
	}
	if err := writePrivate(m.files.Cert, b); err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(b, b)
	if err != nil {
		return nil, job.Errorf(job.Internal, "use the new TLS certificate: %w", err)
	}
	return withLeaf(c)
}
