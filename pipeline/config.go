package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Config is how a process runs its nodes.
type Config struct {
	// Instance names this process among those of its site, stable over
	// restarts: its transactional ids are made of it, and fence its own past.
	Instance string `yaml:"instance"`
	// Commit is the least time between two transactions of a stage. It
	// bounds their number, not the latency of an idle stage.
	Commit time.Duration `yaml:"commit"`
	// Poll is the most records that one transaction holds.
	Poll int `yaml:"poll"`
	// SessionTimeout is how soon a dead process is noticed.
	SessionTimeout time.Duration `yaml:"session_timeout"`
}

// DefaultConfig is what was measured to be good: see DESIGN.md.
func DefaultConfig() Config {
	return Config{Instance: "1", Commit: 20 * time.Millisecond, Poll: 10_000, SessionTimeout: 6 * time.Second}
}

var instanceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	if !instanceName.MatchString(c.Instance) {
		errs = append(errs, fmt.Errorf("pipeline.instance: %q must be 1 to 64 letters, digits, - or _", c.Instance))
	}
	if c.Commit < 0 || c.Commit > time.Second {
		errs = append(errs, fmt.Errorf("pipeline.commit: %s is not between 0 and 1s", c.Commit))
	}
	if c.Poll < 1 {
		errs = append(errs, fmt.Errorf("pipeline.poll: %d is not at least 1", c.Poll))
	}
	if c.SessionTimeout < time.Second || c.SessionTimeout > 45*time.Second {
		errs = append(errs, fmt.Errorf("pipeline.session_timeout: %s is not between 1s and 45s", c.SessionTimeout))
	}
	return errors.Join(errs...)
}
