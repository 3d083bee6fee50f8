package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/muster-queue/muster/job"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// authority loads the authority kept in files, or makes one when there is none
// or it ends within a year.
func (m *maker) authority(now time.Time) (*authority, error) {
	ca, err := m.loadAuthority()
	if err != nil {
		return nil, err
	}
	if ca != nil && now.Before(ca.cert.NotAfter.Add(-caRenew)) {
		return ca, nil
	}
	return m.makeAuthority(ca, now)
}

// loadAuthority reads the authority; without one it is nil. A key without its
// certificate, or one that cannot be read, is an error for a person: clients
// trust it, so it is not replaced silently.
func (m *maker) loadAuthority() (*authority, error) {
	keyPEM, err := os.ReadFile(m.files.CAKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the TLS authority: %w", err)
	}
	certPEM, err := os.ReadFile(m.files.CA)
	if err != nil {
		return nil, m.damaged(err)
	}
	ca, err := parseAuthority(certPEM, keyPEM)
	if err != nil {
		return nil, m.damaged(err)
	}
	return ca, nil
}

func (m *maker) damaged(err error) error {
	return job.Errorf(job.Damaged, "the TLS authority in %s and %s cannot be used: %w; restore both, or delete both to have a new one made (clients must then be given the new %s)",
		m.files.CA, m.files.CAKey, err, m.files.CA)
}

// parseAuthority finds the certificate of the key among those that clients are
// given: while an authority is being replaced there are two.
func parseAuthority(certPEM, keyPEM []byte) (*authority, error) {
	keyBlock, _ := pem.Decode(keyPEM)
	if keyBlock == nil {
		return nil, errors.New("the key is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is of another kind than is made here")
	}
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && key.PublicKey.Equal(cert.PublicKey) {
			return &authority{cert: cert, key: key}, nil
		}
	}
	return nil, errors.New("no certificate there belongs to the key")
}

// makeAuthority makes a new authority, keeping the old one's certificate in the
// file that clients read.
func (m *maker) makeAuthority(old *authority, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS authority: %w", err)
	}
	t := template("muster authority "+now.UTC().Format(time.DateOnly), now, caLife)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	certPEM, keyPEM, err := create(t, t, key, key)
	if err != nil {
		return nil, err
	}
	if old != nil {
		certPEM = append(certPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: old.cert.Raw})...)
	}
	// The key last: without it there is no authority yet, and both are made anew.
	if err := renameio.WriteFile(m.files.CA, certPEM, 0o644); err != nil {
		return nil, job.Errorf(job.Internal, "keep the TLS authority: %w", err)
	}
	if err := writePrivate(m.files.CAKey, keyPEM); err != nil {
		return nil, err
	}
	return parseAuthority(certPEM, keyPEM)
}

// sign makes a certificate and key for the hosts, in one PEM text.
func (ca *authority) sign(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS key: %w", err)
	}
	t := template("muster server", now, leafLife)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, host)
		}
	}
	certPEM, keyPEM, err := create(t, ca.cert, key, ca.key)
	return bytes.Join([][]byte{certPEM, keyPEM}, nil), err
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-skew),
		NotAfter:     now.Add(life),
	}
}

func create(t, parent *x509.Certificate, key *ecdsa.PrivateKey, signer crypto.Signer) (certPEM, keyPEM []byte, err error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, job.Errorf(job.Internal, "make a TLS certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, job.Errorf(job.Internal, "make a TLS key: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return certPEM, keyPEM, nil
}

func writePrivate(path string, b []byte) error {
	if err := renameio.WriteFile(path, b, 0o600); err != nil {
		return job.Errorf(job.Internal, "keep the TLS key: %w", err)
	}
	return nil
}
