package rhythm_test

import (
	"testing"

	"heartwire/topics"
)

// gaps are those that the chart states.
func (w *ward) gaps() (list []*topics.Chart) {
	for _, c := range w.charts {
		if c.GetGap() != nil {
			list = append(list, c)
		}
	}
	return list
}

// overtake tells the stage that n records before the next were forgotten.
func (w *ward) overtake(n int64) {
	w.t.Helper()
	w.skipped += n
	if err := w.fold.Overtaken(int64(len(w.log))+w.skipped, n); err != nil {
		w.t.Fatal(err)
	}
	said, bad := w.fold.Take()
	if len(bad) > 0 {
		w.t.Fatalf("condemned: %v", bad[0].Err)
	}
	for _, s := range said {
		w.charts = append(w.charts, s.Value)
	}
	w.fold.Commit()
}

// Whether beats could not read frames or rhythm could not read annotations,
// the chart says so once, and nothing is averaged or counted across it.
func TestTheChartSaysThatRecordsWereLost(t *testing.T) {
	for name, lose := range map[string]func(*ward){
		"by the stage before": func(w *ward) { w.gap(0, topics.GapCause_GAP_CAUSE_OVERTAKEN) },
		"by this one":         func(w *ward) { w.overtake(100) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t, "p01")
			w.class = topics.BeatClass_BEAT_CLASS_V
			w.binding("patch-1", true)
			w.lead("II", true, true)
			w.play(20)
			before := w.now()
			if before.GetVPerMinute() == 0 || !before.GetLeadOff() {
				t.Fatalf("before it: %v", before)
			}
			at := w.charts[len(w.charts)-1].GetTimeUs()
			lose(w)
			gaps := w.gaps()
			if len(gaps) != 1 || gaps[0].GetGap().GetCause() != topics.GapCause_GAP_CAUSE_OVERTAKEN || gaps[0].GetTimeUs() != at || gaps[0].GetPatient() != "p01" {
				t.Fatalf("the chart says %v, want one gap at %d", gaps, at)
			}
			w.tick()
			if s := w.now(); s.Rate != nil || s.SinceBeatS != nil || s.GetVPerMinute() != 0 || s.GetLeadOff() || len(s.GetLeadsOff()) > 0 {
				t.Errorf("right after it is known %v", s)
			}
			w.class = topics.BeatClass_BEAT_CLASS_N
			w.next, w.joined, w.heart, w.beatDue = w.next+60*uint64(rate), false, 90, 10
			w.play(2)
			if s := w.now(); s.Rate != nil {
				t.Errorf("2 s after it there is a rate of %v", s.GetRate())
			}
			w.play(18)
			near(t, "rate after it", w.now().GetRate(), 90, 1)
			if n := len(w.gaps()); n != 1 {
				t.Errorf("%d gaps, want 1", n)
			}
		})
	}
}

func TestAKeyThatWasLeftLostNothing(t *testing.T) {
	w := newWard(t, "p01")
	w.binding("patch-1", true)
	w.play(5)
	w.binding("patch-1", false)
	w.overtake(10)
	if n := len(w.gaps()); n != 0 {
		t.Errorf("%d gaps of a key that is not in use", n)
	}
}

// Which devices are bound may have changed in what was lost: a patient must
// not stay watched, or be left, for a device that is not worn any more.
func TestBindingsAreNotTrustedAfterIt(t *testing.T) {
	watched := func(w *ward) bool {
		n := len(w.seconds)
		w.play(3)
		return len(w.seconds) > n
	}
	w := newWard(t, "p01")
	w.binding("patch-1", true)
	w.play(5)
	w.overtake(10) // patch-1 was taken away in it, and patch-2 bound
	w.device = "patch-2"
	if !watched(w) {
		t.Error("the patient is not watched")
	}
	w.binding("patch-2", false)
	if watched(w) {
		t.Error("the patient is watched though the last device was taken away")
	}

	w = newWard(t, "p01")
	w.binding("patch-1", true)
	w.play(5)
	w.overtake(10) // patch-2 was bound in it
	w.device = "patch-2"
	w.play(5)
	w.binding("patch-1", false)
	if !watched(w) {
		t.Error("a device that was not worn any more took the patient with it")
	}
}
