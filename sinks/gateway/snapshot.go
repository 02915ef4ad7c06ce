package gateway

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// pieces are the parts of a Snapshot, taken under the lock and put together after it.
type pieces struct {
	bed                         *Bed
	frames, annotations, alarms []*message
	second, silence             *message
	limits                      []byte
	vitals                      []*message // sent after it: a Snapshot has no place for them
}

// recall is what is known now, of the topics that are wanted. The lock is held.
func (p *patient) recall(wants topicSet, span time.Duration) pieces {
	s := pieces{bed: p.bed}
	oldest := p.newest - span.Microseconds()
	if wants&topicFrames != 0 {
		s.frames = p.frames.since(oldest)
	}
	if wants&topicAnnotations != 0 {
		s.annotations = p.annotations.since(oldest)
	}
	if wants&topicChart != 0 {
		s.second, s.limits = p.second, p.limits
		for _, v := range p.vitals {
			s.vitals = append(s.vitals, v.m)
		}
	}
	if wants&topicAlarms != 0 {
		for _, a := range p.alarms {
			s.alarms = append(s.alarms, a.m)
		}
		s.silence = p.silent(time.Now())
	}
	return s
}

// encode writes the Snapshot out of records as they stand in the log.
func (s pieces) encode() []byte {
	bed, _ := proto.Marshal(s.bed) // texts that were decoded, so they can be encoded
	field := func(b []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	size := 64 + len(bed) + len(s.limits)
	for _, part := range [][]*message{s.frames, s.annotations, s.alarms, {s.second, s.silence}} {
		for _, m := range part {
			if m != nil {
				size += maxHeader + len(m.record())
			}
		}
	}
	b := field(make([]byte, 0, size), snapshotBed, bed)
	for _, m := range s.frames {
		b = field(b, snapshotFrames, m.record())
	}
	for _, m := range s.annotations {
		b = field(b, snapshotAnnotations, m.record())
	}
	if s.second != nil {
		b = field(b, snapshotSecond, s.second.record())
	}
	if s.limits != nil {
		b = field(b, snapshotLimits, s.limits)
	}
	for _, m := range s.alarms {
		b = field(b, snapshotAlarms, m.record())
	}
	if s.silence != nil {
		b = field(b, snapshotSilence, s.silence.record())
	}
	return b
}

// window remembers records in the order of the log.
type window struct {
	items    []kept
	bytes    int
	maxBytes int // 0: no bound
	maxItems int // 0: no bound
}

type kept struct {
	origin topics.Origin
	end    int64 // sample time of its end; UTC µs
	m      *message
}

// has looks for a repeat, from the newest back.
func (w *window) has(o topics.Origin) bool {
	for i := len(w.items) - 1; i >= 0; i-- {
		if k := &w.items[i].origin; k.Offset == o.Offset && *k == o {
			return true
		}
	}
	return false
}

func (w *window) add(k kept) {
	w.items = append(w.items, k)
	if k.m != nil {
		w.bytes += len(k.m.wire)
	}
}

// trim forgets from the front what ended before oldest, and what is too much.
func (w *window) trim(oldest int64) {
	n := 0
	for n < len(w.items) && (w.items[n].end < oldest ||
		w.maxBytes > 0 && w.bytes > w.maxBytes ||
		w.maxItems > 0 && len(w.items)-n > w.maxItems) {
		if m := w.items[n].m; m != nil {
			w.bytes -= len(m.wire)
		}
		n++
	}
	clear(w.items[:n])
	w.items = w.items[n:]
}

func (w *window) clear() { w.items, w.bytes = nil, 0 }

// since are the messages that end at oldest or after; late ones may lie
// between newer ones and are left out once they are too old.
func (w *window) since(oldest int64) []*message {
	out := make([]*message, 0, len(w.items))
	for i := range w.items {
		if w.items[i].end >= oldest {
			out = append(out, w.items[i].m)
		}
	}
	return out
}
