package real

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// told is a test that can be asked afterwards how it ended.
type told struct {
	testing.TB
	failed, skipped string
}

func (*told) Helper()      {}
func (*told) Name() string { return "TestOfSomething" }
func (t *told) Fatalf(format string, args ...any) {
	t.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (t *told) Skip(args ...any) {
	t.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func need(piece string, why error) (t *told, went bool) {
	t = &told{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Need(t, piece, why)
		went = true
	}()
	<-done
	return t, went
}

func TestAMissingPieceFailsUnlessItIsNamed(t *testing.T) {
	list := filepath.Join(t.TempDir(), "not-run")
	t.Setenv("HEARTWIRE_NOT_RUN", list)
	t.Setenv("HEARTWIRE_WITHOUT", "")
	if _, went := need("data", nil); !went {
		t.Error("a piece that is there stopped the test")
	}
	gone := errors.New("no such directory")
	got, went := need("data", gone)
	if went || !strings.Contains(got.failed, "no such directory") || !strings.Contains(got.failed, "HEARTWIRE_DATA") {
		t.Errorf("a missing piece: %+v; want a failure that says why and what to do", got)
	}
	t.Setenv("HEARTWIRE_WITHOUT", "data,chromium")
	for _, why := range []error{gone, nil} {
		got, went = need("data", why)
		if went || got.failed != "" || !strings.HasPrefix(got.skipped, "NOT RUN: TestOfSomething") {
			t.Errorf("a piece that is left out, %v: %+v; want it not run", why, got)
		}
	}
	if got, _ = need("kafka", gone); got.failed == "" {
		t.Error("leaving one piece out let another be missing")
	}
	if got, _ = need("flux capacitor", nil); got.failed == "" {
		t.Error("an unknown piece is no failure")
	}
	b, err := os.ReadFile(list)
	if err != nil || strings.Count(string(b), "NOT RUN: TestOfSomething") != 2 {
		t.Errorf("the list of what is not run is %q, %v; want two lines", b, err)
	}
}
