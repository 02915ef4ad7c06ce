package rhythm_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"heartwire/topics"
)

func (w *ward) variabilities() (list []*topics.Variability) {
	for _, c := range w.charts {
		if v := c.GetVariability(); v != nil {
			list = append(list, v)
		}
	}
	return list
}

// Two waves of known power: a sine of amplitude a has a²/2.
func TestVariabilityOfKnownPower(t *testing.T) {
	w := newWard(t, "p01")
	var b strings.Builder
	at := 0.0
	for at < 320 {
		ms := 800 + 30*math.Sin(2*math.Pi*0.1*at) + 20*math.Sin(2*math.Pi*0.25*at)
		at += ms / 1000
		fmt.Fprintf(&b, "N%.2f ", ms)
	}
	w.script(b.String())
	list := w.variabilities()
	if len(list) != 1 {
		t.Fatalf("%d said in 320 s, want 1", len(list))
	}
	v := list[0]
	near(t, "LF", v.GetLfMs2(), 450, 0.06*450)
	near(t, "HF", v.GetHfMs2(), 200, 0.08*200)
	near(t, "LF/HF", v.GetLfHf(), v.GetLfMs2()/v.GetHfMs2(), 1e-9)
	near(t, "mean", v.GetMeanMs(), 800, 2)
	near(t, "SDNN", v.GetSdnnMs(), math.Sqrt(650), 0.5)
	near(t, "intervals", float64(v.GetIntervals()), 375, 3)
}

// By hand: intervals of 800 and 860 ms by turns.
func TestVariabilityInTime(t *testing.T) {
	w := newWard(t, "p01")
	w.script(strings.Repeat("N800 N860 ", 190))
	list := w.variabilities()
	if len(list) != 1 {
		t.Fatalf("%d said, want 1", len(list))
	}
	v := list[0]
	near(t, "RMSSD", v.GetRmssdMs(), 60, 0.3)
	near(t, "pNN50", v.GetPnn50(), 1, 0)
	near(t, "SDNN", v.GetSdnnMs(), 30, 0.3)
}

func TestVariabilityNeedsNormalBeatsAndNoGap(t *testing.T) {
	for name, script := range map[string]string{
		"bigeminy":        strings.Repeat("N900 V500 ", 250),
		"a gap":           strings.Repeat("N800 ", 200) + "gap " + strings.Repeat("N800 ", 300),
		"less than 5 min": strings.Repeat("N800 ", 370),
	} {
		w := newWard(t, "p01")
		w.script(script)
		if n := len(w.variabilities()); n != 0 {
			t.Errorf("%s: said %d times", name, n)
		}
	}
}
