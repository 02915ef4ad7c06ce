package beats_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"

	"heartwire/stages"
	"heartwire/stages/beats"
	"heartwire/topics"
)

// overtake tells the stage that it was overtaken.
func overtake(t *testing.T, s *beats.State) (said []*topics.Annotation) {
	t.Helper()
	stage := beats.New(beats.DefaultConfig()).Processor.(stages.Overtakable[beats.State, *topics.Annotation])
	if err := stage.Overtaken(s, 7, func(a *topics.Annotation) { said = append(said, a) }); err != nil {
		t.Fatal(err)
	}
	return said
}

// wantOvertaken checks that there is one gap, which was said when the log had
// been forgotten and begins at that sample, and that nothing is joined across it.
func wantOvertaken(t *testing.T, said []*topics.Annotation, first uint64) {
	t.Helper()
	gaps := gapsOf(said)
	if len(gaps) != 1 {
		t.Fatalf("%d gaps, want 1: %v", len(gaps), gaps)
	}
	g := gaps[0]
	if g.GetGap().GetCause() != topics.GapCause_GAP_CAUSE_OVERTAKEN || g.GetGap().GetCount() != 0 || g.GetGap().GetDurationUs() != 0 || g.GetSample() != first {
		t.Errorf("the gap is %v, want one of unknown length at %d", g, first)
	}
	noneJoined(t, said)
	saidOnce(t, said)
}

// saidOnce checks that no beat and no progress is at a place where one was.
func saidOnce(t *testing.T, said []*topics.Annotation) {
	t.Helper()
	type place struct {
		device       string
		boot, sample uint64
		kind         bool
	}
	seen := map[place]bool{}
	for _, a := range said {
		if a.GetBeat() == nil && a.GetProgress() == nil {
			continue
		}
		p := place{a.GetDevice(), a.GetBoot(), a.GetSample(), a.GetBeat() != nil}
		if seen[p] {
			t.Errorf("said twice: %v", a)
		}
		seen[p] = true
	}
}

func TestWhatWasForgottenIsOneGapSaidAtOnce(t *testing.T) {
	h := regular(250, 60, 70)
	frames := ticked(h.frames())
	var s beats.State
	said := foldInto(t, &s, frames[:100])
	first := only(said, (*topics.Annotation).GetProgress)
	next := first[len(first)-1].GetSample() + 1
	said = append(said, overtake(t, &s)...)
	if n := len(gapsOf(said)); n != 1 {
		t.Fatalf("%d gaps are said at once, want 1", n)
	}
	if again := overtake(t, &s); len(again) > 0 {
		t.Errorf("overtaken again before a sample came, it says %v", again)
	}
	i := 150
	for frames[i].GetSamples() == nil {
		i++
	}
	after := foldInto(t, &s, frames[i:i+1])
	if len(only(after, (*topics.Annotation).GetProgress)) != 1 {
		t.Errorf("the first frame after it waits for what was forgotten: %v", after)
	}
	said = append(append(said, after...), foldInto(t, &s, frames[i+1:])...)
	wantOvertaken(t, said, next)
	seconds := float64(frames[i].GetSamples().GetFirst())/250 + 3 // and 3 s to learn anew
	wantBeats(t, said, h, seconds, 0.015)
}

func TestAnotherBootOrDeviceAfterItIsNoSecondGap(t *testing.T) {
	for name, change := range map[string]func(*topics.Samples){
		"boot":   func(s *topics.Samples) { s.Boot = 2; s.First %= 250 * 1000 },
		"device": func(s *topics.Samples) { s.Device = "patch-2" },
	} {
		t.Run(name, func(t *testing.T) {
			h := regular(250, 40, 70)
			frames := h.frames()
			var s beats.State
			said := foldInto(t, &s, append([]*topics.Frame{binding("patch-1", true, false)}, ticked(frames[:60])...))
			said = append(said, overtake(t, &s)...)
			next := frames[60].GetSamples().GetFirst()
			for _, f := range frames[80:] {
				change(f.GetSamples())
			}
			said = append(said, foldInto(t, &s, ticked(frames[80:]))...)
			wantOvertaken(t, said, next)
			rest := only(said, (*topics.Annotation).GetProgress)
			if n := len(rest); n != len(frames)-20 {
				t.Errorf("%d frames were folded live, want %d", n, len(frames)-20)
			}
			rebooted := slices.ContainsFunc(said, func(a *topics.Annotation) bool { return a.GetDeviceState().GetRebooted() })
			if rebooted != (name == "boot") {
				t.Errorf("a reboot is said: %v", rebooted)
			}
		})
	}
}

