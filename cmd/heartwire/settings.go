package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// origin of a setting's value, in words: default, file:line, a variable or --set.
type origin = string

// envPrefix: kafka.brokers is HEARTWIRE_KAFKA_BROKERS.
const envPrefix = "HEARTWIRE_"

// loaded is a Config with where each of its values came from.
type loaded struct {
	Config
	origins map[string]origin // by path, kafka.brokers
}

// load reads defaults, then the file, then the environment, then --set, each
// over the one before. path may be empty. All problems are told at once.
func load(path string, environ, sets []string) (*loaded, error) {
	l := &loaded{Config: defaultConfig(), origins: map[string]origin{}}
	leaves := l.leaves()
	for p := range leaves {
		l.origins[p] = "default"
	}
	if path != "" {
		if err := l.file(path); err != nil {
			return nil, err
		}
	}
	var errs []error
	for _, p := range sortedKeys(leaves) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(p, ".", "_"))
		for _, kv := range environ {
			if v, ok := strings.CutPrefix(kv, name+"="); ok {
				errs = append(errs, l.set(leaves, p, v, name))
			}
		}
	}
	for _, kv := range sets {
		p, v, ok := strings.Cut(kv, "=")
		if !ok {
			errs = append(errs, fmt.Errorf("--set %s: write it as key=value, for example --set kafka.site=west", kv))
			continue
		}
		errs = append(errs, l.set(leaves, p, v, "--set"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return l, l.Validate()
}

// file reads a YAML file strictly: each unknown key and each value of the
// wrong kind is told with its line, all at once.
func (l *loaded) file(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	r := fileReader{loaded: l, path: path, leaves: l.leaves()}
	for _, doc := range f.Docs {
		r.read(doc.Body, "")
	}
	return errors.Join(r.errs...)
}

// fileReader gives settings the values of a file.
type fileReader struct {
	*loaded
	path   string
	leaves map[string]reflect.Value
	errs   []error
}

func (r *fileReader) wrong(n ast.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d: %s", r.path, n.GetToken().Position.Line, fmt.Sprintf(format, args...)))
}

func (r *fileReader) read(n ast.Node, prefix string) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case nil, *ast.NullNode:
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.wrong(n, "%s wants settings below it, not a value", prefix)
	}
	for _, v := range values {
		p := join(prefix, v.Key.GetToken().Value)
		leaf, ok := r.leaves[p]
		switch {
		case ok:
			if err := yaml.NodeToValue(v.Value, leaf.Addr().Interface(), yaml.Strict()); err != nil {
				r.wrong(v.Key, "%s: %s: want a %s", p, v.Value, kind(leaf.Type()))
				continue
			}
			r.origins[p] = fmt.Sprintf("%s:%d", r.path, v.Key.GetToken().Position.Line)
		case r.section(p):
			r.read(v.Value, p)
		default:
			r.wrong(v.Key, "no setting %q; `heartwire config explain` lists them", p)
		}
	}
}

// section reports whether there are settings below a path.
func (r *fileReader) section(path string) bool {
	for p := range r.leaves {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// set gives one setting the value that a person wrote.
func (l *loaded) set(leaves map[string]reflect.Value, path, value string, from origin) error {
	leaf, ok := leaves[path]
	if !ok {
		return fmt.Errorf("%s: no setting %q; `heartwire config explain` lists them", from, path)
	}
	if leaf.Kind() == reflect.Slice && !strings.HasPrefix(value, "[") {
		value = "[" + value + "]"
	}
	if leaf.Kind() == reflect.String {
		leaf.SetString(value)
	} else if err := yaml.UnmarshalWithOptions([]byte(value), leaf.Addr().Interface(), yaml.Strict()); err != nil {
		return fmt.Errorf("%s: %s=%s: want a %s", from, path, value, kind(leaf.Type()))
	}
	l.origins[path] = from
	return nil
}

// kind says in words what a setting takes.
func kind(t reflect.Type) string {
	switch {
	case t.String() == "time.Duration":
		return "duration such as 20ms or 6s"
	case t.Kind() == reflect.Slice:
		return "list such as a,b"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return "text"
	default:
		return "whole number"
	}
}

// leaves are the settings by path, as values that can be set.
func (l *loaded) leaves() map[string]reflect.Value {
	out := map[string]reflect.Value{}
	walk(reflect.ValueOf(&l.Config).Elem(), "", out)
	return out
}

func walk(v reflect.Value, prefix string, out map[string]reflect.Value) {
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if tag == "" || tag == "-" {
			continue
		}
		p := join(prefix, tag)
		if f := v.Field(i); f.Kind() == reflect.Struct {
			walk(f, p, out)
		} else {
			out[p] = f
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
