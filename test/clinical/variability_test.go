//go:build real

package clinical

import (
	"math"
	"path/filepath"
	"testing"

	"heartwire/test/real"
	"heartwire/topics"
)

// TestVariability compares the first five minutes of real recordings, by their
// reference beats, with what variability.py makes of them by numpy and scipy. In
// 106 ventricular beats leave too few intervals between normal ones.
func TestVariability(t *testing.T) {
	for _, want := range []struct {
		record                   string
		intervals                uint32
		mean, sdnn, rmssd, pnn50 float64
		lf, hf, ratio            float64
		lombRatio                float64 // by Lomb and Scargle, which resample nothing
	}{
		{"101", 342, 878.57, 60.08, 32.54, 0.1232, 234.1, 640.4, 0.366, 0.449},
		{"112", 428, 700.94, 15.99, 18.17, 0.0047, 20.3, 21.9, 0.925, 1.137},
		{"115", 316, 950.25, 67.05, 71.49, 0.4952, 1301.8, 1725.7, 0.754, 0.842},
		{"122", 422, 711.91, 38.00, 19.90, 0.0119, 246.3, 73.6, 3.346, 2.938},
		{"220", 352, 848.39, 22.87, 19.22, 0.0171, 37.1, 86.0, 0.431, 0.588},
		{"106", 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		var got *topics.Variability
		path := filepath.Join(real.Data(t), "mitdb", want.record)
		for _, c := range charts(t, onlyBeats(annotationsOf(t, path+".atr")), 360) {
			if v := c.GetVariability(); v != nil && got == nil && v.GetFromUs() < start.UnixMicro()+60e6 {
				got = v
			}
		}
		if want.intervals == 0 {
			if got != nil {
				t.Errorf("%s: said %v", want.record, got)
			}
			continue
		}
		if got == nil || got.GetIntervals() != want.intervals {
			t.Errorf("%s: %v, want %d intervals", want.record, got, want.intervals)
			continue
		}
		for _, c := range []struct {
			name      string
			got, want float64
			part      float64 // of it, by which they may differ
		}{
			{"mean", got.GetMeanMs(), want.mean, 0.00005}, {"SDNN", got.GetSdnnMs(), want.sdnn, 0.001},
			{"RMSSD", got.GetRmssdMs(), want.rmssd, 0.001}, {"LF", got.GetLfMs2(), want.lf, 0.01}, {"HF", got.GetHfMs2(), want.hf, 0.005},
			{"LF/HF", got.GetLfHf(), want.ratio, 0.01}, {"LF/HF by Lomb and Scargle", got.GetLfHf(), want.lombRatio, 0.3},
		} {
			t.Logf("%s %s: %.3f, want %.3f", want.record, c.name, c.got, c.want)
			if math.Abs(c.got-c.want) > c.part*c.want {
				t.Errorf("%s: %s is %.3f, want %.3f", want.record, c.name, c.got, c.want)
			}
		}
		if math.Abs(got.GetPnn50()-want.pnn50) > 0.0001 {
			t.Errorf("%s: pNN50 is %.4f, want %.4f", want.record, got.GetPnn50(), want.pnn50)
		}
	}
}
