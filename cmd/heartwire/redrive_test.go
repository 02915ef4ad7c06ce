package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// Rejects of a bridge and of stages, as a person lists them and takes them back.
func TestRedriveAtTheCommandLine(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	siteKey := filepath.Join(t.TempDir(), "site.key")
	if err := os.WriteFile(siteKey, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	cl := pipelinetest.Client(t, conf)
	lead := &topics.Lead{Name: "II", MicrovoltsPerCount: 5, Deltas: make([]int32, 50)}
	message, err := proto.Marshal(&topics.PatchFrame{Device: "patch-01", Boot: 1, Rate: 250, Leads: []*topics.Lead{lead}})
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]string{}
	reject := func(name string, r *topics.Reject) {
		r.Size, r.Reason, r.Detail = uint64(len(r.Original)), name, "what is wrong"
		rec, err := kafka.Encode(conf.Site, topics.Rejects, conf.Partitions, r, topics.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
		place[name] = strings.Join([]string{string('0' + rune(rec.Partition)), string('0' + rune(rec.Offset))}, "@")
	}
	reject("lead.name", &topics.Reject{Key: "patch-01", Source: "heartwire/v1/patch-01/frames", Original: message, TimeUs: 1_700_000_000_000_000})
	reject("conflict", &topics.Reject{Key: "patch-01", Source: "heartwire/v1/patch-01/frames", Original: message})
	reject("vitals.count", &topics.Reject{Key: "patch-01", Source: "heartwire/v1/patch-01/vitals", Original: message})
	reject("undecodable", &topics.Reject{Key: "patch-01", Source: "bridge", Original: message})
	reject("unfoldable", &topics.Reject{Key: "p1", Source: "rhythm", Origin: "annotations/0/1/2/0", Original: message})

	heartwire := func(args ...string) (out string, ok bool) {
		var stdout, stderr bytes.Buffer
		args = append(args, "--set", "kafka.brokers=["+strings.Join(conf.Brokers, ",")+"]", "--set", "kafka.partitions=4",
			"--set", "kafka.replication=1", "--set", "kafka.min_isr=1", "--set", "bridge.site_key_file="+siteKey, "--log", "error")
		code := run(args, nil, &stdout, &stderr)
		return stdout.String() + stderr.String(), code == 0
	}
	wants := func(ok bool, want []string, args ...string) {
		t.Helper()
		out, did := heartwire(args...)
		if did != ok {
			t.Errorf("%v: success %v, want %v\n%s", args, did, ok, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%v does not say %q:\n%s", args, w, out)
			}
		}
	}
	good := place["lead.name"]
	wants(true, []string{good + " would go to frames"}, "rejects", "redrive", good, "--dry-run")
	wants(true, []string{good + " redriven to frames"}, "rejects", "redrive", "--reason", "lead.name", "--since", "all")
	wants(false, []string{good + " left out: it has been redriven", "1 of 1"}, "rejects", "redrive", good)
	wants(true, []string{good + " redriven to frames"}, "rejects", "redrive", good, "--again")
	wants(false, []string{"a sample is said once", "only frames", "MQTT topic", "heartwire replay", "3@99 left out: there is no reject", "5 of 5"},
		"rejects", "redrive", place["conflict"], place["vitals.count"], place["undecodable"], place["unfoldable"], "3@99")
	wants(true, []string{"No rejects."}, "rejects", "redrive", "--reason", "lead.name", "--since", "1h")
	out, _ := heartwire("rejects", "ls", "--since", "all")
	if strings.Count(out, "(redriven 20") != 1 || strings.Count(out, "\n") != 10 {
		t.Errorf("ls lists 5 rejects and counts 5 reasons, one redriven:\n%s", out)
	}
	wants(true, []string{"lead.name (redriven 20"}, "rejects", "show", good)
}
