package bridge_test

import (
	"bytes"
	"strings"
	"testing"

	"heartwire/pipeline/bridge"
	"heartwire/topics"
)

// Each bad message gets its own reject with its bytes, and the good ones
// between them arrive as if nothing had been.
func TestBadInputIsRejectedAndTheOthersGoOn(t *testing.T) {
	s := newSite(t)
	b := s.run().ready(t)
	p := s.patch("patch-01")
	good := func(i int) *topics.PatchFrame { return frame("patch-01", 1, i) }
	other := good(0)
	other.Leads[0].Deltas[5]++
	stranger := good(1)
	stranger.Device = "patch-99"
	huge := bytes.Repeat([]byte{'x'}, 10<<20)
	type bad struct {
		topic   string
		payload []byte
		want    bridge.Reason
		key     topics.Key
	}
	frames := "heartwire/v1/patch-01/frames"
	bads := []bad{
		{frames, []byte("no frame"), bridge.Undecodable, "patch-01"},
		{frames, encode(t, good(1))[:100], bridge.Undecodable, "patch-01"},
		{frames, huge, bridge.Oversize, "patch-01"},
		{frames, encode(t, stranger), bridge.DeviceMismatch, "patch-01"},
		{"heartwire/v1/a\x01b/frames", encode(t, good(1)), bridge.DeviceInvalid, ""},
		{"heartwire/v1/" + strings.Repeat("x", 65) + "/frames", encode(t, good(1)), bridge.DeviceInvalid, ""},
		{frames, encode(t, other), bridge.Conflict, "patch-01"},
		{frames, []byte(`{"device":"patch-01","rate":250}`), bridge.LeadsNone, "patch-01"},
		{"heartwire/v1/patch-01/vitals", []byte(`{"device":"patch-01"}`), bridge.VitalsCount, "patch-01"},
		{"heartwire/v1/patch-01/status", []byte{0xff}, bridge.Undecodable, "patch-01"},
	}
	p.frame(good(0))
	for i, c := range bads {
		p.send(c.topic, c.payload)
		p.frame(good(i + 1))
	}
	everyFrame(s, "patch-01", len(bads)+1)
	left := bads
	read(s, topics.Rejects, len(bads), func(r topics.Record[*topics.Reject]) bool {
		v := r.Value
		for i, c := range left {
			if v.Reason == string(c.want) && v.Size == uint64(len(c.payload)) && r.Key == c.key &&
				bytes.Equal(v.Original, c.payload[:min(len(c.payload), 64<<10)]) && v.Detail != "" && v.TimeUs != 0 {
				left = append(left[:i:i], left[i+1:]...)
				return true
			}
		}
		t.Errorf("a reject that nobody caused: %s of %d bytes under %q: %s", v.Reason, v.Size, string(r.Key), v.Detail)
		return true
	})
	counted := uint64(0)
	for _, d := range b.Rejects() {
		counted += d.Count
		if d.Device == "patch-01" && d.Reason == bridge.Undecodable && d.Count != 3 {
			t.Errorf("%d undecodable messages of patch-01 were counted, want 3", d.Count)
		}
	}
	if counted != uint64(len(bads)) {
		t.Errorf("%d rejects were counted, want %d", counted, len(bads))
	}
}

// What a patch sends twice may stand twice, and is no conflict.
func TestRepeatsAreNoConflict(t *testing.T) {
	s := newSite(t)
	b := s.run().ready(t)
	p := s.patch("patch-01")
	for i := range 20 {
		p.frame(frame("patch-01", 1, i))
		p.frame(frame("patch-01", 1, i/2))
	}
	everyFrame(s, "patch-01", 20)
	if r := b.Rejects(); len(r) != 0 {
		t.Errorf("rejected: %v", r)
	}
}
