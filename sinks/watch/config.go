package watch

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Config says how long silence may last, whom to ask for its health, and where
// the watcher answers.
type Config struct {
	Listen string        `yaml:"listen"` // host:port of the loopback; port 0 takes a free one
	After  time.Duration `yaml:"after"`  // without a decision: then it is said, at most half a second later
	Repeat time.Duration `yaml:"repeat"` // how often it is said again while it lasts
	Nodes  []string      `yaml:"nodes"`  // addresses that answer 200 while a node is well: http://127.0.0.1:9464/readyz
}

// DefaultConfig says it within 15 s (ALARMS, point 6), and is quiet about a
// broker's restart, which takes up to 13 s.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:9465", After: 13500 * time.Millisecond, Repeat: 5 * time.Minute}
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("watch."+format, args...)) }
	host, _, err := net.SplitHostPort(c.Listen)
	switch ip := net.ParseIP(host); {
	case err != nil:
		wrong("listen: %q is not host:port", c.Listen)
	case host != "localhost" && (ip == nil || !ip.IsLoopback()):
		wrong("listen: %s is not the loopback; what is watched is told without credentials, so put a proxy that has them in front", c.Listen)
	}
	if c.After < 5*time.Second || c.After > 14*time.Second {
		wrong("after: %s is not between 5s, which any takeover lasts, and 14s: it must be said within 15 s", c.After)
	}
	if c.Repeat < 30*time.Second || c.Repeat > time.Hour {
		wrong("repeat: %s is not between 30s and 1h", c.Repeat)
	}
	seen := map[string]bool{}
	for _, n := range c.Nodes {
		switch u, err := url.Parse(n); {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
			wrong("nodes: %q is no address such as http://127.0.0.1:9464/readyz", n)
		case u.User != nil:
			wrong("nodes: a password does not belong in the address of %s: put a proxy that has it in between", u.Host)
		case seen[n]:
			wrong("nodes: %s is named twice", n)
		}
		seen[n] = true
	}
	return errors.Join(errs...)
}
