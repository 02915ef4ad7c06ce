package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"heartwire/topics"
)

// Kind is what a node is.
type Kind string

const (
	KindSource Kind = "source" // from outside into the log
	KindClock  Kind = "clock"
	KindStage  Kind = "stage" // from the log into the log
	KindSink   Kind = "sink"  // from the log to outside
)

// Node is one part of the graph: what it reads, what it writes, and how it runs.
type Node struct {
	Name   string
	Kind   Kind
	Reads  []topics.Spec
	Writes []topics.Spec
	// Run blocks until ctx ends and returns nil then. Any other return is a
	// failure: the Runner logs it and runs the node again.
	Run func(ctx context.Context, env *Env) error

	plan    *plan // of a stage
	durable bool  // a durable sink
}

// Writing is the node that writes these topics too: what people ask for by a sink.
func (n Node) Writing(list ...topics.Any) Node {
	n.Writes = append(n.Writes, specs(list)...)
	return n
}

// Topology is the graph, as a value: what runs is what it prints.
type Topology []Node

// Only keeps the nodes of these names; an unknown name is an error that lists the known ones.
func (t Topology) Only(names ...string) (Topology, error) {
	var out Topology
	for _, name := range names {
		i := slices.IndexFunc(t, func(n Node) bool { return n.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no node %q; there are %s", name, strings.Join(t.names(), ", "))
		}
		out = append(out, t[i])
	}
	return out, nil
}

func (t Topology) names() []string {
	var names []string
	for _, n := range t {
		names = append(names, n.Name)
	}
	return names
}

// forPeople are topics that people read: `heartwire rejects`, `alarms why`, `audit`.
var forPeople = []string{topics.Rejects.Name, topics.Strips.Name, topics.Audits.Name}

// Validate tells all that is wrong with the graph: two nodes of one name, a
// topic that nobody writes or nobody reads, a topic that is none.
func (t Topology) Validate() error {
	var errs []error
	writers, readers := map[string][]string{}, map[string][]string{}
	seen := map[string]bool{}
	for _, n := range t {
		if seen[n.Name] {
			errs = append(errs, fmt.Errorf("two nodes are called %s", n.Name))
		}
		seen[n.Name] = true
		if n.Run == nil {
			errs = append(errs, fmt.Errorf("node %s has nothing to run", n.Name))
		}
		for _, s := range n.Reads {
			readers[s.Name] = append(readers[s.Name], n.Name)
		}
		for _, s := range n.Writes {
			writers[s.Name] = append(writers[s.Name], n.Name)
		}
		for _, s := range slices.Concat(n.Reads, n.Writes) {
			if _, ok := topics.Find(s.Name); !ok {
				errs = append(errs, fmt.Errorf("node %s names the topic %s, which is not in topics.All", n.Name, s.Name))
			}
		}
	}
	for _, any := range topics.All() {
		s := any.About()
		if len(writers[s.Name]) == 0 {
			errs = append(errs, fmt.Errorf("nobody writes %s", s.Name))
		}
		if len(readers[s.Name]) == 0 && !slices.Contains(forPeople, s.Name) {
			errs = append(errs, fmt.Errorf("nobody reads %s", s.Name))
		}
	}
	return errors.Join(errs...)
}

// WriteText prints the graph for people, a node a paragraph.
func (t Topology) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, n := range t {
		fmt.Fprintf(&b, "%-8s %s\n", n.Kind, n.Name)
		if len(n.Reads) > 0 {
			fmt.Fprintf(&b, "         reads  %s\n", list(n.Reads))
		}
		if len(n.Writes) > 0 {
			fmt.Fprintf(&b, "         writes %s\n", list(n.Writes))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func list(specs []topics.Spec) string {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// own reports whether a topic belongs to one node alone: where it keeps states.
func own(s topics.Spec) bool {
	return strings.HasSuffix(s.Name, "-changelog") || strings.HasSuffix(s.Name, "-history")
}

// WriteDot prints the graph in Graphviz DOT: nodes as boxes, topics as
// cylinders, those left out that belong to one node alone.
func (t Topology) WriteDot(w io.Writer) error {
	var b strings.Builder
	b.WriteString("digraph heartwire {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n")
	for _, any := range topics.All() {
		if s := any.About(); !own(s) {
			fmt.Fprintf(&b, "  %q [shape=cylinder];\n", s.Name)
		}
	}
	for _, n := range t {
		fmt.Fprintf(&b, "  %q [shape=box, style=rounded, label=\"%s\\n(%s)\"];\n", "node "+n.Name, n.Name, n.Kind)
		for _, s := range n.Reads {
			if !own(s) {
				fmt.Fprintf(&b, "  %q -> %q;\n", s.Name, "node "+n.Name)
			}
		}
		for _, s := range n.Writes {
			if !own(s) {
				fmt.Fprintf(&b, "  %q -> %q;\n", "node "+n.Name, s.Name)
			}
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
