// Package real is what the tests with the build tag real share: how they deal
// with a piece of the machine that is missing, and where recordings are.
//
// A missing piece fails a test, and the failure says what to install. Whoever
// means to do without one names it: HEARTWIRE_WITHOUT=data,chromium. The test
// then does not run, and make test-real prints it last as NOT RUN.
package real

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Pieces are what a test may need of the machine, and what each comes from.
var Pieces = map[string]string{
	"data":      "PhysioNet recordings: set HEARTWIRE_DATA to their directory (default ../shared/data beside the checkout)",
	"kafka":     "Apache Kafka: install openjdk-17-jre-headless and maven, which fetches its jars once",
	"mosquitto": "an MQTT broker: install mosquitto",
	"chromium":  "a browser: install chromium",
	"page":      "the page's tools: install nodejs and npm",
	"race":      "the race detector: install gcc, for cgo",
}

// Need says that the test cannot run without a piece. why is the error that
// finding it gave, or nil when it is there. A piece that is missing fails the
// test, unless HEARTWIRE_WITHOUT names it; one that is named is not used even
// where it is there.
func Need(t testing.TB, piece string, why error) {
	t.Helper()
	from, ok := Pieces[piece]
	if !ok {
		t.Fatalf("no piece of the machine is called %q: add it to real.Pieces", piece)
	}
	if slices.Contains(strings.Split(os.Getenv("HEARTWIRE_WITHOUT"), ","), piece) {
		notRun(t, piece)
	}
	if why != nil {
		t.Fatalf("%v\n%s\nor leave it out: HEARTWIRE_WITHOUT=%s", why, from, piece)
	}
}

// notRun skips the test, and says so.
func notRun(t testing.TB, piece string) {
	t.Helper()
	line := fmt.Sprintf("NOT RUN: %s (HEARTWIRE_WITHOUT names %s)", t.Name(), piece)
	note(t, line)
	t.Skip(line)
}

// Remark says something of a test that make test-real prints last, such as that
// it ran in a short form.
func Remark(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf("NOTE: %s: %s", t.Name(), fmt.Sprintf(format, args...))
	note(t, line)
	t.Log(line)
}

// note writes a line to the file that HEARTWIRE_NOT_RUN names, for go test
// shows the words of no package that passes.
func note(t testing.TB, line string) {
	t.Helper()
	path := os.Getenv("HEARTWIRE_NOT_RUN")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("note what is not run: %v", err)
	}
	_, err = fmt.Fprintln(f, line)
	if err := f.Close(); err != nil {
		t.Fatalf("note what is not run: %v", err)
	}
	if err != nil {
		t.Fatalf("note what is not run: %v", err)
	}
}

// Root is the top directory of the checkout: the one above the test's own
// that has the go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's directory")
		}
		dir = up
	}
}

// Data is the directory of the recordings: HEARTWIRE_DATA, taken from the top
// of the checkout where it is relative, or ../shared/data beside it.
func Data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("HEARTWIRE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "shared", "data")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(Root(t), dir)
	}
	_, err := os.Stat(filepath.Join(dir, "mitdb"))
	Need(t, "data", err)
	return dir
}

// Full reports whether the long forms of tests are wanted, as make chaos wants
// them. Where they are not, what is left out is said last.
func Full(t testing.TB, leftOut string) bool {
	t.Helper()
	if os.Getenv("HEARTWIRE_CHAOS") == "full" {
		return true
	}
	Remark(t, "left out %s; make chaos has it", leftOut)
	return false
}