func TestRepeatsAfterItAreNotSaidAgain(t *testing.T) {
	h := regular(250, 40, 70)
	frames := h.frames()
	next := frames[60].GetSamples().GetFirst()
	whole, joint := frames[59], h.run(int(next)-30, 30+h.size())
	for name, after := range map[string][]*topics.Frame{
		"and the log goes on without a hole": append([]*topics.Frame{whole, joint}, frames[61:]...),
		"and then there is a hole":           append([]*topics.Frame{whole}, frames[80:]...),
	} {
		t.Run(name, func(t *testing.T) {
			var s beats.State
			said := foldInto(t, &s, ticked(frames[:60]))
			said = append(said, overtake(t, &s)...)
			said = append(said, foldInto(t, &s, ticked(after))...)
			wantOvertaken(t, said, next)
			var valid uint32
			for _, p := range only(said, (*topics.Annotation).GetProgress) {
				valid += p.GetProgress().GetValid()
			}
			if most := uint32(len(frames)) * uint32(h.size()); valid > most {
				t.Errorf("%d samples were analysed of %d", valid, most)
			}
		})
	}
}

// Wherever in a beat the log was cut off, it is said at most once.
func TestNoBeatIsSaidOnBothSidesOfIt(t *testing.T) {
	h := regular(250, 40, 70)
	r := int(h.r[12] * 250)
	for cut := r - 25; cut < r+25; cut++ {
		var s beats.State
		runs := func(from, to int) (list []*topics.Frame) {
			for ; from < to; from += h.size() {
				list = append(list, h.run(from, min(h.size(), to-from)))
			}
			return list
		}
		said := foldInto(t, &s, ticked(runs(0, cut)))
		said = append(said, overtake(t, &s)...)
		said = append(said, foldInto(t, &s, ticked(runs(cut, 8000)))...)
		wantOvertaken(t, said, uint64(cut))
		found := beatsOf(said)
		for i, b := range found[1:] {
			if b.GetSample() < found[i].GetSample()+50 {
				t.Fatalf("cut at %d: beats at %d and %d", cut, found[i].GetSample(), b.GetSample())
			}
		}
	}
}

func TestWhatIsLateWhenItIsOvertakenIsSaid(t *testing.T) {
	h := regular(250, 40, 70)
	frames := h.frames()
	late := func(then func(*testing.T, *beats.State) []*topics.Annotation) (n int) {
		for end := 70; end < 90; end++ { // somewhere a beat is waiting for more
			var s beats.State
			said := foldInto(t, &s, append(ticked(slices.Concat(frames[:60], frames[90:120])), frames[60:end]...))
			for _, a := range append(said, then(t, &s)...) {
				if a.GetLate() && a.GetBeat() != nil {
					n++
				}
			}
		}
		return n
	}
	want := late(func(t *testing.T, s *beats.State) []*topics.Annotation {
		return foldInto(t, s, []*topics.Frame{tick(1), tick(2), tick(3), tick(4), tick(5)}) // late data are over
	})
	without := late(func(*testing.T, *beats.State) []*topics.Annotation { return nil })
	if got := late(overtake); got != want || without == want {
		t.Errorf("%d late beats are said, want %d, of which %d at once", got, want, without)
	}
}

