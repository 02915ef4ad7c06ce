// Package kafka is how Heartwire speaks to Kafka: the client's options, the
// plan of topics, records with their headers, and classes of errors. franz-go
// is imported only below package pipeline.
package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Config says where the cluster is and what a site's topics look like on it.
type Config struct {
	Brokers     []string   `yaml:"brokers"`     // host:port, at least one
	Site        string     `yaml:"site"`        // prefix of topics, groups and MQTT
	Partitions  int32      `yaml:"partitions"`  // of each patient topic; fixed for the life of a site
	Replication int16      `yaml:"replication"` // copies of each partition
	MinISR      int        `yaml:"min_isr"`     // copies that must have a record before it is acknowledged
	TLS         TLSConfig  `yaml:"tls"`
	SASL        SASLConfig `yaml:"sasl"`
}

// TLSConfig turns TLS on when CAFile is set, and shows a certificate of our own when both others are.
type TLSConfig struct {
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// SASLConfig turns SASL on when Mechanism is set.
type SASLConfig struct {
	Mechanism    string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// DefaultConfig is a site on three brokers at the usual port of this machine.
func DefaultConfig() Config {
	return Config{Brokers: []string{"127.0.0.1:9092"}, Site: "heartwire", Partitions: 48, Replication: 3, MinISR: 2}
}

// FetchBytes is the most that a broker answers a reader at a time, but for a
// single batch that is larger.
const FetchBytes = 8 << 20

var siteName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("kafka.brokers: name at least one broker as host:port"))
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			errs = append(errs, fmt.Errorf("kafka.brokers: %q is not host:port", b))
		}
	}
	if !siteName.MatchString(c.Site) {
		errs = append(errs, fmt.Errorf("kafka.site: %q must be lower-case letters, digits and dashes, at most 63", c.Site))
	}
	if c.Partitions < 1 || c.Partitions > 4096 {
		errs = append(errs, fmt.Errorf("kafka.partitions: %d is not between 1 and 4096", c.Partitions))
	}
	if c.Replication < 1 || c.MinISR < 1 || c.MinISR > int(c.Replication) {
		errs = append(errs, fmt.Errorf("kafka.min_isr: %d must be at least 1 and at most kafka.replication (%d)", c.MinISR, c.Replication))
	}
	switch c.SASL.Mechanism {
	case "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		errs = append(errs, fmt.Errorf("kafka.sasl.mechanism: %q is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.SASL.Mechanism))
	}
	if c.SASL.Mechanism != "" && (c.SASL.User == "" || c.SASL.PasswordFile == "") {
		errs = append(errs, errors.New("kafka.sasl: user and password_file are needed with a mechanism"))
	}
	if c.SASL.Mechanism == "PLAIN" && c.TLS.CAFile == "" {
		errs = append(errs, errors.New("kafka.sasl.mechanism: PLAIN sends the password as it is: set kafka.tls.ca_file too, or use SCRAM"))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, errors.New("kafka.tls: cert_file and key_file come together"))
	}
	return errors.Join(errs...)
}

// NewClient makes a client of the cluster, with opts after the house's own.
// It does no I/O but to read the files that the Config names.
func (c Config) NewClient(log *slog.Logger, opts ...kgo.Opt) (*kgo.Client, error) {
	own, err := c.options(log)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(own, opts...)...)
}

// options are the house's own, for every client.
func (c Config) options(log *slog.Logger) ([]kgo.Opt, error) {
	own := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("heartwire"),
		kgo.WithLogger(newClientLog(log)),
		// With the default of 5 s a produce soon after the end of a
		// transaction can wait for seconds: CONCURRENT_TRANSACTIONS waits
		// for a refresh of the metadata.
		kgo.MetadataMinAge(20 * time.Millisecond),
		// A broker that is cut off from the controller alone goes on answering
		// as the leader that it is no more. Whoever reads from it gets nothing
		// new and no error, until another broker says who leads: with the
		// default, after 5 minutes.
		kgo.MetadataMaxAge(5 * time.Second),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		// What a topic takes can be written: with the default, a checkpoint of
		// the site's registry past 1 MB fails, and fails again, for ever.
		kgo.ProducerBatchMaxBytes(MaxRecordBytes),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DialTimeout(3 * time.Second),
		// A reader holds an answer of each broker, and asks for the next.
		kgo.FetchMaxBytes(FetchBytes),
		kgo.FetchMaxPartitionBytes(1 << 20),
		kgo.RetryBackoffFn(backoff),
	}
	if c.TLS.CAFile != "" {
		conf, err := c.TLS.load()
		if err != nil {
			return nil, err
		}
		own = append(own, kgo.DialTLSConfig(conf))
	}
	if c.SASL.Mechanism != "" {
		pass, err := os.ReadFile(c.SASL.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.sasl.password_file: %w", err)
		}
		p := strings.TrimRight(string(pass), "\r\n")
		switch c.SASL.Mechanism {
		case "PLAIN":
			own = append(own, kgo.SASL(plain.Auth{User: c.SASL.User, Pass: p}.AsMechanism()))
		case "SCRAM-SHA-256":
			own = append(own, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: p}.AsSha256Mechanism()))
		case "SCRAM-SHA-512":
			own = append(own, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: p}.AsSha512Mechanism()))
		}
	}
	return own, nil
}

func (t TLSConfig) load() (*tls.Config, error) {
	ca, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !conf.RootCAs.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no certificate in PEM", t.CAFile)
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file: %w", err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// backoff is short: a patient's data waits for it.
func backoff(tries int) time.Duration {
	return min(50*time.Millisecond<<min(tries, 6), 2*time.Second)
}
