package bridge

import (
	"math"
	"testing"

	"heartwire/topics"
)

const start = int64(1_700_000_000_000_000) // µs

// line sends frames of 250 ms and returns the last one's times.
type line struct {
	d     *device
	rate  float64
	count uint32
	next  uint64
	boot  uint64
}

func (l *line) send(arrival int64) *topics.Samples {
	s := &topics.Samples{Device: "d", Boot: l.boot, First: l.next, Rate: l.rate, Count: l.count}
	l.next += uint64(l.count)
	l.d.place(s, arrival)
	return s
}

func lastSample(s *topics.Samples) int64 {
	return s.TimeUs + int64(seconds(uint64(s.Count-1), s.Rate))
}

// A patch whose frames are delayed by 5 to 50 ms and whose crystal is 100 ppm
// slow: sample time stays within the least delay of the truth, and never runs
// ahead of arrival.
func TestSampleTimeFollowsTheLeastDelay(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 50}
	const period = 200_000 * 1.0001 // µs a frame truly takes
	for i := range 50_000 {         // 2.8 h
		truth := float64(start) + float64(i+1)*period // when the last sample was taken, nearly
		delay := int64(5_000 + (i*7919)%45_000)
		s := l.send(int64(truth) + delay)
		if late := lastSample(s) - int64(truth); i > 100 && (late < -5_000 || late > 12_000) {
			t.Fatalf("frame %d: sample time is off by %d µs", i, late)
		}
		if lastSample(s) > s.ArrivalUs+1 {
			t.Fatalf("frame %d: its last sample is %d µs after its arrival", i, lastSample(s)-s.ArrivalUs)
		}
	}
}

func TestBacklogKeepsItsPlace(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 50}
	for i := range 50 {
		l.send(start + int64(i)*200_000)
	}
	// Ten minutes without a connection, then all of it at 50 times the speed.
	at := start + 49*200_000 + 600_000_000
	for i := range 3000 {
		s := l.send(at)
		if want := start + int64(50+i)*200_000; lastSample(s)-want > 200_000 {
			t.Fatalf("frame %d of the backlog is %d µs from its place", i, lastSample(s)-want)
		}
		at += 4_000
	}
}

// A counter that paused for a minute would be late for ever; after a minute it
// is taken for live.
func TestSamplesThatStayBehindAreTakenForLive(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 250}
	for i := range 10 {
		l.send(start + int64(i)*1e6)
	}
	at := start + 9e6 + 60e6
	for i := range 70 {
		at += 1e6
		behind := at - lastSample(l.send(at))
		if i < 59 && behind < 59e6 {
			t.Fatalf("after %d s the samples are %d µs behind: a backlog could be so", i, behind)
		}
		if i > 62 && behind > 100 {
			t.Fatalf("after %d s the samples are still %d µs behind", i, behind)
		}
	}
}

// A slow way back to the present is no pause.
func TestSlowBacklogIsNotTakenForLive(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 250}
	l.send(start)
	at := start + 600e6
	for i := range 400 {
		at += 0.95e6 // 5 % faster than live
		s := l.send(at)
		if want := start + int64(i+1)*1e6; lastSample(s)-want > 300_000 {
			t.Fatalf("after %d s a sample is %d µs from its place", i, lastSample(s)-want)
		}
	}
}

func TestChangeOfRateGoesOnInTime(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 50}
	var last *topics.Samples
	for i := range 100 {
		last = l.send(start + int64(i)*200_000)
	}
	l.rate, l.count = 500, 100
	s := l.send(start + 100*200_000)
	if d := s.TimeUs - last.TimeUs; d < 198_000 || d > 202_000 {
		t.Fatalf("the first frame at the new rate is %d µs after the last at the old one", d)
	}
	old := &topics.Samples{Boot: 0, First: 40 * 50, Rate: 250, Count: 50}
	l.d.place(old, start+100*200_000)
	if d := last.TimeUs - old.TimeUs - 59*200_000; d < -5_000 || d > 5_000 {
		t.Fatalf("a frame from before the change is %d µs from its place", d)
	}
}

