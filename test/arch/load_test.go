package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pkg is what go list tells of a package of this module. Inside says where it
// stands: stages/beats.
type pkg struct {
	ImportPath, Dir, Name, Doc, Export, ForTest string
	GoFiles, CgoFiles                           []string
	Imports                                     []string
	Inside                                      string `json:"-"`
}

const module = "heartwire"

// list runs go list; broken packages are the compiler's to report.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Dir,Name,Doc,Export,ForTest,GoFiles,CgoFiles,Imports"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		p.Inside = inside(p.ImportPath)
		pkgs = append(pkgs, p)
	}
}

// inside is the path below the module, and empty for a package of another.
func inside(path string) string {
	rest, _ := strings.CutPrefix(path, module+"/")
	if rest == path {
		return ""
	}
	return rest
}

var packages = sync.OnceValue(func() func(t *testing.T) []pkg {
	var all []pkg
	return func(t *testing.T) []pkg {
		t.Helper()
		if all == nil {
			// With the tag all files count, those of the tests on real servers too.
			all = list(t, "-tags=real", "./...")
			if len(all) < 5 {
				t.Fatalf("go list finds %d packages", len(all))
			}
		}
		return all
	}
})

// under reports whether the package p is dir or stands below it.
func under(p string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") })
}
