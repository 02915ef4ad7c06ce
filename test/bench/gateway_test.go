package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"heartwire/test/e2e"
)

// As TestBenchStageRuns: too small to measure anything.
func TestBenchGatewayRuns(t *testing.T) {
	bin, err := e2e.Build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "bench", "gateway", "--json", "--clients", "5", "--patients", "4", "--watchers", "3", "--rate", "300", "--for", "500ms")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	type window struct {
		Messages, Dropped, Snapshots int64
		CPU                          float64 `json:"cpu_us_per_message"`
	}
	var report struct {
		Saturated, Paced window
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if s, p := report.Saturated, report.Paced; s.Messages < 1000 || p.Messages < 50 || p.Messages > 300 || p.Snapshots == 0 || s.CPU <= 0 || s.Dropped+p.Dropped != 0 {
		t.Errorf("it reports %s", out)
	}
}
