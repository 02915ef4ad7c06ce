package patch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/cmplx"
	"reflect"
	"testing"

	"heartwire/topics"
)

func synth(t testing.TB, script string, change ...func(*SynthConfig)) *Synth {
	t.Helper()
	c := DefaultSynthConfig()
	var err error
	if c.Script, err = Parse(script); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c)
	}
	s, err := NewSynth(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, s Source, seconds float64) *Block {
	t.Helper()
	b := new(Block)
	if err := s.Read(b, int(seconds*s.Rate())); err != nil {
		t.Fatal(err)
	}
	return b
}

const everything = "5s sinus 72; 5s pvc 12/min; 4s bigeminy; 4s vt 180; 4s vf; 3s asystole; 4s pace 70; 2s nocapture 70; 5s af 90; 4s sinus 60..120 + lead-off II; 3s noise 0.3mV + wander 1mV + mains 0.1mV; 1s dropout; loop"

// The samples of a seed are a promise: who repeats a run gets the same.
func TestSamplesOfASeed(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		want string
	}{
		{1, "6b16df8121c38cce"},
		{2, "8ef7bb3aeecba2c0"},
	} {
		b := read(t, synth(t, everything, func(s *SynthConfig) { s.Seed = c.seed; s.Leads = LeadNames }), 60)
		h := sha256.New()
		for _, lead := range b.Counts {
			binary.Write(h, binary.LittleEndian, lead)
		}
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != c.want {
			t.Errorf("seed %d: samples have hash %s, want %s", c.seed, got, c.want)
		}
	}
}

func TestBlocksDoNotMatter(t *testing.T) {
	whole := read(t, synth(t, everything), 50)
	s := synth(t, everything)
	var b Block
	counts := make([][]int32, 2)
	var events []Event
	for n, at := 1, 0; at < whole.Len(); n = n*7%1013 + 1 {
		n := min(n, whole.Len()-at)
		if err := s.Read(&b, n); err != nil {
			t.Fatal(err)
		}
		if b.First != uint64(at) {
			t.Fatalf("block begins at %d, want %d", b.First, at)
		}
		for k := range counts {
			counts[k] = append(counts[k], b.Counts[k]...)
		}
		for i, e := range b.Events {
			if e.Sample < b.First || e.Sample >= b.First+uint64(n) || i > 0 && e.Sample < b.Events[i-1].Sample {
				t.Fatalf("event at %d in the block %d+%d, or out of order", e.Sample, b.First, n)
			}
		}
		events = append(events, b.Events...)
		at += n
	}
	if !reflect.DeepEqual(counts, whole.Counts) {
		t.Error("samples depend on the blocks")
	}
	if len(events) != len(whole.Events) {
		t.Fatalf("%d events, in one block %d", len(events), len(whole.Events))
	}
	for i := range events {
		events[i].Step, whole.Events[i].Step = nil, nil
	}
	if !reflect.DeepEqual(events, whole.Events) {
		t.Error("events depend on the blocks")
	}
	if math.Abs(b.SpO2-whole.SpO2) > 1e-9 {
		t.Errorf("SpO2 %g depends on the blocks: %g", b.SpO2, whole.SpO2)
	}
}

// intervals are the times between beats in s.
func intervals(b *Block, rate float64) (rr []float64, classes []topics.BeatClass) {
	last := -1.0
	for _, e := range b.Events {
		if e.Kind != Beat {
			continue
		}
		at := float64(e.Sample) / rate
		if last >= 0 {
			rr = append(rr, at-last)
		}
		last = at
		classes = append(classes, e.Class)
	}
	return rr, classes
}

func moments(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(sd)
}

