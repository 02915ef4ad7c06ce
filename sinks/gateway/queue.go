package gateway

import "heartwire/topics"

// queue is what waits for one client. Essential messages go first and are
// never given up; of the rest, what is worth least and is oldest goes when
// the queue is full. It is not safe for concurrent use.
//
// Alarms overtake waveforms: behind a slow line megabytes of waveform may
// wait, and an alarm must not wait with them. Within each of the two parts
// the order is that of the log.
type queue struct {
	maxMessages, maxBytes int

	urgent []*message
	bulk   []*message // bulk[head:] waits; nil has been dropped
	head   int
	scan   [essential]int // before it bulk holds nothing of that worth
	live   int            // messages that wait, of both parts
	bytes  int            // and their size
	high   int            // the most that waited since it was last asked

	lost    map[topics.Key]*Dropped // what was dropped and not yet said
	dropped [essential]int          // since it was last asked, by worth
}

// push appends a message. false says that the queue is full of what may not
// be dropped: the client is to be closed.
func (q *queue) push(m *message) bool {
	q.live++
	if m.kind != kindSnapshot { // there is one at a time; its size is not known yet
		q.bytes += len(m.wire)
	}
	if m.worth == essential {
		q.urgent = append(q.urgent, m)
	} else {
		q.bulk = append(q.bulk, m)
	}
	for q.live > q.maxMessages || q.bytes > q.maxBytes {
		if !q.drop() {
			return false
		}
	}
	q.high = max(q.high, q.live)
	if waste := len(q.bulk) - q.waiting(); waste > 1024 && waste > len(q.bulk)/2 {
		q.compact()
	}
	return true
}

// waiting counts the messages of bulk.
func (q *queue) waiting() int { return q.live - len(q.urgent) }

// drop gives up one message, the oldest of those worth least.
func (q *queue) drop() bool {
	for w := range q.scan {
		i := max(q.scan[w], q.head)
		for i < len(q.bulk) && (q.bulk[i] == nil || q.bulk[i].worth != worth(w)) {
			i++
		}
		q.scan[w] = i
		if i < len(q.bulk) {
			q.account(q.bulk[i])
			q.remove(i)
			return true
		}
	}
	return false
}

func (q *queue) remove(i int) {
	q.live--
	q.bytes -= len(q.bulk[i].wire)
	q.bulk[i] = nil
}

// account notes what the client is to be told.
func (q *queue) account(m *message) {
	if q.lost == nil {
		q.lost = make(map[topics.Key]*Dropped)
	}
	d := q.lost[m.patient]
	if d == nil {
		d = &Dropped{Patient: string(m.patient)}
		q.lost[m.patient] = d
	}
	switch m.worth {
	case waveform:
		d.Frames++
	case event:
		d.Annotations++
	case number:
		d.Charts++
	}
	q.dropped[m.worth]++
}

// take appends to dst all that is urgent, then of the rest until there are
// about limit bytes.
func (q *queue) take(dst []*message, limit int) []*message {
	size := 0
	for _, m := range q.urgent {
		if m.kind != kindSnapshot {
			q.bytes -= len(m.wire)
		}
		size += len(m.wire)
	}
	dst = append(dst, q.urgent...)
	q.live -= len(q.urgent)
	clear(q.urgent)
	q.urgent = q.urgent[:0]

	for ; q.head < len(q.bulk) && size < limit; q.head++ {
		if m := q.bulk[q.head]; m != nil {
			dst = append(dst, m)
			size += len(m.wire)
			q.remove(q.head)
		}
	}
	if q.head == len(q.bulk) {
		q.compact()
	}
	return dst
}

// forget removes what waits of a patient without a word: a snapshot that
// contains it follows.
func (q *queue) forget(patient topics.Key) {
	for i := q.head; i < len(q.bulk); i++ {
		if m := q.bulk[i]; m != nil && m.patient == patient {
			q.remove(i)
		}
	}
	delete(q.lost, patient)
}

// shed removes all that may be dropped: the client is about to be closed.
func (q *queue) shed() {
	for i := q.head; i < len(q.bulk); i++ {
		if q.bulk[i] != nil {
			q.remove(i)
		}
	}
	q.compact()
	q.lost = nil
}

// compact closes the holes.
func (q *queue) compact() {
	n := 0
	for _, m := range q.bulk[q.head:] {
		if m != nil {
			q.bulk[n] = m
			n++
		}
	}
	clear(q.bulk[n:])
	q.bulk, q.head, q.scan = q.bulk[:n], 0, [essential]int{}
}
