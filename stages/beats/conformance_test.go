package beats_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

// troubled is a log with all that can happen to two patients.
func troubled() []topics.Record[*topics.Frame] {
	a, b := regular(244.14, 45, 75), regular(62.5, 45, 110)
	a.leads, a.shrink = []string{"II", "V5", "V1"}, []float64{1, 0.7, 0.5}
	random := rand.New(rand.NewPCG(5, 6))
	a.add = func(float64) float64 { return 0.03 * random.NormFloat64() }
	fa := a.frames()
	for _, f := range fa[30:60] {
		f.GetSamples().GetLeads()[0].Off = true
	}
	fa[70].GetSamples().Missing = []byte{0, 0, 255, 255, 255, 3, 0, 0}[:(fa[70].GetSamples().GetCount()+7)/8]
	fa[20].GetSamples().PacePulses = []uint32{3, 40}
	late := fa[80:90]
	fa = slices.Concat(fa[:80], fa[90:])
	fa[50], fa[52] = fa[52], fa[50]
	for i, f := range late {
		old := proto.Clone(f).(*topics.Frame)
		old.GetSamples().ArrivalUs += 12_000_000
		fa = slices.Insert(fa, 120+2*i, old)
	}
	again := regular(244.14, 8, 75)
	again.boot, again.startUs = 2, a.startUs+50_000_000
	other := regular(500, 8, 75)
	other.device, other.startUs = "patch-3", a.startUs+60_000_000
	second := binding("patch-3", true, false)
	second.GetBinding().AtUs = 99
	fa = slices.Concat([]*topics.Frame{binding("patch-1", true, true)}, fa, again.frames(), []*topics.Frame{second}, other.frames())
	fa = append(fa, &topics.Frame{Patient: "p", Kind: &topics.Frame_Presence{Presence: &topics.Presence{Device: "patch-3", Online: true}}})
	fa = append(fa, binding("patch-1", false, true), binding("patch-3", false, true))

	fb := b.frames()
	slices.Reverse(fb[20:26])
	fb[30].GetSamples().Rate = 0 // refused
	var list []topics.Record[*topics.Frame]
	n := 0
	for i := range max(len(fa), len(fb)) {
		if i < len(fa) {
			list = append(list, record(fa[i]))
		}
		if i < len(fb) {
			r := record(fb[i])
			r.Key = "q"
			list = append(list, r)
		}
		if i%4 == 3 {
			n++
			list = append(list, record(tick(n)))
		}
	}
	return list
}

func TestConformance(t *testing.T) {
	stagetest.Run(t, beats.New(beats.DefaultConfig()), topics.Frames, troubled())
}

// Alone, and with as much late data folded beside it, which is a second analysis
// while it goes on. Bursts of noise are where beats of all kinds are found.
func TestStateIsSmall(t *testing.T) {
	for _, c := range []struct {
		leads       int
		noise, late bool
		most        int // bytes
	}{
		{12, true, false, 16 << 10},
		{2, false, true, 16 << 10},
		{2, true, true, 20 << 10}, // bounds, no promises
		{12, true, true, 20 << 10},
	} {
		n := largestState(t, c.leads, c.noise, c.late)
		if t.Logf("%+v: %d bytes", c, n); n > c.most {
			t.Errorf("%d leads, noise %v, late data %v: %d bytes, want at most %d", c.leads, c.noise, c.late, n, c.most)
		}
	}
}

func largestState(t *testing.T, leads int, noise, late bool) (most int) {
	h := regular(1000, 30, 70)
	h.leads = []string{"I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"}[:leads]
	h.shrink = slices.Repeat([]float64{1}, leads)
	random := rand.New(rand.NewPCG(7, 8))
	h.add = func(at float64) float64 {
		if noise && math.Mod(at, 0.3) < 0.08 {
			return random.NormFloat64()
		}
		return 0
	}
	old := h.frames()
	h.boot, h.startUs = 2, h.startUs+60_000_000
	var s beats.State
	for i, f := range h.frames() {
		foldInto(t, &s, []*topics.Frame{f})
		if late {
			foldInto(t, &s, old[i:i+1])
		}
		b, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(b))
	}
	return most
}