func TestRatesAreThoseOfTheScript(t *testing.T) {
	for _, c := range []struct {
		script  string
		rate    float64
		low, up float64 // bounds of SD/mean of RR
	}{
		{"sinus 40", 40, 0.03, 0.08},
		{"sinus 72", 72, 0.015, 0.05},
		{"sinus 134", 134, 0.005, 0.03},
		{"sinus 220", 220, 0.002, 0.02},
		{"af 90", 90, 0.15, 0.3},
		{"af 140", 140, 0.12, 0.3},
		{"vt 180", 180, 0.004, 0.03},
		{"pace 70", 70, 0, 0.004},
		{"sinus 70 + pvc 6/min", 70, 0.05, 0.3},
		{"sinus 70 + bigeminy", 70, 0.2, 0.5},
	} {
		for _, hz := range []float64{62.5, 250} {
			s := synth(t, c.script, func(s *SynthConfig) { s.Rate = hz; s.Leads = []string{"II"} })
			rr, _ := intervals(read(t, s, 600), hz)
			mean, sd := moments(rr)
			tolerance := 0.01
			if c.script[:2] == "af" {
				tolerance = 0.02 // 900 beats with a spread of 22 % are known to 0.7 %
			}
			if got := 60 / mean; math.Abs(got/c.rate-1) > tolerance {
				t.Errorf("%s at %g Hz: %.2f /min", c.script, hz, got)
			}
			whole := 1 / (hz * math.Sqrt(6)) // what whole samples add
			if q := sd / mean; q < c.low || q > c.up+whole/mean {
				t.Errorf("%s at %g Hz: RR varies by %.4f, want %g to %g", c.script, hz, q, c.low, c.up)
			}
		}
	}
}

func TestBeatsOfTheScript(t *testing.T) {
	rr, classes := intervals(read(t, synth(t, "sinus 70 + pvc 6/min"), 600), 250)
	v := 0
	for i, c := range classes {
		if c != topics.BeatClass_BEAT_CLASS_V || i == 0 || i == len(rr) {
			continue
		}
		v++
		early, pause := rr[i-1], rr[i]
		if early > 0.75*60/70 || math.Abs(early+pause-2*60.0/70) > 0.2 {
			t.Errorf("a PVC after %.3f s with a pause of %.3f s", early, pause)
		}
	}
	if v < 54 || v > 66 {
		t.Errorf("%d PVCs in 10 min, want 60", v)
	}
	_, classes = intervals(read(t, synth(t, "sinus 70 + bigeminy"), 60), 250)
	for i := 1; i < len(classes); i++ {
		if classes[i] == classes[i-1] {
			t.Fatalf("bigeminy: beats %d and %d are both %v", i-1, i, classes[i])
		}
	}
	for script, want := range map[string]int{"vf": 0, "flutter 280": 0, "asystole": 0, "nocapture 60": 0, "5s sinus 60; asystole": 5, "5s asystole; 5s sinus 60; vf": 5} {
		if _, classes := intervals(read(t, synth(t, script), 60), 250); len(classes) < want-1 || len(classes) > want {
			t.Errorf("%s: %d beats, want %d", script, len(classes), want)
		}
	}
}

func TestPulsesOfAPacemaker(t *testing.T) {
	b := read(t, synth(t, "30s pace 60; nocapture 60"), 60)
	if n := len(b.Pulses); n < 58 || n > 60 {
		t.Fatalf("%d pulses in a minute at 60/min", n)
	}
	for _, p := range b.Pulses {
		spike := b.Counts[0][p] - (b.Counts[0][p-2]+b.Counts[0][p+2])/2
		if math.Abs(float64(spike))*5 < 200 {
			t.Errorf("the pulse at %d is only %d µV high", p, spike*5)
		}
	}
	if _, classes := intervals(b, 250); len(classes) < 29 || len(classes) > 30 {
		t.Errorf("%d captured beats in 30 s at 60/min", len(classes))
	}
}

