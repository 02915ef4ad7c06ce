package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"heartwire/pipeline/pipelinetest"
	"heartwire/test/e2e"
)

// A bench that breaks is found when it is needed: here it runs, with a load too
// small to measure anything, on the broker in the process.
func TestBenchStageRuns(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	bin, err := e2e.Build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "bench", "stage", "--json", "--only", "windows,restore", "--records", "20000", "--keys", "100",
		"--set", "kafka.partitions=4", "--set", "kafka.brokers="+strings.Join(conf.Brokers, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Windows []struct{ Records int64 }
		Restore struct{ Seconds float64 }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(report.Windows) != 2 || report.Windows[0].Records < 20000 || report.Windows[1].Records < 20000 || report.Restore.Seconds <= 0 {
		t.Errorf("it reports %s", out)
	}
}
