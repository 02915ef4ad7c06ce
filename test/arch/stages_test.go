package arch

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a stage must not import: the same records would not give the same
// answer again. time is allowed for durations, its clock is not.
var outside = []string{
	"os", "net", "log", "math/rand", "crypto/rand", "sync", "syscall", "runtime", "context",
	"io/ioutil", "path/filepath", "unsafe", "github.com/twmb/franz-go",
}

// What one of them may all the same: rules keeps what it has compiled for all
// patients, and what it gives is a function of the rule alone.
var permitted = map[string]string{"stages/alarms/rules": "sync"}

// The clock, and what waits for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func TestStagesAreDeterministic(t *testing.T) {
	fset := token.NewFileSet()
	imported := exports(t, fset)
	checked := 0
	for _, p := range packages()(t) {
		if !under(p.Inside, "stages") || p.Inside == "stages/stagetest" {
			continue // a conformance suite is a test, though other packages import it
		}
		for _, path := range p.Imports {
			if under(path, outside...) && permitted[p.Inside] != path {
				t.Errorf("%s imports %s: a stage knows no clock, network, file, chance or goroutine", p.Inside, path)
			}
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, found := range undetermined(t, fset, p.ImportPath, files, imported) {
			t.Error(found)
		}
		checked++
	}
	if checked == 0 {
		t.Fatal("no stage found")
	}
}

// exports reads the types of what stages import from the compiler's own output.
func exports(t *testing.T, fset *token.FileSet) types.Importer {
	t.Helper()
	at := map[string]string{}
	for _, p := range list(t, "-tags=real", "-export", "-deps", "./stages/...") {
		at[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if at[path] == "" {
			return nil, fmt.Errorf("%s has not been compiled", path)
		}
		return os.Open(at[path])
	})
}

// undetermined finds what could make a stage give another answer to the same records.
func undetermined(t *testing.T, fset *token.FileSet, path string, files []*ast.File, imp types.Importer) (found []string) {
	t.Helper()
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: imp}).Check(path, fset, files, info); err != nil {
		t.Fatalf("check the types of %s: %v", path, err)
	}
	say := func(n ast.Node, format string, args ...any) {
		at := fset.Position(n.Pos())
		found = append(found, fmt.Sprintf("%s/%s:%d: ", inside(path), filepath.Base(at.Filename), at.Line)+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		for _, decl := range f.Decls {
			sorts := mentions(info, decl, "slices", "sort")
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					say(n, "a goroutine: whoever runs a stage decides what is parallel")
				case *ast.SelectStmt, *ast.SendStmt:
					say(n, "a channel: whoever runs a stage decides what is parallel")
				case *ast.RangeStmt:
					if _, isMap := info.TypeOf(n.X).Underlying().(*types.Map); isMap && !sorts && !onlyDeletes(n) {
						say(n, "range over a map has no order: keep a sorted slice, or sort what was collected")
					}
				case *ast.SelectorExpr:
					switch o := info.Uses[n.Sel]; {
					case o == nil || o.Pkg() == nil:
					case o.Pkg().Path() == "time" && o.Parent() == o.Pkg().Scope() && slices.Contains(clock, o.Name()):
						say(n, "time.%s: time is data, it comes in ticks", o.Name())
					case o.Pkg().Path() == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, o.Name()) && !sorts:
						say(n, "maps.%s has no order: sort it", o.Name())
					}
				}
				return true
			})
		}
	}
	return found
}

// mentions reports whether n uses a sorting function of one of the packages.
func mentions(info *types.Info, n ast.Node, packages ...string) (yes bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			o := info.Uses[id]
			if o != nil && o.Pkg() != nil && slices.Contains(packages, o.Pkg().Path()) &&
				(o.Pkg().Path() == "sort" || strings.HasPrefix(o.Name(), "Sort")) {
				yes = true
			}
		}
		return !yes
	})
	return yes
}

// onlyDeletes reports whether a loop's body is nothing but deletions, whose order does not matter.
func onlyDeletes(n *ast.RangeStmt) bool {
	for _, s := range n.Body.List {
		e, ok := s.(*ast.ExprStmt)
		if !ok {
			return false
		}
		call, ok := e.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		if id, ok := call.Fun.(*ast.Ident); !ok || id.Name != "delete" {
			return false
		}
	}
	return true
}

// A rule that finds nothing must be able to find something.
func TestUndeterminedStagesAreFound(t *testing.T) {
	const src = `package bad
import ("maps"; "slices"; "time")
func clock() time.Time { return time.Now() }
func wait(d time.Duration) { time.Sleep(d); _ = time.Unix(0, 0).After(time.Time{}) }
func order(m map[string]int, emit func(int)) { for _, v := range m { emit(v) } }
func keys(m map[string]int) []string { return slices.Collect(maps.Keys(m)) }
func background(c chan int) { go func() { c <- 1 }() }
func sorted(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
func forget(m map[string]int) { for k := range m { delete(m, k) } }
func lists(l []int, emit func(int)) { for _, v := range l { emit(v) } }
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "bad.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := undetermined(t, fset, module+"/stages/bad", []*ast.File{f}, importer.ForCompiler(fset, "source", nil))
	var lines []string
	for _, s := range found {
		lines = append(lines, strings.SplitN(s, ":", 3)[1])
	}
	if got, want := strings.Join(lines, " "), "3 4 5 6 7 7"; got != want {
		t.Errorf("found in lines %s, want %s:\n%s", got, want, strings.Join(found, "\n"))
	}
}
