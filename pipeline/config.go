package pipeline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// Config is how a process runs its nodes.
type Config struct {
	// Instance names this process among those of its site: its transactional
	// ids are made of it, so no two processes may have the same. One that is
	// stable over restarts fences its own past; empty, it is made of the
	// host's name and chance, and whoever owns the partitions next fences it.
	Instance string `yaml:"instance"`
	// Static makes a planned restart of a process quiet: its partitions wait
	// for it as long as SessionTimeout, and do not move. It needs an Instance.
	// A process that does not come back is then noticed as late as a dead one.
	Static bool `yaml:"static"`
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
	return Config{Commit: 20 * time.Millisecond, Poll: 10_000, SessionTimeout: 6 * time.Second}
}

var instanceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	if c.Instance != "" && !instanceName.MatchString(c.Instance) {
		errs = append(errs, fmt.Errorf("pipeline.instance: %q must be empty or 1 to 64 letters, digits, - or _", c.Instance))
	}
	if c.Static && c.Instance == "" {
		errs = append(errs, errors.New("pipeline.static: a process whose partitions wait for it needs a name that is stable over restarts: set pipeline.instance"))
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

// someInstance is a name that no other process has.
func someInstance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	host = notInName.ReplaceAllString(host, "-")
	return host[:min(len(host), 40)] + "-" + rand.Text()[:8]
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