func TestWhatWasForgottenAndComesAgainIsLate(t *testing.T) {
	frames := regular(250, 60, 70).frames()
	var s beats.State
	said := foldInto(t, &s, ticked(frames[:60]))
	said = append(said, overtake(t, &s)...)
	said = append(said, foldInto(t, &s, ticked(frames[120:160]))...)
	live := len(only(said, (*topics.Annotation).GetBeat))
	again := foldInto(t, &s, append(frames[100:119:119], ticked(frames[160:])...))
	said = append(said, again...)
	wantOvertaken(t, said, frames[60].GetSamples().GetFirst())
	late := 0
	for _, a := range again {
		if a.GetLate() && a.GetBeat() != nil {
			late++
		}
	}
	if late == 0 {
		t.Error("no beat was found in what came again")
	}
	if got := len(only(said, (*topics.Annotation).GetBeat)); got <= live {
		t.Error("the live analysis does not go on")
	}
}

func TestWhatIsHeldWhenItIsOvertakenIsFoldedFirst(t *testing.T) {
	frames := regular(250, 30, 70).frames()
	var s beats.State
	foldInto(t, &s, ticked(frames[:40]))
	if said := foldInto(t, &s, frames[42:46]); len(only(said, (*topics.Annotation).GetProgress)) > 0 {
		t.Fatalf("nothing is held: %v", said)
	}
	gaps := gapsOf(overtake(t, &s))
	if len(gaps) != 2 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_MISSING ||
		gaps[1].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_OVERTAKEN || gaps[1].GetSample() != frames[46].GetSamples().GetFirst() {
		t.Errorf("the gaps are %v", gaps)
	}
}

func TestAPatientWithoutSamplesIsOvertakenWhereBound(t *testing.T) {
	var s beats.State
	if said := overtake(t, &s); len(said) > 0 {
		t.Errorf("of a patient of whom nothing was known: %v", said)
	}
	foldInto(t, &s, []*topics.Frame{binding("patch-1", true, false)})
	if said := overtake(t, &s); len(said) != 1 || said[0].GetGap() == nil || said[0].GetDevice() != "patch-1" || said[0].GetPatient() == "" {
		t.Errorf("of a patient who was waited for: %v", said)
	}
	if said := overtake(t, &s); len(said) > 0 {
		t.Errorf("and again: %v", said)
	}
}

func TestOldStatesAreMigrated(t *testing.T) {
	for version := uint32(1); version <= 3; version++ {
		var s, old beats.State
		frames := ticked(regular(250, 20, 70).frames())
		foldInto(t, &s, frames[:50])
		state, err := os.ReadFile(fmt.Sprintf("testdata/version%d.state", max(version, 2))) // of these frames
		if err != nil {
			t.Fatal(err)
		}
		if version == 1 {
			state = state[:len(state)-1] // as it was written before the last field was
		}
		if err := old.UnmarshalBinary(state); err == nil && version < 3 {
			t.Fatalf("a state of version %d is taken for one of this version", version)
		}
		stage := beats.New(beats.DefaultConfig())
		moved, err := stage.Migrate(version, bytes.Clone(state))
		if err != nil {
			t.Fatal(err)
		}
		if err := old.UnmarshalBinary(moved); err != nil {
			t.Fatal(err)
		}
		// What had been found is not found again; all that comes is.
		was, is := beatsOf(foldInto(t, &s, frames[50:])), beatsOf(foldInto(t, &old, frames[50:]))
		if n := len(was) - len(is); n < 0 || n > 2 || n > 0 && version == 3 {
			t.Fatalf("version %d: %d beats, want %d or up to 2 less", version, len(is), len(was))
		} else if was = was[n:]; !slices.EqualFunc(was, is, func(a, b *topics.Annotation) bool { return a.GetSample() == b.GetSample() }) {
			t.Errorf("version %d: beats %v, want %v", version, is, was)
		}
	}
	if _, err := beats.New(beats.DefaultConfig()).Migrate(beats.Version, nil); err == nil {
		t.Error("a version that was never written is migrated")
	}
}
