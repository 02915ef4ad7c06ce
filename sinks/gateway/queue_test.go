package gateway

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"heartwire/topics"
)

func waiting(w worth, patient topics.Key, size int) *message {
	return &message{worth: w, patient: patient, wire: make([]byte, size)}
}

func TestQueueGivesUpWhatIsWorthLeast(t *testing.T) {
	q := queue{maxMessages: 5, maxBytes: 1 << 20}
	alarm := waiting(essential, "p", 1)
	beat, minute := waiting(event, "p", 2), waiting(number, "p", 3)
	old, young := waiting(waveform, "p", 4), waiting(waveform, "p", 5)
	for _, m := range []*message{minute, old, beat, young, alarm} {
		q.push(m)
	}
	for step, want := range []string{"[1 3 2 5]", "[1 3 2]", "[1 3]", "[1]"} {
		q.push(waiting(essential, "p", 1)) // one too many
		q.urgent = q.urgent[:1]
		q.live--
		q.bytes--
		sizes := []int{1}
		for _, m := range q.bulk {
			if m != nil {
				sizes = append(sizes, len(m.wire))
			}
		}
		if got := fmt.Sprint(sizes); got != want {
			t.Errorf("step %d: %s are left, want %s", step, got, want)
		}
		q.maxMessages--
	}
	if d := q.lost["p"]; d.GetFrames() != 2 || d.GetAnnotations() != 1 || d.GetCharts() != 1 {
		t.Errorf("said to be lost: %v", d)
	}
	q.maxMessages = 1
	if q.push(waiting(essential, "p", 1)) {
		t.Error("an alarm too many went unnoticed")
	}
}

// Whatever comes and goes, nothing vanishes unsaid, the order of each part
// holds, the bounds hold, and the counts are what they count.
func TestQueueAccountsForEachMessage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		q := queue{maxMessages: 1 + rnd.IntN(50), maxBytes: 1000 + rnd.IntN(5000)}
		pushed, taken := 0, 0
		number := make(map[*message]int)
		last := [2]int{-1, -1} // of bulk and of what is urgent
		lost := 0
		collect := func(out []*message) {
			for _, m := range out {
				part := 0
				if m.worth == essential {
					part = 1
				}
				if number[m] <= last[part] {
					t.Fatalf("round %d: message %d after %d", round, number[m], last[part])
				}
				last[part] = number[m]
				taken++
			}
			for _, d := range q.lost {
				lost += int(d.Frames + d.Annotations + d.Charts)
			}
			clear(q.lost)
		}
		for range 2000 {
			if rnd.IntN(20) == 0 {
				collect(q.take(nil, rnd.IntN(2000)))
				continue
			}
			m := waiting(worth(rnd.IntN(3)), topics.Key(fmt.Sprint(rnd.IntN(3))), 10+rnd.IntN(200))
			if rnd.IntN(50) == 0 {
				m.worth = essential
			}
			number[m] = pushed
			pushed++
			if !q.push(m) {
				collect(q.take(nil, 1<<20))
				continue
			}
			if q.live > q.maxMessages || q.bytes > q.maxBytes {
				t.Fatalf("round %d: %d messages, %d bytes wait", round, q.live, q.bytes)
			}
			if len(q.bulk) > 4*q.maxMessages+4096 {
				t.Fatalf("round %d: %d places for %d messages", round, len(q.bulk), q.live)
			}
		}
		collect(q.take(nil, 1<<30))
		if pushed != taken+lost || q.live != 0 || q.bytes != 0 {
			t.Fatalf("round %d: %d pushed, %d taken, %d lost, %d and %d bytes wait", round, pushed, taken, lost, q.live, q.bytes)
		}
	}
}

func TestQueueForgetsWithoutAWord(t *testing.T) {
	q := queue{maxMessages: 10, maxBytes: 1 << 20}
	for range 3 {
		q.push(waiting(waveform, "a", 10))
		q.push(waiting(waveform, "b", 10))
	}
	q.push(waiting(essential, "a", 10))
	q.forget("a")
	if out := q.take(nil, 1<<20); len(out) != 4 || q.live != 0 || q.bytes != 0 || len(q.lost) != 0 {
		t.Errorf("%d messages, %d and %d bytes wait, lost %v", len(out), q.live, q.bytes, q.lost)
	}
}
