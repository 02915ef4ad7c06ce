//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// HEARTWIRE_FAILPOINT is moment=N or moment=N:stop: at the Nth Hit of that
// moment the process sends itself SIGKILL, or SIGSTOP.
var plan = sync.OnceValue(func() (p struct {
	moment string
	left   int
	signal syscall.Signal
}) {
	s := os.Getenv("HEARTWIRE_FAILPOINT")
	moment, rest, ok := strings.Cut(s, "=")
	if !ok {
		return p
	}
	n, how, _ := strings.Cut(rest, ":")
	left, err := strconv.Atoi(n)
	if err != nil {
		panic(fmt.Sprintf("HEARTWIRE_FAILPOINT %q: want moment=N or moment=N:stop", s))
	}
	p.moment, p.left, p.signal = moment, left, syscall.SIGKILL
	if how == "stop" {
		p.signal = syscall.SIGSTOP
	}
	return p
})

var (
	mu   sync.Mutex
	hits int
)

// Hit is this moment.
func Hit(moment string) {
	p := plan()
	if p.moment != moment {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if hits++; hits == p.left {
		// The signal reaches the process before this call returns to it.
		_ = syscall.Kill(os.Getpid(), p.signal)
	}
}
