package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Config says where the gateway listens, whom it lets in and how much it
// keeps for a patient and for a client.
type Config struct {
	Listen    string    `yaml:"listen"`     // host:port; port 0 takes a free one
	TLS       TLSConfig `yaml:"tls"`        //
	UsersFile string    `yaml:"users_file"` // htpasswd with bcrypt; each request must then name a user

	// LocalAccount is as whom everybody acts where no users are asked for: as
	// settings say of it, and while they say nothing as admin of all units.
	// Empty: all is to be seen there, and nothing to be done.
	LocalAccount string `yaml:"local_account"`

	Origins []string `yaml:"origins"` // other origins whose pages may connect: https://ward.example

	MaxClients       int `yaml:"max_clients"`       // WebSocket clients at a time
	MaxSubscriptions int `yaml:"max_subscriptions"` // patients that one client may name; "all" is not counted

	QueueMessages int `yaml:"queue_messages"` // waiting for one client
	QueueBytes    int `yaml:"queue_bytes"`    // of these, as Protobuf

	Window       time.Duration `yaml:"window"`        // samples and annotations remembered for a Snapshot, by sample time
	PatientBytes int           `yaml:"patient_bytes"` // of a patient's samples remembered, and as many of annotations

	PingInterval time.Duration `yaml:"ping_interval"` // proxies close what is quiet for 60 s
	DeadAfter    time.Duration `yaml:"dead_after"`    // a client that reads nothing for so long is closed

	Site  string `yaml:"-"` // told to clients
	Build string `yaml:"-"` // told to clients
}

// TLSConfig is the server's certificate and key, in PEM.
type TLSConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// DefaultConfig listens on this machine alone, without credentials.
func DefaultConfig() Config {
	return Config{
		Listen:           "127.0.0.1:8080",
		LocalAccount:     "local",
		MaxClients:       1000,
		MaxSubscriptions: 1000,
		QueueMessages:    8192,
		QueueBytes:       4 << 20,
		Window:           30 * time.Second,
		PatientBytes:     4 << 20,
		PingInterval:     5 * time.Second,
		DeadAfter:        10 * time.Second,
	}
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("gateway."+format, args...)) }

	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		wrong("tls: cert_file and key_file come together")
	}
	if c.UsersFile != "" && c.TLS.CertFile == "" {
		wrong("users_file: passwords need TLS: set tls.cert_file and tls.key_file too")
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		wrong("listen: %q is not host:port", c.Listen)
	case !loopback(host) && (c.TLS.CertFile == "" || c.UsersFile == ""):
		wrong("listen: %q can be reached from other machines: set tls.cert_file, tls.key_file and users_file, or listen on 127.0.0.1", c.Listen)
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Path != "" || u.RawQuery != "" {
			wrong("origins: %q is not scheme://host or scheme://host:port", o)
		}
	}
	for _, n := range []struct {
		name       string
		value, min int
	}{
		{"max_clients", c.MaxClients, 1}, {"max_subscriptions", c.MaxSubscriptions, 1},
		{"queue_messages", c.QueueMessages, 16}, {"queue_bytes", c.QueueBytes, 64 << 10},
		{"patient_bytes", c.PatientBytes, 64 << 10},
	} {
		if n.value < n.min {
			wrong("%s: %d is less than %d", n.name, n.value, n.min)
		}
	}
	if c.Window < time.Second || c.Window > 5*time.Minute {
		wrong("window: %v is not between 1s and 5m", c.Window)
	}
	if c.PingInterval < time.Second || c.PingInterval >= 30*time.Second {
		wrong("ping_interval: %v is not at least 1s and below 30s", c.PingInterval)
	}
	if c.DeadAfter < time.Second || c.DeadAfter > time.Minute {
		wrong("dead_after: %v is not between 1s and 1m", c.DeadAfter)
	}
	return errors.Join(errs...)
}

// loopback reports whether only this machine can reach a host.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// load reads the certificate; nil without one.
func (t TLSConfig) load() (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("gateway.tls: %w", err)
	}
	// A WebSocket begins as HTTP/1.1; nothing here needs HTTP/2.
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}, nil
}
