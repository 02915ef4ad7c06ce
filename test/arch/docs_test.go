package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// written parses the files of all packages that people wrote.
func written(t *testing.T, do func(p pkg, fset *token.FileSet, f *ast.File)) {
	t.Helper()
	for _, p := range packages()(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(f) {
				do(p, fset, f)
			}
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	for _, p := range packages()(t) {
		if len(p.GoFiles) > 0 && strings.TrimSpace(p.Doc) == "" {
			t.Errorf("%s has no doc comment", p.Inside)
		}
	}
}

// Methods whose contract is that of a well-known interface, or of the type
// they belong to, need no words of their own.
var known = regexp.MustCompile(`^(Error|Unwrap|String|LogValue|Len|Less|Swap|Close|ServeHTTP|Read|Write|` +
	`(Append|Marshal|Unmarshal)(Binary|Text|JSON|YAML)|Describe|Collect|Process|Advance|Deliver|RoundTrip)$`)

func TestExportedNamesAreDocumented(t *testing.T) {
	written(t, func(p pkg, fset *token.FileSet, f *ast.File) {
		if p.Name == "main" {
			return
		}
		for _, d := range f.Decls {
			for _, id := range undocumented(fset, d) {
				at := fset.Position(id.Pos())
				t.Errorf("%s/%s:%d: %s has no doc comment", p.Inside, filepath.Base(at.Filename), at.Line, id.Name)
			}
		}
	})
}

// undocumented are the exported names of a declaration that nothing is said
// about. A method that is shorter than what could be said of it, and the
// values of an enumeration, whose type has the words, go without.
func undocumented(fset *token.FileSet, d ast.Decl) (ids []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		lines := fset.Position(d.End()).Line - fset.Position(d.Pos()).Line
		own := d.Recv == nil || (ast.IsExported(receiver(d)) && !known.MatchString(d.Name.Name) && lines > 10)
		if d.Name.IsExported() && d.Doc == nil && own {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.CONST && d.Specs[0].(*ast.ValueSpec).Type != nil {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					ids = append(ids, s.Name)
				}
			case *ast.ValueSpec:
				for _, id := range s.Names {
					if id.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						ids = append(ids, id)
					}
				}
			}
		}
	}
	return ids
}

func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	if index, ok := x.(*ast.IndexExpr); ok {
		x = index.X
	}
	if index, ok := x.(*ast.IndexListExpr); ok {
		x = index.X
	}
	if id, ok := x.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

var vague = regexp.MustCompile(`(Manager|Helper|Util|Utils|Service)$`)

func TestNames(t *testing.T) {
	written(t, func(p pkg, fset *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				at := fset.Position(d.Pos())
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s/%s:%d: init runs before anybody asked: wire it in cmd", p.Inside, filepath.Base(at.Filename), at.Line)
				}
				if rest, ok := strings.CutPrefix(d.Name.Name, "Get"); ok && ast.IsExported(rest) {
					t.Errorf("%s/%s:%d: %s: call it %s", p.Inside, filepath.Base(at.Filename), at.Line, d.Name.Name, rest)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && vague.MatchString(s.Name.Name) {
						t.Errorf("%s: the type %s says nothing: what is it in the field's words?", p.Inside, s.Name.Name)
					}
				}
			}
		}
	})
}

// A DESIGN.md beside the code opens with what its readers may rely on.
func TestDesignsOpenWithTheGuarantee(t *testing.T) {
	for _, dir := range []string{"topics", "pipeline"} {
		b, err := os.ReadFile(filepath.Join("..", "..", dir, "DESIGN.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		var opening []string // the title and the first two blocks below it
		for block := range strings.SplitSeq(string(b), "\n\n") {
			if block = strings.TrimSpace(block); block != "" {
				opening = append(opening, block)
			}
		}
		opening = opening[:min(3, len(opening))]
		if len(opening) == 0 || !strings.HasPrefix(opening[0], "# ") || !strings.Contains(strings.ToLower(strings.Join(opening, " ")), "guarantee") {
			t.Errorf("%s/DESIGN.md does not open with the guarantee", dir)
		}
	}
}