// The peak in lead II must be where the truth says, and as high as an R is.
func TestPeaksAreWhereTheTruthSays(t *testing.T) {
	for _, hz := range []float64{125, 244.14, 250, 500} {
		b := read(t, synth(t, "sinus 80 + pvc 6/min", func(s *SynthConfig) { s.Rate = hz }), 120)
		for _, e := range b.Events {
			if e.Kind != Beat || int(e.Sample)+20 > b.Len() {
				continue
			}
			from, best := int(e.Sample-uint64(0.06*hz)), 0
			for i := from; i < int(e.Sample)+int(0.06*hz); i++ {
				if best == 0 || b.Counts[0][i] > b.Counts[0][best] {
					best = i
				}
			}
			if off := math.Abs(float64(best)-float64(e.Sample)) / hz; off > 0.012 {
				t.Errorf("%g Hz, %v: peak %.0f ms from the truth", hz, e.Class, off*1000)
			}
			if mv := float64(b.Counts[0][best]) * 0.005; mv < 0.7 || mv > 2.6 {
				t.Errorf("%g Hz, %v: R is %.2f mV", hz, e.Class, mv)
			}
		}
	}
}

func TestLeadsObeyEinthoven(t *testing.T) {
	b := read(t, synth(t, "20s sinus 72 + pvc 12; 5s pace 70; af 80", func(s *SynthConfig) { s.Leads = LeadNames }), 30)
	for i := range b.Len() {
		i1, i2, i3 := b.Counts[0][i], b.Counts[1][i], b.Counts[2][i]
		avr, avl, avf := b.Counts[3][i], b.Counts[4][i], b.Counts[5][i]
		// Breathing moves all leads alike, and each amplifier has noise of its own.
		if d := i2 - i1 - i3; d > 40 || d < -40 {
			t.Fatalf("sample %d: II - I - III is %d µV", i, d*5)
		}
		if d := avr + avl + avf; d > 60 || d < -60 {
			t.Fatalf("sample %d: aVR + aVL + aVF is %d µV", i, d*5)
		}
	}
}

func TestFlatLineIsFlat(t *testing.T) {
	b := read(t, synth(t, "10s sinus 60; asystole"), 40)
	for k, lead := range b.Counts {
		for i := 13 * 250; i < len(lead)-25; i++ {
			if d := lead[i+25] - lead[i]; d > 15 || d < -15 {
				t.Fatalf("lead %d moves by %d µV within 100 ms of asystole", k, d*5)
			}
		}
	}
	if b.SpO2 > 90 || b.Breaths > 5 {
		t.Errorf("SpO2 %.0f %% and %.0f breaths /min after 30 s of asystole", b.SpO2, b.Breaths)
	}
}

func TestConditions(t *testing.T) {
	b := read(t, synth(t, "2s sinus 72; 2s lead-off V1; 2s dropout; 2s lead-off all; 2s sinus 72; loop"), 10)
	for i := range b.Len() {
		step := i / 500
		if got := b.Missing != nil && b.Missing[i]; got != (step == 2) {
			t.Fatalf("sample %d: missing is %v", i, got)
		}
		for k := range 2 {
			off := step == 3 || step == 1 && k == 1
			if got := b.Counts[k][i] == rail/5; got != off {
				t.Fatalf("sample %d of lead %d: at the rail is %v", i, k, got)
			}
		}
	}
	if !b.Off[0] || !b.Off[1] {
		t.Error("the block does not say that its leads were off")
	}
	quiet := rms(read(t, synth(t, "5s sinus 72; asystole"), 30).Counts[0][3000:])
	loud := rms(read(t, synth(t, "5s sinus 72; asystole + noise 0.3mV"), 30).Counts[0][3000:])
	if mv := math.Sqrt(loud*loud-quiet*quiet) * 0.005; math.Abs(mv-0.3) > 0.02 {
		t.Errorf("noise of 0.3 mV RMS is %.3f mV", mv)
	}
}

func rms(v []int32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s / float64(len(v)))
}

