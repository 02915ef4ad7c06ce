package driver_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"heartwire/pipeline/driver"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

func frames(n int, device string) iter.Seq2[*topics.Frame, error] {
	return func(yield func(*topics.Frame, error) bool) {
		for i := range n {
			f := &topics.Frame{Patient: "p", Kind: &topics.Frame_Samples{Samples: &topics.Samples{
				Device: device, First: uint64(i), ArrivalUs: int64(i+1) * 250_000,
			}}}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func TestFoldPassesTicksOnInOrder(t *testing.T) {
	var said, ticks, beforeFirstTick int
	last := uint64(0)
	for r, err := range driver.Fold(pipelinetest.Count("count"), topics.Frames, topics.Annotations, driver.Ticks(frames(41, "d"), 3*time.Second)) {
		if err != nil {
			t.Fatal(err)
		}
		if tick := r.Value.GetTick(); tick != nil {
			if ticks++; tick.N != last+1 {
				t.Fatalf("tick %d after %d", tick.N, last)
			}
			last = tick.N
			continue
		}
		if said++; ticks == 0 {
			beforeFirstTick++
		}
	}
	// 41 frames over 10 s from the first arrival, a tick each second and 3 s more.
	if ticks != 13 || beforeFirstTick != 4 || said != 41+1 {
		t.Fatalf("%d ticks, %d said before the first, %d in all; want 13, 4 and 42", ticks, beforeFirstTick, said)
	}
}

func TestFoldGivesWhatIsCondemnedAsAnError(t *testing.T) {
	bad := 0
	for _, err := range driver.Fold(pipelinetest.Count("count"), topics.Frames, topics.Annotations, driver.Ticks(frames(3, pipelinetest.PanicPoison), 0)) {
		if err != nil {
			bad++
		}
	}
	if bad != 3 {
		t.Fatalf("%d errors, want 3", bad)
	}
}

// Any topic can be ticked, and each record seen on its way.
func TestTicksAtAndTap(t *testing.T) {
	values := func(yield func(*topics.Annotation, error) bool) {
		for i := range 5 {
			if !yield(&topics.Annotation{Patient: "p", Sample: uint64(i)}, nil) {
				return
			}
		}
	}
	arrived := func(a *topics.Annotation) int64 { return (1 + int64(a.GetSample())) * 1e6 }
	var seen []string
	log := driver.Tap(driver.TicksAt(topics.Annotations, arrived, values, 2*time.Second), func(a *topics.Annotation) {
		if tick := a.GetTick(); tick != nil {
			seen = append(seen, fmt.Sprintf("t%d@%d", tick.GetN(), tick.GetWallUs()/1e6))
		} else {
			seen = append(seen, fmt.Sprint(a.GetSample()))
		}
	})
	offset := int64(0)
	for r, err := range log {
		if err != nil || r.Offset != offset {
			t.Fatalf("offset %d, %v; want %d", r.Offset, err, offset)
		}
		offset++
	}
	if got, want := strings.Join(seen, " "), "0 t1@2 1 t2@3 2 t3@4 3 t4@5 4 t5@6 t6@7"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
