package arch

import (
	"fmt"
	"strings"
	"testing"
)

// wrongImport says why the package at from must not import path; empty when it
// may. Tests may import what they like, so only other files are asked.
func wrongImport(from, path string) string {
	to := inside(path)
	room := strings.SplitN(from, "/", 3)
	switch {
	case strings.HasPrefix(path, "github.com/twmb/franz-go") && !under(from, "pipeline", "test"):
		return "franz-go is imported only below pipeline, and by tests"
	case path == "C":
		return "no cgo: the binary is static"
	case to == "":
		return ""
	case under(to, "cmd"):
		return "nothing imports a command"
	case under(to, "test") && !under(from, "test"):
		return "what serves tests is imported by tests"
	case under(from, "cmd", "test"):
		return ""
	case under(from, "topics") && !under(to, "topics"):
		return "topics is the vocabulary and knows nothing of anything else"
	case under(from, "stages") && !under(to, "topics", "stages"):
		return "stages decide: they know topics and each other's contract, no more"
	case under(from, "sinks") && under(to, "stages", "pipeline"):
		return "sinks act: they know topics, no stage and no pipeline"
	case under(from, "sinks") && under(to, "sinks") && to != "sinks" && !under(to, room[0]+"/"+at(room, 1)):
		return "a sink knows no other sink"
	case under(from, "stages") && under(to, "stages") && to != "stages" && to != "stages/ec57" && to != "stages/trees" && !under(to, room[0]+"/"+at(room, 1)):
		return "a stage knows no other stage: they meet in topics"
	case under(from, "pipeline") && under(to, "stages", "sinks") && to != "stages" && to != "sinks":
		return "pipeline moves records by the contracts: only cmd and tests know the implementations"
	}
	return ""
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return ""
}

func TestImportDirections(t *testing.T) {
	for _, p := range packages()(t) {
		for _, path := range p.Imports {
			if why := wrongImport(p.Inside, path); why != "" {
				t.Errorf("%s imports %s: %s", p.Inside, path, why)
			}
		}
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s has cgo in %v: the binary is static", p.Inside, p.CgoFiles)
		}
	}
}

// The rules themselves: each of these imports has been somebody's idea once.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		from, to string
		wrong    bool
	}{
		{"topics", "google.golang.org/protobuf/proto", false},
		{"topics/wfdb", "heartwire/topics", false},
		{"topics", "heartwire/stages", true},
		{"stages/beats", "heartwire/topics", false},
		{"stages/beats", "heartwire/stages", false},
		{"stages/beats", "heartwire/stages/trees", false},
		{"stages/beats", "heartwire/stages/rhythm", true},
		{"stages/beats", "heartwire/pipeline", true},
		{"stages/beats", "heartwire/sinks", true},
		{"stages", "heartwire/stages/beats", true},
		{"sinks/gateway", "heartwire/sinks", false},
		{"sinks/gateway", "heartwire/sinks/gateway/page", false},
		{"sinks/gateway", "heartwire/sinks/influx", true},
		{"sinks", "heartwire/sinks/gateway", true},
		{"sinks/gateway", "heartwire/stages", true},
		{"sinks/gateway", "heartwire/pipeline/kafka", true},
		{"sinks/gateway", "github.com/twmb/franz-go/pkg/kgo", true},
		{"pipeline", "heartwire/stages", false},
		{"pipeline", "heartwire/stages/beats", true},
		{"pipeline/bridge", "heartwire/sinks/gateway", true},
		{"pipeline/kafka", "github.com/twmb/franz-go/pkg/kgo", false},
		{"pipeline", "heartwire/test/ledger", true},
		{"cmd/heartwire", "heartwire/stages/beats", false},
		{"cmd/heartwire", "github.com/twmb/franz-go/pkg/kgo", true},
		{"pipeline", "heartwire/cmd/heartwire", true},
		{"test/real/servers", "github.com/twmb/franz-go/pkg/kgo", false},
	} {
		t.Run(fmt.Sprintf("%s to %s", c.from, c.to), func(t *testing.T) {
			if why := wrongImport(c.from, c.to); (why != "") != c.wrong {
				t.Errorf("wrong: %q, want %v", why, c.wrong)
			}
		})
	}
}
