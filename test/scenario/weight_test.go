package scenario

import (
	"fmt"
	"iter"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

// mostState is what the alarms stage may keep of a patient, in bytes.
const mostState = 4096

// weigh notes the largest state that the alarms stage has on the way.
func (s *story) weigh(chart iter.Seq2[topics.Record[*topics.Chart], error]) iter.Seq2[topics.Record[*topics.Chart], error] {
	return func(yield func(topics.Record[*topics.Chart], error) bool) {
		var state alarms.State
		var bytes []byte
		stage, none := alarms.Stage().Processor, func(*topics.Alarm) {}
		for r, err := range chart {
			if err == nil {
				if tick := r.Value.GetTick(); tick != nil {
					_ = stage.Advance(&state, tick, none)
				} else {
					_ = stage.Process(&state, r, none) // what is condemned is found by the fold itself
				}
				bytes, _ = state.AppendBinary(bytes[:0])
				s.heaviest = max(s.heaviest, len(bytes))
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (s scenario) wrongWeight(got *story) string {
	if got.heaviest > mostState {
		return fmt.Sprintf("the alarms stage keeps %d bytes, want %d at most", got.heaviest, mostState)
	}
	return ""
}
