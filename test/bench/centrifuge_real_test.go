//go:build real

package bench

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What the gateway is measured against runs too: a module of its own, which no
// other test builds.
func TestCentrifugeRuns(t *testing.T) {
	cmd := exec.Command("go", "run", ".", "--clients", "5", "--patients", "4", "--watchers", "3", "--rate", "300", "--for", "500ms")
	cmd.Dir = "centrifuge"
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; n++ {
		var w struct {
			PerSecond float64 `json:"messages_per_s"`
		}
		if err := d.Decode(&w); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if w.PerSecond < 100 {
			t.Errorf("it reports %s", out)
		}
	}
	if n != 2 {
		t.Errorf("it reports %s", out)
	}
}
