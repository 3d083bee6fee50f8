package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Variables of the environment that Discover obeys.
const (
	EnvServer    = "MUSTER_SERVER"
	EnvToken     = "MUSTER_TOKEN"
	EnvTokenFile = "MUSTER_TOKEN_FILE" //nolint:gosec // the name of a variable
	EnvCA        = "MUSTER_CA"
	EnvData      = "MUSTER_DATA"
)

// discovery is what the server of a data directory writes into server.json.
type discovery struct {
	Address   string `json:"address"`
	TLS       bool   `json:"tls"`
	CAFile    string `json:"ca_file"`
	TokenFile string `json:"token_file"`
}

// Discover finds the server to speak to: the one of MUSTER_SERVER, with the
// token of MUSTER_TOKEN or MUSTER_TOKEN_FILE and the authority of MUSTER_CA,
// else the one of the data directory (MUSTER_DATA, else DefaultData). The error
// is NotFound when there is no such server; one that was found may have been
// killed, which Dial tells.
func Discover() (Config, error) {
	if address := os.Getenv(EnvServer); address != "" {
		return DiscoverAt(address)
	}
	dir := os.Getenv(EnvData)
	if dir == "" {
		dir = DefaultData()
	}
	return DiscoverIn(dir)
}

// DiscoverIn finds the server of a data directory.
func DiscoverIn(dir string) (Config, error) {
	d, err := readDiscovery(dir)
	if err != nil {
		return Config{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return Config{}, job.Errorf(job.Invalid, "find the server: %w", err)
	}
	cfg := Config{Address: d.Address, TLS: d.TLS, CAFile: beside(dir, d.CAFile), Data: dir, Dialer: dialerOf(discoveryFile(dir))}
	if cfg.Token = os.Getenv(EnvToken); cfg.Token == "" {
		cfg.Token, err = readToken(tokenFile(dir, d.TokenFile))
	}
	return cfg, err
}

func discoveryFile(dir string) string { return filepath.Join(dir, "server.json") }

// readDiscovery reads where the server of a data directory is.
func readDiscovery(dir string) (discovery, error) {
	var d discovery
	path := discoveryFile(dir)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, job.Errorf(job.NotFound, "no server runs on %s; \"muster server\" starts one, and --server or %s names one elsewhere", dir, EnvServer)
	}
	if err != nil {
		return d, job.Errorf(job.Denied, "find the server: %w", err)
	}
	if err := json.Unmarshal(b, &d); err != nil || d.Address == "" {
		return d, job.Errorf(job.Damaged, "find the server: %s does not tell where it is; start the server again", path)
	}
	return d, nil
}

// dialerOf connects to where the server of a data directory is at that moment: a
// server that was started again may have another port.
func dialerOf(path string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		var now discovery
		if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &now) == nil && now.Address != "" {
			address = now.Address
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
}

// DefaultData is the data directory when none is given: muster in
// XDG_STATE_HOME, else in ~/.local/state.
func DefaultData() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "muster")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return filepath.Join(home, ".local", "state", "muster")
}

// DiscoverAt is how to speak to the server of an address: with the token of
// MUSTER_TOKEN or MUSTER_TOKEN_FILE and the authority of MUSTER_CA. It never takes the
// token of the local server: it may be another's. The error is Unauthenticated when
// there is no token.
func DiscoverAt(address string) (Config, error) {
	cfg := Config{Address: address, Token: os.Getenv(EnvToken), CAFile: os.Getenv(EnvCA)}
	if file := os.Getenv(EnvTokenFile); cfg.Token == "" && file != "" {
		token, err := readToken(file)
		if err != nil {
			return Config{}, err
		}
		cfg.Token = token
	}
	if cfg.Token == "" {
		return Config{}, job.Errorf(job.Unauthenticated, "the server %s wants a token; give it with --token-file, %s or %s (\"muster token create\" on the server makes one)", address, EnvTokenFile, EnvToken)
	}
	return cfg, nil
}

func tokenFile(dir, named string) string {
	if named == "" {
		named = "token"
	}
	return beside(dir, named)
}

func beside(dir, file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

func readToken(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", job.Errorf(job.Unauthenticated, "read the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", job.Errorf(job.Unauthenticated, "read the token: %s does not have one word", path)
	}
	return token, nil
}

func readCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "read the TLS authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, job.Errorf(job.Invalid, "read the TLS authority: %s has no certificate in PEM", path)
	}
	return pool, nil
}
