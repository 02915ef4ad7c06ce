package wfdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

const none = -32768 // an invalid sample of format 16

func frames(t *testing.T, r *wfdb.Record, o wfdb.FrameOptions) (list []*topics.Frame) {
	t.Helper()
	for f, err := range r.Frames(o) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func open(t *testing.T, header string, values ...int) *wfdb.Record {
	t.Helper()
	r, err := wfdb.OpenFS(record(header, map[string][]byte{"r.dat": encode16(values...)}), "r")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Leads become deltas above their baselines; the pressure between them is left
// out; what both leads lack is missing, and what one lacks takes it off.
func TestFrames(t *testing.T) {
	r := open(t, "r 3 100 5\nr.dat 16 200(10) 0 0 0\nr.dat 16 100/mmHg 0 0 0 0 0 ABP\nr.dat 16 1000/mV 0 0 0 4 0 V5\n",
		11, 0, 1,
		none, 0, none,
		13, 0, -4,
		14, 0, 7,
		15, 0, none)
	start := time.UnixMicro(1_700_000_000_000_000)
	got := frames(t, r, wfdb.FrameOptions{Patient: "p", Device: "d", Boot: 3, First: 1000, Start: start, Samples: 3})
	at := start.UnixMicro()
	want := []*topics.Frame{
		{Patient: "p", Kind: &topics.Frame_Samples{Samples: &topics.Samples{
			Device: "d", Boot: 3, First: 1000, Rate: 100, Count: 3, Missing: []byte{0b010}, TimeUs: at, ArrivalUs: at + 30_000,
			Leads: []*topics.Lead{
				{Name: "ECG", MicrovoltsPerCount: 5, Deltas: []int32{1, 0, 2}},
				{Name: "V5", MicrovoltsPerCount: 1, Deltas: []int32{1, 0, -5}},
			}}}},
		{Patient: "p", Kind: &topics.Frame_Samples{Samples: &topics.Samples{
			Device: "d", Boot: 3, First: 1003, Rate: 100, Count: 2, TimeUs: at + 30_000, ArrivalUs: at + 50_000,
			Leads: []*topics.Lead{
				{Name: "ECG", MicrovoltsPerCount: 5, Deltas: []int32{4, 1}},
				{Name: "V5", MicrovoltsPerCount: 1, Off: true, Deltas: []int32{7, 0}},
			}}}},
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Error(d)
	}
}

func TestFramesLeads(t *testing.T) {
	r := open(t, "r 4 250 1\nr.dat 16 1 0 0 0 1 0 ECG\nr.dat 16 1 0 0 0 2 0 ECG\nr.dat 16 1\nr.dat 16 1/NU\n", 1, 2, 3, 4)
	if d := cmp.Diff([]string{"ECG", "ECG 2", "ECG 3"}, r.Leads()); d != "" {
		t.Error(d)
	}
	got := frames(t, r, wfdb.FrameOptions{Leads: []string{"ECG 3", "ECG"}})
	if len(got) != 1 || len(got[0].GetSamples().Leads) != 2 || got[0].GetSamples().Leads[1].Deltas[0] != 3 {
		t.Errorf("%v, want a frame of the first and the third lead", got)
	}
}

// At a rate that is no whole number the times do not drift from n/rate.
func TestFramesOddRate(t *testing.T) {
	r := open(t, "r 1 244.14 1000\nr.dat 16", make([]int, 1000)...)
	start := time.UnixMicro(1_700_000_000_000_000)
	for _, f := range frames(t, r, wfdb.FrameOptions{Start: start, Samples: 7}) {
		s := f.GetSamples()
		exact := float64(s.First) / 244.14 * 1e6
		if d := float64(s.TimeUs-start.UnixMicro()) - exact; d < -1 || d > 1 {
			t.Fatalf("sample %d at %d µs, want %.1f", s.First, s.TimeUs, exact)
		}
	}
}

func TestFramesRefuses(t *testing.T) {
	for _, c := range []struct {
		name, header string
		options      wfdb.FrameOptions
		want         string
	}{
		{"no ECG", "r 1 250 1\nr.dat 16 1/NU", wfdb.FrameOptions{}, "no ECG"},
		{"no such lead", "r 1 250 1\nr.dat 16", wfdb.FrameOptions{Leads: []string{"V9"}}, "none of those"},
		{"too short", "r 1 250 1\nr.dat 16", wfdb.FrameOptions{Samples: 4}, "0.016 s"},
		{"too long", "r 1 250 1\nr.dat 16", wfdb.FrameOptions{Samples: 2501}, "10 s"},
		{"too slow", "r 1 9 1\nr.dat 16", wfdb.FrameOptions{}, "samples/s"},
		{"too fast", "r 1 1e300 1\nr.dat 16", wfdb.FrameOptions{}, "samples/s"},
		{"too many leads", "r 13 250 1\n" + strings.Repeat("r.dat 16\n", 13), wfdb.FrameOptions{}, "13 leads"},
		{"cut off", "r 1 250 2\nr.dat 16", wfdb.FrameOptions{}, "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var last error
			for f, err := range open(t, c.header, 1).Frames(c.options) {
				if last = err; f != nil {
					t.Errorf("a frame: %v", f)
				}
			}
			if last == nil || !strings.Contains(last.Error(), c.want) {
				t.Errorf("%v, want an error with %q", last, c.want)
			}
		})
	}
}

// What is lost after the end is a frame of its own that no lead has.
func TestFramesLost(t *testing.T) {
	r := open(t, "r 2 100 3\nr.dat 16\nr.dat 16\n", 1, 2, 3, 4, 5, 6)
	got := frames(t, r, wfdb.FrameOptions{Lost: 10})
	if len(got) != 2 {
		t.Fatalf("%d frames, want 2", len(got))
	}
	want := &topics.Samples{
		First: 3, Rate: 100, Count: 10, Missing: []byte{0xff, 0b11}, TimeUs: time.Time{}.UnixMicro() + 30_000, ArrivalUs: time.Time{}.UnixMicro() + 130_000,
		Leads: []*topics.Lead{
			{Name: "ECG", MicrovoltsPerCount: 5, Deltas: make([]int32, 10)}, {Name: "ECG 2", MicrovoltsPerCount: 5, Deltas: make([]int32, 10)},
		},
	}
	if d := cmp.Diff(want, got[1].GetSamples(), protocmp.Transform()); d != "" {
		t.Error(d)
	}
	for _, lost := range []int{1, 1001, -5} {
		for _, err := range r.Frames(wfdb.FrameOptions{Lost: lost}) {
			if err == nil || !strings.Contains(err.Error(), "samples lost") {
				t.Errorf("%d lost: %v", lost, err)
			}
		}
	}
}
