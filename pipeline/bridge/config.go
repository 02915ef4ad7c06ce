package bridge

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Config is what the bridge itself can be told; each source has its own.
type Config struct {
	SiteKeyFile    string        `yaml:"site_key_file"`   // the site's root key, at least 32 bytes: names devices bound to nobody
	Linger         time.Duration `yaml:"linger"`          // how long a record waits for company on its way to Kafka
	BufferBytes    int           `yaml:"buffer_bytes"`    // most bytes of messages that wait, and of records on their way to Kafka, before a source is held up
	SessionTimeout time.Duration `yaml:"session_timeout"` // after which a silent active bridge is replaced; a stock broker refuses less than 6s
}

// minKey is the shortest site key: 256 bits, the size of the hash it is used with.
const minKey = 32

// DefaultConfig needs a SiteKeyFile beside it.
func DefaultConfig() Config {
	return Config{
		Linger:         2 * time.Millisecond, // a third less CPU than none, for 2 ms
		BufferBytes:    64 << 20,             // a minute and a half of 1,000 patients
		SessionTimeout: 6 * time.Second,
	}
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	if c.SiteKeyFile == "" {
		errs = append(errs, errors.New("bridge.site_key_file: name a file of at least 32 random bytes, the same for every bridge of the site"))
	}
	if c.Linger < 0 || c.Linger > time.Second {
		errs = append(errs, fmt.Errorf("bridge.linger: %s is not between 0s and 1s", c.Linger))
	}
	if c.BufferBytes < 4<<20 {
		errs = append(errs, fmt.Errorf("bridge.buffer_bytes: %d is less than 4 MiB, two of the largest records", c.BufferBytes))
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > time.Minute {
		errs = append(errs, fmt.Errorf("bridge.session_timeout: %s is not between 1s and 1m", c.SessionTimeout))
	}
	return errors.Join(errs...)
}

func (c Config) siteKey() ([]byte, error) {
	key, err := os.ReadFile(c.SiteKeyFile)
	if err != nil {
		return nil, fmt.Errorf("bridge.site_key_file: %w", err)
	}
	if len(key) < minKey {
		return nil, fmt.Errorf("bridge.site_key_file: %s has %d bytes; at least %d are needed", c.SiteKeyFile, len(key), minKey)
	}
	return key, nil
}
