package jobqueue

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// served is what Serve notes of a server for the clients of the same user, who know
// only its address.
type served struct {
	Data       string `json:"data"`
	Deployment string `json:"deployment,omitempty"`
	Scheduler  string `json:"scheduler,omitempty"`
	PID        int    `json:"pid"`
}

// servedFile is where that is noted for the server of a port.
func servedFile(port string) string {
	return filepath.Join(client.DefaultData(), "jobqueue", port+".json")
}

// note writes it down.
func (s served) note(port string) error {
	file := servedFile(port)
	b, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err != nil {
		return err
	}
	temp := file + ".new"
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

// readServed is nothing when there is no note of the port.
func readServed(port string) (s served) {
	if b, err := os.ReadFile(servedFile(port)); err == nil {
		_ = json.Unmarshal(b, &s)
	}
	return s
}

// unnote removes the note of a server that has ended, unless it is of another.
func unnote(port string, s served) {
	if readServed(port) == s {
		_ = os.Remove(servedFile(port))
	}
}

// found is how to speak to a server.
type found struct {
	client client.Config
	served served
}

// find finds out how to speak to the server of an address: as the configuration and
// the environment say, else as the server of that port on this machine has left it
// to its user.
func find(cfg ClientConfig) (f found, err error) {
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return f, job.Errorf(job.Invalid, "address %.100q is not of the form HOST:PORT", cfg.Addr)
	}
	f.client = client.Config{Address: cfg.Addr, Token: cfg.Token, CAFile: cfg.CAFile}
	if local(host) {
		f.served = readServed(port)
	}
	if cfg.Token != "" {
		return f, nil
	}
	if os.Getenv(client.EnvToken) != "" || os.Getenv(client.EnvTokenFile) != "" {
		f.client, err = client.DiscoverAt(cfg.Addr)
		return f, err
	}
	dirs := []string{f.served.Data, os.Getenv(client.EnvData), client.DefaultData()}
	for _, dir := range dirs {
		if dir == "" || !local(host) {
			continue
		}
		there, err := client.DiscoverIn(dir)
		if _, p, _ := net.SplitHostPort(there.Address); err == nil && p == port {
			there.Address, there.Dialer = cfg.Addr, nil
			f.client = there
			return f, nil
		}
	}
	return f, nil // the server will say that it wants a token, if there is one
}

// local tells whether a host is this machine.
func local(host string) bool {
	if ip := net.ParseIP(host); host == "localhost" || host == "" || ip != nil && (ip.IsLoopback() || host == CurrentIP()) {
		return true
	}
	name, err := os.Hostname()
	return err == nil && host == name
}

// CurrentIP is the address of this machine that others can reach: the first one
// that is neither loopback nor only of its own network link. It is empty if there
// is none.
func CurrentIP() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	return firstIP(addrs)
}

// firstIP prefers the old kind of addresses.
func firstIP(addrs []net.Addr) string {
	other := ""
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || !n.IP.IsGlobalUnicast():
		case n.IP.To4() != nil:
			return n.IP.String()
		case other == "":
			other = n.IP.String()
		}
	}
	return other
}
