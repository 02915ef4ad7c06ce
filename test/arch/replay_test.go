package arch

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// The files by which a stage is run again and looked at. Nobody must be woken,
// and no log of a site changed, by one who looks back.
var lookingBack = map[string][]string{
	"pipeline":      {"past.go", "echo.go", "point.go", "check.go", "look.go", "replay.go"},
	"cmd/heartwire": {"replay.go", "progress.go", "state.go", "leaves.go", "backtest.go", "backtestrecords.go", "ward.go"},
}

// What those files must not name: joining a group, committing, writing records,
// and the parts of the graph that reach the world. Writing to a topic that is
// no site's is the business of into.go alone.
var reaching = []string{
	"Produce", "ProduceSync", "TryProduce", "BeginTransaction", "Begin", "End", "EndTransaction", "TransactionalID",
	"ConsumerGroup", "CommitOffsets", "CommitRecords", "CommitOffsetsSync", "NewSession", "NewRunner",
	"Ask", "Apply", "CreateTopic", "DeleteRecords", "topology", "runNodes", "serve",
}

func TestWhoLooksBackChangesNothing(t *testing.T) {
	seen := 0
	written(t, func(p pkg, fset *token.FileSet, f *ast.File) {
		name := filepath.Base(fset.Position(f.Pos()).Filename)
		if !slices.Contains(lookingBack[p.Inside], name) {
			return
		}
		seen++
		for _, s := range f.Imports {
			if path := s.Path.Value; path == `"heartwire/sinks"` || under(inside(path[1:len(path)-1]), "sinks", "pipeline/bridge", "pipeline/local") {
				t.Errorf("%s/%s imports %s", p.Inside, name, path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(reaching, s.Sel.Name) {
				t.Errorf("%s/%s:%d: %s: who looks back reads, and no more", p.Inside, name, fset.Position(s.Pos()).Line, s.Sel.Name)
			}
			return true
		})
	})
	if want := len(lookingBack["pipeline"]) + len(lookingBack["cmd/heartwire"]); seen != want {
		t.Errorf("%d files found of %d: name the new ones", seen, want)
	}
}
