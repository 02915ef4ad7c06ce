package kafka_test

import (
	"testing"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

func TestOpenAllocatesNothingForWhatIsKnown(t *testing.T) {
	origin := topics.Origin{Source: "a-device", Epoch: 3, Offset: 62, Index: 1}
	r, err := kafka.Encode("site", topics.Frames, 12, &topics.Frame{Patient: "p"}, origin)
	if err != nil {
		t.Fatal(err)
	}
	kafka.SetTrace(r, "00-trace")
	var out topics.Record[*topics.Frame]
	kafka.Open(r, "p", "another-device", &out)
	if out.Key != "p" || out.Origin != origin || out.Trace != "00-trace" || string(out.Raw) != string(r.Value) {
		t.Errorf("opened as %+v", out)
	}
	out.Value = &topics.Frame{}
	r.Headers = r.Headers[:2] // no trace
	key, source := out.Key, out.Origin.Source
	if n := testing.AllocsPerRun(100, func() { kafka.Open(r, key, source, &out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if out.Origin != origin || out.Trace != "" || out.Value != nil {
		t.Errorf("opened again as %+v", out)
	}
}
