package bench

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Numbers of the fields that a stretch is read from.
const (
	frameSamples     = 2
	frameTick        = 15
	samplesTimeUs    = 9
	samplesArrivalUs = 10
)

var errCut = errors.New("not a Frame: cut off")

// times is what Windows reads of a Frame: a tick, or when its samples were
// taken and arrived. It is a value, so that reading it allocates nothing.
type times struct {
	*topics.Frame     // nil: it makes a message of it
	tick              *topics.Tick
	samples           bool
	timeUs, arrivalUs int64
}

// timed are the Frames of a site, read as times.
func timed() topics.Topic[times] {
	return topics.Topic[times]{
		Spec:  topics.Frames.Spec,
		Tick:  func(t times) *topics.Tick { return t.tick },
		Parse: readTimes,
	}
}

func readTimes(b []byte) (t times, err error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return t, errCut
		}
		b = b[n:]
		if typ != protowire.BytesType || num != frameSamples && num != frameTick {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return t, errCut
			}
			b = b[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return t, errCut
		}
		b = b[n:]
		if num == frameTick {
			t.tick = new(topics.Tick)
			return t, proto.Unmarshal(inner, t.tick)
		}
		if !t.readSamples(inner) {
			return t, errCut
		}
	}
	return t, nil
}

func (t *times) readSamples(b []byte) bool {
	t.samples = true
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		if typ != protowire.VarintType {
			n = protowire.ConsumeFieldValue(num, typ, b)
		} else {
			var v uint64
			switch v, n = protowire.ConsumeVarint(b); num {
			case samplesTimeUs:
				t.timeUs = int64(v)
			case samplesArrivalUs:
				t.arrivalUs = int64(v)
			}
		}
		if n < 0 {
			return false
		}
		b = b[n:]
	}
	return true
}
