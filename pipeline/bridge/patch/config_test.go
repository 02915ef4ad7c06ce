package patch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"heartwire/topics"
)

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	c := DefaultConfig()
	c.Broker, c.Site, c.Patients, c.Speed, c.Frame, c.Encoding = "localhost", "Ward 7", 0, 0, time.Minute, "xml"
	c.CatchUp, c.For, c.Rate, c.Scripts = 0, -1, 5, []string{"sinus 70; lead-off V6", "sinsu"}
	c.Behaviour = Behaviour{Lost: 2, GapEvery: time.Second, GapFor: 2 * time.Second, RebootEvery: 1, ClockDrift: 1e9, Battery: 101}
	err := c.Validate()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"simulate.broker", "simulate.site", "simulate.patients", "simulate.speed", "simulate.frame", "simulate.encoding",
		"simulate.catch_up", "simulate.for", "simulate.scripts[0]: rate", "lead-off V6", "simulate.scripts[1]: script: line 1",
		"behaviour.lost", "behaviour.gap_every", "behaviour.reboot_every", "behaviour.clock_drift", "behaviour.battery",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	c = DefaultConfig()
	c.Broker = "tcp://user:secret@localhost:1883"
	if err := c.Validate(); err == nil || strings.Contains(strings.ReplaceAll(err.Error(), "user and password_file", ""), "secret") {
		t.Errorf("a password in the address: %v", err)
	}
}

func TestConfigFromYAML(t *testing.T) {
	c := DefaultConfig()
	err := yaml.UnmarshalWithOptions([]byte("frame: 100ms\nscripts: [sinus 60]\nspeed: 2.5\nbehaviour:\n  gap_every: 1m\n  gap_for: 2s\n"), &c, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	if c.Frame != 100*time.Millisecond || c.Behaviour.GapEvery != time.Minute || c.Speed != 2.5 || c.Behaviour.Battery != 96 {
		t.Errorf("read %+v", c)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestFramesAreAsLongAsAsked(t *testing.T) {
	for _, c := range []struct {
		rate  float64
		frame time.Duration
		want  int
	}{
		{250, 250 * time.Millisecond, 62}, {360, 250 * time.Millisecond, 90}, {244.14, 250 * time.Millisecond, 61},
		{62.5, 20 * time.Millisecond, 2}, {10, 20 * time.Millisecond, 1}, {500, 20 * time.Millisecond, 10},
		{100, 290 * time.Millisecond, 29}, {5000, 10 * time.Second, 50000},
	} {
		if got := frameSamples(c.rate, c.frame); got != c.want {
			t.Errorf("%s at %g Hz: %d samples, want %d", c.frame, c.rate, got, c.want)
		}
	}
}

func TestBootsRise(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boots")
	for want := uint64(1); want < 4; want++ {
		if got, err := BootDir(dir)("patch-01"); err != nil || got != want {
			t.Fatalf("boot %d, %v; want %d", got, err, want)
		}
	}
	if got, err := BootDir(dir)("patch-02"); err != nil || got != 1 {
		t.Errorf("another device's boot is %d, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "patch-01.boot"), []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := BootDir(dir)("patch-01"); err == nil {
		t.Error("a file without a number began at 1 again")
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	boots := bootClock(func() time.Time { return now })
	a, _ := boots("patch-01")
	b, _ := boots("patch-01")
	now = now.Add(2 * time.Second)
	c, _ := bootClock(func() time.Time { return now })("patch-01")
	if a == 0 || b <= a || c <= b {
		t.Errorf("boots %d, %d and %d after a restart", a, b, c)
	}
}

func TestLedgerWriter(t *testing.T) {
	var out bytes.Buffer
	write, failed := LedgerWriter(&out)
	var wait sync.WaitGroup
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 100 {
		wait.Go(func() {
			write(Entry{Device: "patch-01", Boot: 7, First: uint64(i), Count: 1, Fate: Lost, Due: at, Done: at})
		})
	}
	wait.Wait()
	if err := failed(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[float64]bool)
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		seen[e["first"].(float64)] = true
		if e["device"] != "patch-01" || e["fate"] != "lost" || e["due_us"].(float64) != float64(at.UnixMicro()) || e["sent_us"] != nil || len(e["sha256"].(string)) != 64 {
			t.Fatalf("a line is %v", e)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 entries", len(seen))
	}
	full, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	write, failed = LedgerWriter(full)
	if write(Entry{}); failed() == nil {
		t.Error("a file that cannot be written gave no error")
	}
}

// What a patch sends as deltas and what someone writes as samples are the same.
func TestDigest(t *testing.T) {
	a := Digest([]*topics.Lead{{Name: "II", Deltas: []int32{5, -2, 0, 7}}})
	if b := Digest([]*topics.Lead{{Name: "II", Samples: []int32{5, 3, 3, 10}}}); a != b {
		t.Error("deltas and samples differ")
	}
	for _, other := range []*topics.Lead{{Name: "V1", Samples: []int32{5, 3, 3, 10}}, {Name: "II", Samples: []int32{5, 3, 3, 11}}, {Name: "II", Samples: []int32{5, 3, 3}}} {
		if b := Digest([]*topics.Lead{other}); a == b {
			t.Errorf("%v has the same digest", other)
		}
	}
}
