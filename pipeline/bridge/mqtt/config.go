package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Config says where the MQTT broker is and how its topics are laid out.
type Config struct {
	Broker       string    `yaml:"broker"`        // tcp://host:1883, or tls://host:8883
	Topic        string    `yaml:"topic"`         // levels {site}, {device} and {kind}, literal ones, and + for one of no meaning
	ClientID     string    `yaml:"client_id"`     // of the session, the same for the active bridge and its standby; empty: made of site and topic
	User         string    `yaml:"user"`          //
	PasswordFile string    `yaml:"password_file"` //
	TLS          TLSConfig `yaml:"tls"`           // with a tls:// broker
}

// TLSConfig names files in PEM. Without CAFile the machine's authorities are trusted.
type TLSConfig struct {
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// DefaultConfig is a broker on this machine with the topics of topics/DESIGN.md.
func DefaultConfig() Config {
	return Config{Broker: "tcp://127.0.0.1:1883", Topic: "{site}/v1/{device}/{kind}"}
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.Broker)
	switch {
	case err != nil || u.Host == "" || u.Port() == "":
		errs = append(errs, fmt.Errorf("mqtt.broker: %q is not like tcp://host:1883", c.Broker))
	case u.Scheme != "tcp" && u.Scheme != "tls":
		errs = append(errs, fmt.Errorf("mqtt.broker: %s:// is not tcp:// or tls://", u.Scheme))
	case u.User != nil:
		errs = append(errs, errors.New("mqtt.broker: put the user into mqtt.user and the password into mqtt.password_file"))
	case u.Scheme == "tcp" && c.TLS != TLSConfig{}:
		errs = append(errs, errors.New("mqtt.tls: is set, but mqtt.broker is tcp://: use tls://"))
	}
	if _, err := parseTemplate(c.Topic, "site"); err != nil {
		errs = append(errs, fmt.Errorf("mqtt.topic: %w", err))
	}
	if (c.User == "") != (c.PasswordFile == "") {
		errs = append(errs, errors.New("mqtt: user and password_file come together"))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, errors.New("mqtt.tls: cert_file and key_file come together"))
	}
	return errors.Join(errs...)
}

func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("mqtt.password_file: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (c TLSConfig) load() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt.tls.ca_file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.tls.ca_file: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		own, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("mqtt.tls.cert_file: %w", err)
		}
		conf.Certificates = []tls.Certificate{own}
	}
	return conf, nil
}
