package bridge_test

import (
	"context"
	"strings"
	"testing"

	"heartwire/pipeline/bridge"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// What is read again gets the time and the patient that it had when it came,
// whoever wears the device by now.
func TestRejectedFramesAreReadAsOfWhenTheyCame(t *testing.T) {
	kconf, _ := pipelinetest.Cluster(t)
	s := siteOn(t, kconf, "tcp://127.0.0.1:1")
	const zero, hour = int64(1_700_000_000_000_000), int64(3600e6)
	s.bind("patch-01", 1,
		&topics.DeviceBinding{Patient: "p1", FromUs: zero, UntilUs: zero + hour},
		&topics.DeviceBinding{Patient: "p2", FromUs: zero + hour})
	anchor, err := kafka.Encode(kconf.Site, topics.BridgeChangelog, kconf.Partitions,
		&topics.Anchor{Device: "patch-01", Boot: 3, Rate: 250, AnchorUs: float64(zero), ArrivalUs: zero, Next: 1 << 20}, topics.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	if err := pipelinetest.Client(t, kconf).ProduceSync(context.Background(), anchor).FirstErr(); err != nil {
		t.Fatal(err)
	}
	rejected, err := bridge.NewRejected(context.Background(), s.conf, kconf, quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	const length = 62 * 4000 // µs
	for _, c := range []struct {
		name    string
		frame   *topics.PatchFrame
		came    int64
		patient string
		at      int64
	}{
		{"a boot that is known counts by its anchor, however late it came", frame("patch-01", 3, 100), zero + 2*hour, "p1", zero + 100*length},
		{"another one by its arrival", frame("patch-01", 2, 100), zero + hour/2, "p1", zero + hour/2 - length + 4000},
		{"and to whom it belonged then", frame("patch-01", 4, 0), zero + 2*hour, "p2", zero + 2*hour - length + 4000},
		{"a change of hands is nobody's", frame("patch-01", 4, 0), zero + hour + length/2, string(topics.Unassigned(siteKey, "patch-01")), zero + hour - length/2 + 4000},
		{"nobody's device", frame("patch-02", 1, 0), zero + hour, string(topics.Unassigned(siteKey, "patch-02")), zero + hour - length + 4000},
	} {
		got, err := rejected.Frame(bridge.Message{Kind: bridge.Frames, Device: c.frame.Device, Payload: encode(t, c.frame)}, c.came)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.GetPatient() != c.patient || got.GetSamples().GetTimeUs() != c.at || got.GetSamples().GetFirst() != c.frame.First {
			t.Errorf("%s: under %q at %d, want %q at %d", c.name, got.GetPatient(), got.GetSamples().GetTimeUs(), c.patient, c.at)
		}
	}
	for _, c := range []struct {
		message bridge.Message
		want    string
	}{
		{bridge.Message{Kind: bridge.Vitals, Device: "patch-01", Payload: encode(t, &topics.PatchVitals{Device: "patch-01"})}, "only frames"},
		{bridge.Message{Kind: bridge.Status, Device: "patch-01", Payload: encode(t, &topics.PatchStatus{Device: "patch-01"})}, "only frames"},
		{bridge.Message{Kind: bridge.Frames, Device: "patch-01", Payload: []byte("no frame")}, "undecodable"},
		{bridge.Message{Kind: bridge.Frames, Device: "patch-07", Payload: encode(t, frame("patch-01", 1, 1))}, "device.mismatch"},
	} {
		if f, err := rejected.Frame(c.message, zero); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, have %v and %v", c.want, f, err)
		}
	}
}
