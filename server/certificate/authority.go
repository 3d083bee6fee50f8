package certificate

import (
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
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authority is the one that signs now. Two years before the newest one ends a
// successor is made, so that clients come to trust it; it signs a year later.
func (m *maker) authority(now time.Time) (*authority, error) {
	all, err := m.loadAuthorities()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 || now.After(all[len(all)-1].cert.NotAfter.Add(-caRenew)) {
		if all, err = m.addAuthority(all, now); err != nil {
			return nil, err
		}
	}
	for _, ca := range all {
		if now.Before(ca.cert.NotAfter.Add(-caSwitch)) {
			return ca, nil
		}
	}
	return all[len(all)-1], nil
}

// loadAuthorities reads the authorities kept, the one that ends first before the
// others; none without files. What cannot be read is an error for a person:
// clients trust it, so it is not replaced silently.
func (m *maker) loadAuthorities() ([]*authority, error) {
	keys, err := os.ReadFile(m.files.CAKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the TLS authority: %w", err)
	}
	certs, err := os.ReadFile(m.files.CA)
	if err != nil {
		return nil, m.damaged(err)
	}
	all, err := parseAuthorities(certs, keys)
	if err != nil {
		return nil, m.damaged(err)
	}
	return all, nil
}

func (m *maker) damaged(err error) error {
	return job.Errorf(job.Damaged, "the TLS authority in %s and %s cannot be used: %w; restore both, or delete both to have a new one made (clients must then be given the new %s)",
		m.files.CA, m.files.CAKey, err, m.files.CA)
}

// parseAuthorities finds the certificate of each key.
func parseAuthorities(certs, keys []byte) ([]*authority, error) {
	var all []*authority
	for block, rest := pem.Decode(keys); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		key, ok := parsed.(*ecdsa.PrivateKey)
		if !ok {
			return nil, errors.New("the key is of another kind than is made here")
		}
		cert := certificateOf(key, certs)
		if cert == nil {
			return nil, errors.New("no certificate there belongs to the key")
		}
		all = append(all, &authority{cert: cert, key: key})
	}
	if len(all) == 0 {
		return nil, errors.New("the key is not in PEM")
	}
	slices.SortFunc(all, func(a, b *authority) int { return a.cert.NotAfter.Compare(b.cert.NotAfter) })
	return all, nil
}

func certificateOf(key *ecdsa.PrivateKey, certs []byte) *x509.Certificate {
	for block, rest := pem.Decode(certs); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && key.PublicKey.Equal(cert.PublicKey) {
			return cert
		}
	}
	return nil
}

// addAuthority makes another authority, and forgets those that have ended.
func (m *maker) addAuthority(old []*authority, now time.Time) ([]*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	t := template("muster authority "+now.UTC().Format(time.DateOnly), now, caLife)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := create(t, t, key, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS authority: %w", err)
	}
	all := slices.DeleteFunc(slices.Clone(old), func(ca *authority) bool { return now.After(ca.cert.NotAfter) })
	all = append(all, &authority{cert: cert, key: key})
	return all, m.keep(all)
}

// keep writes the authorities, the keys last: a key without its certificate
// would be damage, a certificate without its key is only of no use.
func (m *maker) keep(all []*authority) error {
	var certs, keys []byte
	for _, ca := range all {
		key, err := keyPEM(ca.key)
		if err != nil {
			return err
		}
		keys = append(keys, key...)
		certs = append(certs, certPEM(ca.cert.Raw)...)
	}
	if err := renameio.WriteFile(m.files.CA, certs, 0o644); err != nil {
		return job.Errorf(job.Internal, "keep the TLS authority: %w", err)
	}
	return writePrivate(m.files.CAKey, keys)
}

// sign makes a certificate and key for the hosts, in one PEM text.
func (ca *authority) sign(hosts []string, now time.Time) ([]byte, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
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
	der, err := create(t, ca.cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	b, err := keyPEM(key)
	return append(certPEM(der), b...), err
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS key: %w", err)
	}
	return key, nil
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

func create(t, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS certificate: %w", err)
	}
	return der, nil
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, job.Errorf(job.Internal, "make a TLS key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func writePrivate(path string, b []byte) error {
	if err := private.WriteFile(path, b); err != nil {
		return job.Errorf(job.Internal, "keep the TLS key: %w", err)
	}
	return nil
}
