package bridge

import (
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

func TestSampleFollowsAShareOfTheFrames(t *testing.T) {
	tracer := sdk.NewTracerProvider().Tracer("")
	count := func(ratio float64, kind Kind) (n int) {
		for range 10_000 {
			if (sample{tracer, ratio}).begin(Message{Kind: kind}) != nil {
				n++
			}
		}
		return n
	}
	if n := count(1, Frames); n != 10_000 {
		t.Errorf("with ratio 1 %d of 10,000 are followed", n)
	}
	if n := count(0.1, Frames); n < 700 || n > 1300 { // ten standard deviations
		t.Errorf("with ratio 0.1 %d of 10,000 are followed", n)
	}
	if n := count(0, Frames) + count(1, Vitals) + count(1, Status); n != 0 {
		t.Errorf("%d are followed that nobody asked for", n)
	}
	off := sample{}
	if n := testing.AllocsPerRun(1000, func() { off.begin(Message{Kind: Frames}) }); n != 0 {
		t.Errorf("%g allocations a message when it is off", n)
	}
}
