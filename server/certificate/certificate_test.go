package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

var quiet = slog.New(slog.DiscardHandler)

func filesIn(dir string) Files {
	return Files{CA: filepath.Join(dir, "ca.pem"), CAKey: filepath.Join(dir, "ca.key"), Cert: filepath.Join(dir, "cert.pem")}
}

func selfMade(t *testing.T, files Files, hosts ...string) *Source {
	t.Helper()
	s, err := SelfMade(files, hosts, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trusts checks the present certificate as a client does that read the CA file
// at some time.
func trusts(s *Source, ca []byte, host string, now time.Time) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	_, err := s.current.Load().Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: now})
	return err
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFilesAreReusedAndPrivate(t *testing.T) {
	files := filesIn(t.TempDir())
	first := selfMade(t, files, "localhost", "127.0.0.1")
	for _, path := range []string{files.CAKey, files.Cert} {
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	if again := selfMade(t, files, "localhost"); !again.current.Load().Leaf.Equal(first.current.Load().Leaf) {
		t.Error("a second start made another certificate")
	}
	more := selfMade(t, files, "localhost", "build.example")
	if err := trusts(more, read(t, files.CA), "build.example", time.Now()); err != nil {
		t.Errorf("a new host: %v", err)
	}
	if err := trusts(more, read(t, files.CA), "other.example", time.Now()); err == nil {
		t.Error("any host is accepted")
	}
}

// A server that runs for 12 years never has a certificate its clients do not
// trust, if those read the CA file again at least every eleven months.
func TestRenewalInSimulatedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := filesIn(t.TempDir())
		s := selfMade(t, files, "localhost")
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		ca, renewed, authorities := read(t, files.CA), 0, 0
		last := s.Until()
		const step = 11 * 24 * time.Hour
		for day := time.Duration(0); day < 12*365*24*time.Hour; day += step {
			time.Sleep(step)
			synctest.Wait()
			if err := trusts(s, ca, "localhost", time.Now()); err != nil {
				t.Fatalf("after %v: %v", day, err)
			}
			if left := time.Until(s.Until()); left < leafRenew-checkLeast-madeEvery {
				t.Fatalf("after %v only %v are left", day, left)
			}
			if !s.Until().Equal(last) {
				last = s.Until()
				renewed++
			}
			if day%(330*24*time.Hour) == 0 {
				if now := read(t, files.CA); string(now) != string(ca) {
					ca = now
					authorities++
				}
			}
		}
		if renewed < 60 || authorities != 1 {
			t.Errorf("renewed %d times, %d new authorities", renewed, authorities)
		}
		stop()
		<-ended
	})
}

func TestAuthorityIsNotReplacedSilently(t *testing.T) {
	for name, damage := range map[string]func(Files) error{
		"certificate gone": func(f Files) error { return os.Remove(f.CA) },
		"key torn":         func(f Files) error { return os.WriteFile(f.CAKey, []byte("-----BEGIN"), 0o600) },
		"not its key": func(f Files) error {
			other := filesIn(t.TempDir())
			if _, err := SelfMade(other, []string{"localhost"}, quiet); err != nil {
				return err
			}
			return os.Rename(other.CAKey, f.CAKey)
		},
	} {
		files := filesIn(t.TempDir())
		selfMade(t, files, "localhost")
		if err := damage(files); err != nil {
			t.Fatal(err)
		}
		_, err := SelfMade(files, []string{"localhost"}, quiet)
		if !job.IsKind(err, job.Damaged) || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedCertificateIsMadeAnew(t *testing.T) {
	files := filesIn(t.TempDir())
	selfMade(t, files, "localhost")
	if err := os.WriteFile(files.Cert, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trusts(selfMade(t, files, "localhost"), read(t, files.CA), "localhost", time.Now()); err != nil {
		t.Error(err)
	}
}

// Given files are reloaded when they change, also on connections to come on a
// listener that is open, and those that are there are not dropped.
func TestGivenFilesAreReloaded(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	install := func() (ca []byte) {
		t.Helper()
		made := filesIn(t.TempDir())
		selfMade(t, made, "localhost")
		b := read(t, made.Cert)
		for _, path := range []string{cert, key} {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return read(t, made.CA)
	}
	firstCA := install()
	s, err := FromFiles(cert, key, quiet)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echo(l)
	before := dialTLS(t, l.Addr(), firstCA)
	secondCA := install()
	if err := os.Chtimes(cert, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(time.Now()); err != nil {
		t.Fatal(err)
	}
	say(t, before)
	say(t, dialTLS(t, l.Addr(), secondCA))

	if err := os.WriteFile(cert, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Refresh(time.Now()); !job.IsKind(err, job.Invalid) {
		t.Errorf("torn: %v", err)
	}
	say(t, dialTLS(t, l.Addr(), secondCA))
}

func TestGivenFilesMustBeThere(t *testing.T) {
	if _, err := FromFiles("/absent/c.pem", "/absent/k.pem", quiet); !job.IsKind(err, job.Invalid) {
		t.Error(err)
	}
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 16)
			for {
				n, err := c.Read(b)
				if err != nil {
					return
				}
				if _, err := c.Write(b[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func dialTLS(t *testing.T, a net.Addr, ca []byte) *tls.Conn {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	c, err := tls.Dial("tcp", a.String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func say(t *testing.T, c *tls.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
}
