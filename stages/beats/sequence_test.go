package beats_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

func same(t *testing.T, got, want []*topics.Annotation) {
	t.Helper()
	if equal(got, want) {
		return
	}
	g, w := describe(got), describe(want)
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || !proto.Equal(got[i], want[i]) {
			t.Fatalf("%d annotations, want %d; number %d:\n%s\nwant\n%s", len(g), len(w), i, at(g, i), at(w, i))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}

func TestDuplicatesChangeNothing(t *testing.T) {
	clean := regular(250, 20, 70).frames()
	var twice []*topics.Frame
	for i, f := range clean {
		twice = append(twice, f)
		if i%3 == 0 {
			twice = append(twice, f)
		}
		if i > 5 {
			other := proto.Clone(clean[i-5]).(*topics.Frame)
			other.GetSamples().GetLeads()[0].Deltas[3] += 500 // other content for samples that were accepted
			twice = append(twice, other)
		}
	}
	same(t, fold(t, twice), fold(t, clean))
}

func TestOverlapsAreJoined(t *testing.T) {
	h := regular(250, 20, 70)
	var overlapping []*topics.Frame
	for first := 0; first < 5000; first += 50 {
		overlapping = append(overlapping, h.run(max(first-20, 0), min(5000, first+50)-max(first-20, 0)))
	}
	said := fold(t, overlapping)
	wantBeats(t, said, h, 2, 0.015)
	if n := len(gapsOf(said)); n > 0 {
		t.Errorf("%d gaps", n)
	}
}

func TestReorderingWithinTheBoundChangesNothing(t *testing.T) {
	h := regular(250, 30, 70)
	clean := h.frames()
	want := fold(t, ticked(clean))
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 1))
		mixed := slices.Clone(clean)
		for i := 1; i < len(mixed); i += 5 {
			end := min(i+5, len(mixed))
			random.Shuffle(end-i, func(a, b int) { mixed[i+a], mixed[i+b] = mixed[i+b], mixed[i+a] })
		}
		same(t, fold(t, ticked(mixed)), want)
	}
}

func TestAMissingRunIsAGapAfterTheBound(t *testing.T) {
	h := regular(250, 30, 70)
	frames := h.frames()
	lost := frames[40:52] // from 10 s on
	said := fold(t, ticked(slices.Concat(frames[:40], frames[52:])))
	gaps := gapsOf(said)
	if len(gaps) != 1 {
		t.Fatalf("%d gaps, want 1", len(gaps))
	}
	g := gaps[0]
	if g.GetSample() != lost[0].GetSamples().GetFirst() || g.GetGap().GetCount() != uint64(12*h.size()) ||
		g.GetTimeUs() != lost[0].GetSamples().GetTimeUs() || g.GetGap().GetDurationUs() < 2_900_000 {
		t.Errorf("the gap is %v", g)
	}
	noneJoined(t, said)
}

func (h heart) size() int { return int(h.frame*h.rate + 0.5) }

// noneJoined checks that no RR goes over a gap, and no beat lies in one.
func noneJoined(t *testing.T, said []*topics.Annotation) {
	t.Helper()
	var broken bool
	for _, a := range said {
		if a.GetLate() {
			continue
		}
		if a.GetGap() != nil {
			broken = true
		}
		if b := a.GetBeat(); b != nil {
			if broken && b.GetRrMs() != 0 {
				t.Errorf("an RR of %v ms at %d goes over a gap", b.GetRrMs(), a.GetSample())
			}
			broken = false
		}
		for _, g := range said {
			if n := a.GetSample(); g.GetGap() != nil && !g.GetLate() && a.GetBeat() != nil && n >= g.GetSample() && n < g.GetSample()+g.GetGap().GetCount() {
				t.Errorf("a beat at %d, where there are no samples", n)
			}
		}
	}
}