// power is the part of a lead's power between two frequencies, of that between 0.5 and 40 Hz.
func power(lead []int32, rate, low, high float64) float64 {
	n := 2048
	in, all := 0.0, 0.0
	for at := 0; at+n <= len(lead); at += n {
		for k := 1; k < n/2; k++ {
			hz := float64(k) * rate / float64(n)
			if hz < 0.5 || hz > 40 {
				continue
			}
			x := complex(0, 0)
			w, turn := complex(1, 0), cmplx.Exp(complex(0, -2*math.Pi*float64(k)/float64(n)))
			for i := range n {
				x += complex(float64(lead[at+i]), 0) * w
				w *= turn
			}
			p := real(x)*real(x) + imag(x)*imag(x)
			all += p
			if hz >= low && hz <= high {
				in += p
			}
		}
	}
	return in / all
}

func TestSpectra(t *testing.T) {
	if p := power(read(t, synth(t, "vf"), 60).Counts[0], 250, 2.5, 7.5); p < 0.9 {
		t.Errorf("VF has %.2f of its power between 2.5 and 7.5 Hz", p)
	}
	if p := power(read(t, synth(t, "sinus 72"), 60).Counts[0], 250, 8, 40); p < 0.25 {
		t.Errorf("sinus rhythm has only %.2f of its power in QRS, above 8 Hz", p)
	}
	if p := power(read(t, synth(t, "asystole + mains 1mV"), 60).Counts[0], 250, 0.5, 40); p != 1 {
		t.Errorf("the whole has %.2f of its power", p)
	}
}

// The spectrum of RR has its two bumps where McSharry et al. put them.
func TestVariabilityHasTwoBumps(t *testing.T) {
	lines := heartRateVariability(newChance(3, "person"), 0.25)
	var total, lf, hf float64
	for _, l := range lines {
		p := l.amp * l.amp / 2
		total += p
		switch {
		case math.Abs(l.hz-0.1) <= 0.02:
			lf += p
		case math.Abs(l.hz-0.25) <= 0.02:
			hf += p
		}
	}
	if math.Abs(total-1) > 1e-9 || math.Abs(lf/hf-0.5) > 1e-9 || math.Abs(lf+hf-1) > 1e-9 {
		t.Errorf("variance %.3f, LF %.3f, HF %.3f", total, lf, hf)
	}
}

func TestTruthIsThatOfTheSamples(t *testing.T) {
	c := DefaultSynthConfig()
	c.Script, _ = Parse(everything)
	got, err := Truth(c, 250*50)
	if err != nil {
		t.Fatal(err)
	}
	if want := read(t, synth(t, everything), 50).Events; len(got) != len(want) {
		t.Errorf("%d events, the samples have %d", len(got), len(want))
	}
}

func BenchmarkSynth(b *testing.B) {
	s := synth(b, "sinus 72")
	var block Block
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Read(&block, 62); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/62, "ns/sample")
}

// The demonstration shows what it promises: within a minute two patients are
// in an alarm, and the others are not.
func TestDemoAlarms(t *testing.T) {
	for i, script := range Demo() {
		s := synth(t, script, func(s *SynthConfig) { s.Seed = 1<<20 + uint64(i) })
		var longest, stop, fast, last float64
		for _, e := range read(t, s, 60).Events {
			if e.Kind != Beat {
				continue
			}
			at := float64(e.Sample) / s.Rate()
			if rr := at - last; rr > longest {
				longest, stop = rr, last
			}
			if at > 25 && at <= 55 {
				fast += 2
			}
			last = at
		}
		stops, races := longest > 4, fast > 120
		if stops != (i == 2) || races != (i == 4) {
			t.Errorf("patient %d: longest pause %.1f s, %.0f /min from 25 to 55 s", i+1, longest, fast)
		}
		if i == 2 && (stop < 33 || stop > 35.5 || longest < 11 || longest > 14) {
			t.Errorf("patient 3: a pause of %.1f s from %.1f s on, want 12 s from 35 s on", longest, stop)
		}
	}
}
