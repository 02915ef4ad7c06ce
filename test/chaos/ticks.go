package chaos

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/topics"
)

// ticks wants time to rise by one tick after the other in each partition of a
// topic, and one clock to own it at a time: to readers, who pass over the ticks
// of a clock that was replaced.
func (t *Tally) ticks(topic topics.Any, log Log) {
	name := topic.About().Name
	for p, records := range log[name] {
		var n, owner uint64
		writers := map[int64]uint64{} // by producer id, the last tick that it wrote
		var writer int64
		for _, r := range records {
			tick := tickOf(topic, r)
			if tick == nil {
				continue
			}
			place := fmt.Sprintf("%d/%d: tick %d of owner %d after %d of %d", p, r.Offset, tick.N, tick.Owner, n, owner)
			switch {
			case !tick.Follows(n, owner):
				t.Ignored++
				if tick.Owner == owner && tick.N > n {
					t.add(Unfounded, name, place) // so far ahead that readers pass over it
				}
				continue
			case n > 0 && tick.N != n+1:
				t.add(Lost, name, place)
			}
			if owner > 0 && tick.Owner > owner {
				t.Owners++
			}
			// A clock's client may be given a new id, and never an old one again.
			if id := r.ProducerID; id != writer {
				if tick.Owner == owner && writers[id] > 0 {
					t.add(Disordered, name, place+", and two clocks write")
				}
				writer = id
			}
			writers[writer] = tick.N
			n, owner = tick.N, tick.Owner
		}
	}
}

// tickOf is the tick in a record, or nil.
func tickOf(topic topics.Any, r *kgo.Record) *topics.Tick {
	if len(r.Key) > 0 { // as ticks alone have none
		return nil
	}
	v, err := topic.Decode(r.Value)
	if err != nil {
		return nil
	}
	return topic.TickOf(v)
}