func TestMissingSamplesAreAGap(t *testing.T) {
	h := regular(250, 20, 70)
	frames := h.frames()
	frames[40].GetSamples().Missing = make([]byte, 8)
	for i := 20; i < 40; i++ {
		frames[40].GetSamples().Missing[i/8] |= 1 << (i % 8)
	}
	said := fold(t, ticked(frames))
	gaps := gapsOf(said)
	first := frames[40].GetSamples().GetFirst()
	if len(gaps) != 1 || gaps[0].GetSample() != first+20 || gaps[0].GetGap().GetCount() != 20 {
		t.Fatalf("gaps: %v", gaps)
	}
	noneJoined(t, said)
	for _, p := range only(said, (*topics.Annotation).GetProgress) {
		if p.GetSample() == first+uint64(frames[40].GetSamples().GetCount())-1 && p.GetProgress().GetValid() != frames[40].GetSamples().GetCount()-20 {
			t.Errorf("%d valid samples", p.GetProgress().GetValid())
		}
	}
}

func TestLateDataIsFoldedApart(t *testing.T) {
	h := regular(250, 60, 70)
	frames := h.frames()
	late := frames[80:120] // 20 s to 30 s
	rest := slices.Concat(frames[:80], frames[120:])
	without := fold(t, ticked(rest))
	// It comes while the rest goes on, each run twice.
	var mixed []*topics.Frame
	for i, f := range rest {
		mixed = append(mixed, f)
		if i >= 150 && i-150 < len(late) {
			old := proto.Clone(late[i-150]).(*topics.Frame)
			old.GetSamples().ArrivalUs = f.GetSamples().GetArrivalUs()
			mixed = append(mixed, old, old)
		}
	}
	with := fold(t, ticked(mixed))
	var live, apart []*topics.Annotation
	for _, a := range with {
		if a.GetLate() {
			apart = append(apart, a)
		} else {
			live = append(live, a)
		}
	}
	// More frames between two ticks move nothing but the ticks.
	same(t, stripProgress(live), stripProgress(without))
	var said []*topics.Annotation
	for _, a := range apart {
		if a.GetBeat() != nil {
			said = append(said, a)
		}
	}
	var r []float64
	for _, at := range h.r {
		if at > 23 && at < 28.5 {
			r = append(r, at)
		}
	}
	missed, _ := match(said, h.rate, r, 0, 0.015)
	_, invented := match(said, h.rate, h.r, 0, 0.015)
	if len(missed)+len(invented) > 0 {
		t.Errorf("late: missed %.3v, invented %.3v", missed, invented)
	}
	for i := 1; i < len(said); i++ {
		if said[i].GetSample() <= said[i-1].GetSample() {
			t.Errorf("late beats at %d and then %d", said[i-1].GetSample(), said[i].GetSample())
		}
	}
}

func stripProgress(said []*topics.Annotation) []*topics.Annotation {
	return slices.DeleteFunc(slices.Clone(said), func(a *topics.Annotation) bool { return a.GetProgress() != nil })
}

func TestABacklogDoesNotTouchLiveData(t *testing.T) {
	h := regular(240, 100, 70)
	frames := h.frames()
	var list []*topics.Frame
	list = append(list, frames[:100]...) // 25 s
	for i := range 200 {                 // 50 s of backlog, and 12 s of live data beside it
		old := proto.Clone(frames[100+i]).(*topics.Frame)
		old.GetSamples().ArrivalUs += 50_000_000
		list = append(list, old)
		if i%4 == 0 {
			list = append(list, frames[300+i/4])
		}
	}
	list = append(list, frames[350:]...)
	said := fold(t, ticked(list))
	gaps := gapsOf(said)
	if len(gaps) != 1 || gaps[0].GetSample() != 25*240 || gaps[0].GetGap().GetCount() != 50*240 {
		t.Fatalf("gaps: %v", gaps)
	}
	noneJoined(t, said)
	var late []*topics.Annotation
	for _, a := range said {
		if a.GetLate() && a.GetBeat() != nil {
			late = append(late, a)
		}
	}
	var r []float64
	for _, at := range h.r {
		if at > 29 && at < 74 {
			r = append(r, at)
		}
	}
	if missed, _ := match(late, h.rate, r, 0, 0.015); len(missed) > 0 {
		t.Errorf("of the backlog missed: %.3v", missed)
	}
	for _, b := range beatsOf(said) {
		if n := float64(b.GetSample()) / h.rate; n > 25 && n < 75 {
			t.Errorf("a live beat at %v s, where the backlog was", n)
		}
	}
}

