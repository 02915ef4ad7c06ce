//go:build linux

package servers

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Program is a process of the program under test. Like any server it can be
// killed, stopped, paused and started again, and ends with the test.
type Program struct{ p *process }

// NewProgram is a program that is not running yet.
func NewProgram(t testing.TB, name string, argv ...string) *Program {
	t.Helper()
	p := &Program{newProcess(t, t.TempDir(), name, argv...)}
	printLogs(t, p.p)
	return p
}

// Start starts it, with env beside the test's own environment.
func (p *Program) Start(env ...string) { p.p.t.Helper(); p.p.env = env; p.p.start() }

// Running reports whether it has been started and has not ended.
func (p *Program) Running() bool { return p.p.running() }

// Kill ends it by SIGKILL.
func (p *Program) Kill() { p.p.t.Helper(); p.p.end(syscall.SIGKILL, 10*time.Second) }

// Stop asks it to end by SIGTERM, and waits.
func (p *Program) Stop() { p.p.t.Helper(); p.p.end(syscall.SIGTERM, 30*time.Second) }

// Pause stops it where it is, by SIGSTOP.
func (p *Program) Pause() { p.p.signal(syscall.SIGSTOP) }

// Resume lets it go on after a SIGSTOP.
func (p *Program) Resume() { p.p.signal(syscall.SIGCONT) }

// Killed reports that it has ended by SIGKILL, whoever sent it.
func (p *Program) Killed() bool {
	if p.p.cmd == nil || p.p.running() {
		return false
	}
	status, ok := p.p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Paused reports that a SIGSTOP has stopped it.
func (p *Program) Paused() bool {
	if !p.p.running() {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.p.cmd.Process.Pid))
	if err != nil {
		return false // it has just ended
	}
	// The state stands behind the name in brackets, which may hold anything.
	_, rest, _ := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	return strings.HasPrefix(rest, "T")
}

// Log is what it has printed so far, of all its starts.
func (p *Program) Log() string {
	b, err := os.ReadFile(p.p.path)
	if err != nil {
		return ""
	}
	return string(b)
}
