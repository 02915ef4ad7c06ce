package bench

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Numbers of the fields that times reads.
const (
	frameSamples     = 2
	frameTick        = 15
	samplesTimeUs    = 9
	samplesArrivalUs = 10
)

var errCut = errors.New("not a Frame: cut off")

// times reads a Frame's tick, or when its samples were taken and arrived.
func times(b []byte) (*topics.Frame, error) {
	v := new(struct {
		frame   topics.Frame
		kind    topics.Frame_Samples
		samples topics.Samples
	})
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, errCut
		}
		b = b[n:]
		if typ != protowire.BytesType || num != frameSamples && num != frameTick {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return nil, errCut
			}
			b = b[n:]
			continue
		}
		inner, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, errCut
		}
		b = b[n:]
		if num == frameTick {
			tick := new(topics.Tick)
			if err := proto.Unmarshal(inner, tick); err != nil {
				return nil, err
			}
			return topics.Frames.Wrap(tick), nil
		}
		if !samplesTimes(inner, &v.samples) {
			return nil, errCut
		}
		v.kind.Samples = &v.samples
		v.frame.Kind = &v.kind
	}
	return &v.frame, nil
}

func samplesTimes(b []byte, s *topics.Samples) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return false
		}
		if typ == protowire.VarintType {
			switch v, _ := protowire.ConsumeVarint(b); num {
			case samplesTimeUs:
				s.TimeUs = int64(v)
			case samplesArrivalUs:
				s.ArrivalUs = int64(v)
			}
		}
		b = b[n:]
	}
	return true
}