func TestOlderBootEndsBeforeTheNewest(t *testing.T) {
	d := &device{}
	now := &line{d: d, rate: 250, count: 50, boot: 7}
	for i := range 10 {
		now.send(start + int64(i)*200_000)
	}
	// Known to an earlier process, not to this one.
	s := &topics.Samples{Boot: 5, First: 10_000, Rate: 250, Count: 50}
	d.place(s, start+2_200_000)
	if lastSample(s) > int64(d.now.at) {
		t.Fatalf("a sample of an older boot is %d µs after the newest began", lastSample(s)-int64(d.now.at))
	}
	if d.now.boot != 7 {
		t.Fatalf("boot %d took the newest one's place", d.now.boot)
	}
	if again := now.send(start + 2_400_000); math.Abs(float64(again.TimeUs-(start+2_400_000-600_000))) > 1e6 {
		t.Fatalf("the newest boot's time jumped: %d", again.TimeUs-start)
	}
}

func TestAnchorIsToldWhenItMattersAndRestored(t *testing.T) {
	l := &line{d: &device{}, rate: 250, count: 50}
	told := 0
	for i := range 1000 { // 200 s
		l.send(start + int64(i)*200_000)
		if a := l.d.unsaved("d"); a != nil {
			told++
			if d := restored(a); d == nil || d.now.at != l.d.now.at || d.now.next != l.next {
				t.Fatalf("%v is not what was remembered", a)
			}
		}
	}
	if told < 6 || told > 8 {
		t.Errorf("told %d times in 200 s, want about one in 30 s", told)
	}
	for _, bad := range []*topics.Anchor{{}, {Rate: math.NaN()}, {Rate: 250, AnchorUs: math.Inf(1)}, {Rate: 1e9}} {
		if restored(bad) != nil {
			t.Errorf("%v was restored", bad)
		}
	}
}

func TestConflictIsSeenAndARepeatIsNot(t *testing.T) {
	d := &device{}
	frame := func(first uint64, v int32) run {
		s := &topics.Samples{Boot: 1, First: first, Rate: 250, Count: 1, Leads: []*topics.Lead{{Name: "I", Deltas: []int32{v}}}}
		return run{s.Boot, s.First, s.Count, fingerprint(s)}
	}
	for i := range uint64(200) {
		if d.contradicts(frame(i, 1)) {
			t.Fatal("a new run is a contradiction")
		}
	}
	if d.contradicts(frame(150, 1)) {
		t.Error("a repeat is a contradiction")
	}
	if !d.contradicts(frame(150, 2)) {
		t.Error("other content of the same samples was taken")
	}
	if len(d.recent) != recentRuns {
		t.Errorf("%d runs are remembered, want %d", len(d.recent), recentRuns)
	}
}

func TestVitalTime(t *testing.T) {
	d := &device{}
	skew := int64(-3_600_000_000)
	s := &topics.Samples{Boot: 2, First: 0, Rate: 250, Count: 250, DeviceTimeUs: start + skew}
	d.place(s, start+996_000)
	for name, c := range map[string]struct {
		d    *device
		v    *topics.PatchVitals
		want int64
	}{
		"by the device's clock": {d, &topics.PatchVitals{Boot: 2, DeviceTimeUs: start + skew + 500_000}, start + 500_000},
		"never after arrival":   {d, &topics.PatchVitals{Boot: 2, DeviceTimeUs: start + skew + 1e9}, start + 60e6},
		"of another boot":       {d, &topics.PatchVitals{Boot: 3, DeviceTimeUs: start + skew}, start + 60e6},
		"without a clock":       {d, &topics.PatchVitals{Boot: 2}, start + 60e6},
		"device unknown":        {nil, &topics.PatchVitals{Boot: 2, DeviceTimeUs: start}, start + 60e6},
	} {
		if got := c.d.vitalTime(c.v, start+60e6); got != c.want {
			t.Errorf("%s: %d µs from what it should be", name, got-c.want)
		}
	}
}