func TestReboot(t *testing.T) {
	a, b := regular(250, 20, 70), regular(250, 20, 70)
	b.boot, b.startUs = 2, a.startUs+25_000_000
	frames := slices.Concat(a.frames(), b.frames()[:40], a.frames()[70:], b.frames()[40:])
	said := fold(t, ticked(frames))
	gaps := gapsOf(said)
	if len(gaps) != 1 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_REBOOT || gaps[0].GetGap().GetDurationUs() != 5_000_000 {
		t.Fatalf("gaps: %v", gaps)
	}
	rebooted := 0
	for _, d := range only(said, (*topics.Annotation).GetDeviceState) {
		if d.GetDeviceState().GetRebooted() {
			rebooted++
		}
	}
	if rebooted != 1 {
		t.Errorf("said %d times that the device rebooted", rebooted)
	}
	noneJoined(t, said)
	for _, x := range beatsOf(said) {
		if x.GetBoot() == 1 && x.GetTimeUs() > b.startUs {
			t.Errorf("the old boot speaks after the new one: %v", x)
		}
	}
}

func TestRateChange(t *testing.T) {
	a, b := regular(250, 20, 70), regular(500, 40, 70)
	b.startUs = a.startUs + 20_000_000 - 10_000_000 // sample 5000 is at 20 s in both
	said := fold(t, ticked(slices.Concat(a.frames(), b.frames()[40:])))
	gaps := gapsOf(said)
	if len(gaps) != 1 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_RATE || gaps[0].GetSample() != 5000 {
		t.Fatalf("gaps: %v", gaps)
	}
	noneJoined(t, said)
	progress := only(said, (*topics.Annotation).GetProgress)
	if r := progress[len(progress)-1].GetProgress().GetRate(); r != 500 {
		t.Errorf("a rate of %v Hz", r)
	}
}

func TestTwoDevicesAreNeverMixed(t *testing.T) {
	a, b := regular(250, 30, 60), regular(250, 30, 90)
	b.device = "patch-2"
	var list []*topics.Frame
	list = append(list, binding("patch-1", true, false))
	fa, fb := a.frames(), b.frames()
	for i := range fa {
		if i == 60 {
			second := binding("patch-2", true, false)
			second.GetBinding().AtUs = 2
			list = append(list, second)
		}
		list = append(list, fa[i], fb[i])
	}
	said := fold(t, ticked(list))
	device, changes := "patch-1", 0
	for _, x := range beatsOf(said) {
		if x.GetDevice() != device {
			device = x.GetDevice()
			changes++
		}
	}
	if device != "patch-2" || changes != 1 {
		t.Errorf("live beats end with %s after %d changes", device, changes)
	}
	gaps := gapsOf(said)
	if len(gaps) != 1 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_DEVICE {
		t.Errorf("gaps: %v", gaps)
	}
}

func TestUnbindingSaysAllAndEnds(t *testing.T) {
	h := regular(250, 10, 70)
	frames := h.frames()
	left := binding("patch-1", false, false)
	said := fold(t, slices.Concat([]*topics.Frame{binding("patch-1", true, false)}, frames[:30], frames[32:], []*topics.Frame{left}))
	if len(gapsOf(said)) != 1 {
		t.Errorf("the gap before what was held has not been said")
	}
	last := said[len(said)-1]
	if b := last.GetBinding(); b == nil || b.GetBound() {
		t.Errorf("the last word is %v", last)
	}
}

