package arch

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"unicode/utf8"
)

// A rule about the words of files. The patterns are written so that they do
// not match themselves.
type rule struct {
	pattern *regexp.Regexp
	but     []string // places where it does not hold
	why     string
}

var rules = []rule{
	{regexp.MustCompile(`(^|[^\w.])/(work|root|home)/[\w.]`), nil, "a path of somebody's machine"},
	{regexp.MustCompile(`proxy\.golang\.(org)|registry\.npmjs\.(org)|deb\.debian\.(org)|repo1?\.maven\.|index\.crates\.(io)|pypi\.(org)`), nil,
		"a package host: which one is used is the machine's business"},
	{regexp.MustCompile(`\b(TO[D]O|FIX[M]E|XX[X])\b`), []string{"sinks/gateway/page/dist"}, "a promise in place of the thing"},
	{regexp.MustCompile(`\b[tb]b?\.Skip(f|Now)?\(`), []string{"test/real/missing.go"}, "a test leaves a piece out by real.Need alone"},
}

// broken finds the rules that the file at path breaks, each with its line.
func broken(path string, content []byte) (found []string) {
	for i, line := range bytes.Split(content, []byte("\n")) {
		for _, r := range rules {
			if m := r.pattern.Find(line); m != nil && !under(path, r.but...) {
				found = append(found, fmt.Sprintf("%s:%d: %q: %s", path, i+1, m, r.why))
			}
		}
	}
	return found
}

func TestWords(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case d.IsDir() && (name == "node_modules" || name == ".git" || name == ".cache"):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > 1<<20 { // a binary that was built here
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(b) {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, f := range broken(filepath.ToSlash(rel), b) {
			t.Error(f)
		}
		seen++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Errorf("only %d files seen", seen)
	}
}

func TestBrokenWordsAreFound(t *testing.T) {
	for _, bad := range []string{
		"open /wo" + "rk/main/x", "cache in /ro" + "ot/.cache", "https://proxy.golang." + "org/x",
		"// TO" + "DO: later", "\tt.Sk" + "ip(\"no\")", "registry.npmjs." + "org",
	} {
		if len(broken("a/b.go", []byte("package b\n"+bad+"\n"))) != 1 {
			t.Errorf("%q is not found", bad)
		}
	}
	for _, good := range []string{"framework/x", "$HOME/.cache", "a todo list", "at.Skip", "https://pkg.go.dev/proxy", "/homepage"} {
		if f := broken("a/b.go", []byte(good)); len(f) > 0 {
			t.Errorf("%q is found: %v", good, f)
		}
	}
}
