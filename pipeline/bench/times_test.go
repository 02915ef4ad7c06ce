package bench

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

func TestTimesReadsWhatProtobufReads(t *testing.T) {
	at := begin.Add(time.Minute)
	load := Load{Keys: 1, Size: 600}
	f := frame("0123456789abcdef", 7, at, at.Add(time.Millisecond), load.pad())
	b, err := topics.Frames.Append(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 590 || len(b) > 600 {
		t.Errorf("a record of 600 bytes has %d", len(b))
	}
	got, err := readTimes(b)
	if err != nil {
		t.Fatal(err)
	}
	if !got.samples || got.timeUs != at.UnixMicro() || got.arrivalUs != at.Add(time.Millisecond).UnixMicro() {
		t.Errorf("read %+v", got)
	}
	for n := range 60 {
		if whole := new(topics.Frame); proto.Unmarshal(b[:n], whole) != nil {
			if _, err := readTimes(b[:n]); err == nil {
				t.Errorf("the first %d bytes are read without an error", n)
			}
		}
	}
	if _, err := readTimes([]byte{frameSamples<<3 | 2, 1, samplesTimeUs << 3}); err == nil {
		t.Error("samples that are cut off are read without an error")
	}
	tick := &topics.Tick{N: 3, Owner: 1, WallUs: 5}
	if b, err = topics.Frames.Append(nil, topics.Frames.Wrap(tick)); err != nil {
		t.Fatal(err)
	}
	if got, err := readTimes(b); err != nil || !proto.Equal(got.tick, tick) {
		t.Errorf("a tick is read as %v, %v", got, err)
	}
}