func TestDeviceState(t *testing.T) {
	h := regular(240, 20, 70)
	frames := h.frames()
	for i, f := range frames {
		s := f.GetSamples()
		battery := uint32(80 - i/40)
		s.BatteryPercent = &battery
		s.DeviceTimeUs = s.GetTimeUs() + 300_000
		if i >= 60 {
			s.DeviceTimeUs += 5_000_000
		}
	}
	frames = append(frames, &topics.Frame{Patient: "p", Kind: &topics.Frame_Presence{Presence: &topics.Presence{Device: "patch-1", Boot: 1, ArrivalUs: 5}}})
	var got [][3]int64
	for _, a := range only(fold(t, frames), (*topics.Annotation).GetDeviceState) {
		d := a.GetDeviceState()
		online := int64(-1)
		if d.Online != nil {
			online = 0
		}
		got = append(got, [3]int64{int64(d.GetBatteryPercent()), d.GetClockOffsetUs(), online})
	}
	want := [][3]int64{{80, 0, -1}, {79, 0, -1}, {79, 5_300_000, -1}, {79, 5_300_000, 0}}
	if !slices.Equal(got, want) {
		t.Errorf("said %v, want %v", got, want)
	}
}

func TestAnotherLeadTakesOver(t *testing.T) {
	h := regular(240, 40, 70)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 0.7}
	frames := h.frames()
	for _, f := range frames[80:120] { // from 20 s to 30 s
		f.GetSamples().GetLeads()[0].Off = true
	}
	for _, f := range frames[140:] { // from 35 s on none is on
		f.GetSamples().GetLeads()[0].Off = true
		f.GetSamples().GetLeads()[1].Off = true
	}
	said := fold(t, ticked(frames))
	for i, r := range h.r {
		if r > 34.9 { // one at 34.98 is cut in half
			h.r = h.r[:i]
			break
		}
	}
	wantBeats(t, said, h, 2, 0.015)
	if rr := beatsOf(said); rr[len(rr)/2].GetBeat().GetRrMs() == 0 {
		t.Errorf("the RR was lost")
	}
	var all bool
	for _, l := range only(said, (*topics.Annotation).GetLead) {
		all = l.GetLead().GetAll()
	}
	progress := only(said, (*topics.Annotation).GetProgress)
	last := progress[len(progress)-1].GetProgress()
	if !all || !last.GetSuspended() || last.GetValid() != 0 || last.Candidate != nil {
		t.Errorf("all off: %v, progress %v", all, last)
	}
}

func TestALeadTooSmallIsLeft(t *testing.T) {
	h := regular(250, 40, 70)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{0.1, 0.7}
	progress, last := uint64(0), uint64(0)
	for _, a := range fold(t, ticked(h.frames())) {
		switch {
		case a.GetBeat() != nil:
			last = a.GetSample()
		case a.GetProgress() != nil:
			progress = a.GetProgress().GetComplete()
		}
		allowed := 4.0
		if last == 0 {
			allowed = 5.5 // the first 3 s are for learning
		}
		if silence := float64(progress-min(last, progress)) / h.rate; silence > allowed {
			t.Fatalf("%.1f s without a beat, though V5 shows them", silence)
		}
	}
	if last == 0 {
		t.Fatal("no beats")
	}
}

func TestALooseElectrodeIsNoAsystole(t *testing.T) {
	h := regular(240, 40, 70)
	h.leads, h.shrink = []string{"II", "V5"}, []float64{1, 0.7}
	frames := h.frames()
	for _, f := range frames[80:] { // II shows nothing from 20 s on, and does not say that it is off
		l := f.GetSamples().GetLeads()[0]
		clear(l.Deltas)
	}
	said := beatsOf(fold(t, ticked(frames)))
	missed, invented := match(said, h.rate, h.r, 2, 0.015)
	for _, at := range append(missed, invented...) {
		if at < 19.5 || at > 23 {
			t.Errorf("missed %.3v, invented %.3v", missed, invented)
		}
	}
}
