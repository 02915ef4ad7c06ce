package rhythm_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"heartwire/topics"
)

// heart plays beats, one word each: the class and the interval before it in
// ms, V320. A number before a star repeats: 6*V320. V320~90: and the five beats
// that end with it are VT by 90 %, by all that was seen of them, and as far apart. Other words:
//
//	gap      a frame is missing
//	lost     a frame is missing, and before it what the waveform was is off, with the last sample
//	hidden   it is off with the last sample of a frame, for no more can be seen
//	off on   every lead falls off, and is back
//	wait3000 ms of flat line
//	vf flutter vt end   the waveform is that of fibrillation, of flutter, of tachycardia, of none any more
//	pulse800 a pulse of the pacemaker, ms after the last pulse or beat; pulse800+N140 with the beat that it makes
//
// Detection is complete up to two seconds ago, as the stage before has it in the worst case.
func (w *ward) script(text string) {
	w.t.Helper()
	p := player{w: w, at: float64(w.next), first: true}
	for word := range strings.FieldsSeq(text) {
		n := 1
		if times, rest, is := strings.Cut(word, "*"); is {
			n, word = int(number(w.t, times)), rest
		}
		for range n {
			p.word(word)
		}
	}
	p.till(p.at + 4*rate)
}

type player struct {
	w     *ward
	at    float64 // of the last beat or pulse
	first bool    // no interval yet
	held  []*topics.Annotation
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var classes = map[byte]topics.BeatClass{
	'N': topics.BeatClass_BEAT_CLASS_N, 'S': topics.BeatClass_BEAT_CLASS_S, 'V': topics.BeatClass_BEAT_CLASS_V,
	'F': topics.BeatClass_BEAT_CLASS_F, 'Q': topics.BeatClass_BEAT_CLASS_Q,
}

func (p *player) word(word string) {
	w := p.w
	word, and, both := strings.Cut(word, "+")
	switch {
	case word == "hidden":
		p.off(w.next + frame)
		p.till(float64(w.next))
		p.at, p.first = float64(w.next), true
	case word == "gap" || word == "lost":
		p.till(p.at + 3*rate)
		if word == "lost" {
			p.off(w.next)
		}
		w.gap(frame, topics.GapCause_GAP_CAUSE_MISSING)
		p.at, p.first = float64(w.next), true
	case word == "off" || word == "on":
		p.till(p.at + 3*rate)
		w.lead("II", word == "off", true)
		p.at = float64(w.next)
		p.first = true
	case word == "vf" || word == "flutter" || word == "vt" || word == "end":
		p.till(p.at + 1*rate) // it is found later than it is
		a := w.annotation(uint64(p.at))
		a.Kind = &topics.Annotation_Fibrillation{Fibrillation: &topics.Fibrillation{On: word != "end", Rhythm: map[string]topics.VentricularRhythm{
			"flutter": topics.VentricularRhythm_VENTRICULAR_RHYTHM_FLUTTER, "vt": topics.VentricularRhythm_VENTRICULAR_RHYTHM_TACHYCARDIA,
		}[word]}}
		w.put(a)
	case strings.HasPrefix(word, "wait"):
		p.at += number(w.t, word[4:]) * rate / 1000
		p.till(p.at)
	case strings.HasPrefix(word, "pulse"):
		p.at += number(w.t, word[5:]) * rate / 1000
		a := w.annotation(uint64(p.at))
		a.Kind = &topics.Annotation_PacePulse{PacePulse: &topics.PacePulse{}}
		p.till(p.at)
		w.put(a)
	default:
		interval, percent, looked := strings.Cut(word[1:], "~")
		ms := number(w.t, interval)
		p.at += ms * rate / 1000
		a := w.annotation(uint64(math.Round(p.at)))
		b := &topics.Beat{Class: classes[word[0]], RrMs: ms, Lead: "II"}
		if p.first {
			b.RrMs = 0
		}
		p.first = false
		if looked {
			onset := uint64(math.Round(p.at - 4*ms*rate/1000))
			b.Run = &topics.FastRun{Ventricular: number(w.t, percent) / 100, Onset: onset, RrMs: ms}
		}
		a.Kind = &topics.Annotation_Beat{Beat: b}
		p.held = append(p.held, a)
		p.till(p.at)
	}
	if both {
		p.word(and)
	}
}

// off tells that the waveform is none any more.
func (p *player) off(sample uint64) {
	a := p.w.annotation(sample)
	a.Kind = &topics.Annotation_Fibrillation{Fibrillation: &topics.Fibrillation{}}
	p.w.put(a)
}

// till lets the frames up to a sample come, and what is decided two seconds after it was.
func (p *player) till(sample float64) {
	w := p.w
	for float64(w.next) <= sample {
		w.next += frame
		complete := w.next - min(w.next, uint64(2*rate))
		for len(p.held) > 0 && p.held[0].GetSample() < complete {
			w.put(p.held[0])
			p.held = p.held[1:]
		}
		a := w.annotation(w.next - 1)
		a.Kind = &topics.Annotation_Progress{Progress: &topics.Progress{Complete: complete, Rate: rate, Valid: frame}}
		w.put(a)
		if w.next/uint64(rate) != (w.next-frame)/uint64(rate) {
			w.tick()
		}
	}
}

// episodes are what was said of them, a line each: when, in s, what, from
// when to when, how many beats, at what rate.
func (w *ward) episodes() []string {
	var list []string
	s := func(sample uint64) string { return strconv.FormatFloat(float64(sample)/rate, 'f', 1, 64) }
	for _, c := range w.charts {
		e := c.GetEpisode()
		if e == nil {
			continue
		}
		name := strings.ToLower(strings.TrimPrefix(e.GetRhythm().String(), "RHYTHM_"))
		to := ".."
		if e.End != nil {
			to += s(e.GetEnd())
		}
		line := fmt.Sprintf("%s %s%s", name, s(e.GetOnset()), to)
		if e.GetBeats() > 0 {
			line += fmt.Sprintf(" %d", e.GetBeats())
		}
		if e.GetRate() > 0 {
			line += fmt.Sprintf(" %.0f/min", e.GetRate())
		}
		if e.GetCut() {
			line += " cut"
		}
		list = append(list, line)
	}
	return list
}

func TestRhythms(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"sinus", "40*N800", nil},
		{"single ectopic beats", "5*N800 V480 N1120 4*N800 V480 N1120 9*N800", nil},
		{"couplet", "5*N800 V480 V400 N1000 5*N800", []string{"couplet 4.5..4.9 2 150/min"}},
		{"two escape beats are no couplet", "5*N800 V1500 V1600 N1500 5*N800", nil},
		{"run of three", "5*N800 V480 2*V400 N1000 5*N800", []string{"v_run 4.5.. 3 150/min", "v_run 4.5..5.3 3 150/min"}},
		{"a run that becomes tachycardia", "5*N800 V480 6*V400 N1000 5*N800", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5..6.9 7 150/min",
		}},
		{"a long one grows", "5*N800 V480 21*V300 N1000 5*N800", []string{
			"v_run 4.5.. 3 200/min", "vt 4.5.. 5 200/min", "vt 4.5.. 10 200/min", "vt 4.5.. 20 200/min", "vt 4.5..10.8 22 200/min",
		}},
		{"misread beats do not split it", "5*N800 V480 6*V400 N400 4*V400 2*Q400 V400 3*N800 5*N800", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5.. 10 150/min", "vt 4.5..10.1 15 150/min",
		}},
		{"a pause ends it", "5*N800 V480 6*V400 N700 4*V400 5*N800", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5..6.9 7 150/min",
			"v_run 8.0.. 3 150/min", "v_run 8.0..9.2 4 150/min",
		}},
		{"a heart that stands still ends it", "5*N800 V480 6*V400 wait6000", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5..6.9 7 150/min",
		}},
		{"idioventricular", "5*N800 6*V800 5*N800", []string{"idioventricular 4.8.. 3 75/min", "idioventricular 4.8.. 6 75/min", "idioventricular 4.8..8.8 6 75/min"}},
		{"slower is escape", "5*N800 6*V1300 5*N800", nil},
		{"idioventricular that becomes fast", "5*N800 6*V700 6*V400 5*N800", []string{
			"idioventricular 4.7.. 3 86/min", "idioventricular 4.7.. 6 86/min", "idioventricular 4.7..6.8 4 86/min",
			"vt 6.8.. 5 109/min", "vt 6.8..10.6 9 126/min"}},
		{"beats that look like a tachycardia together", "8*N800~0 4*N400~5 2*N400~90 V400~70 2*N400~55 N800~20 4*N800~0", []string{
			"vt 6.8.. 5 150/min", "vt 6.8..10.0 9 150/min"}},
		{"a short run that becomes one with another beat", "5*N800~0 V480~0 2*V400~1 N400~55 N400~90 N800~10 4*N800~0", []string{
			"v_run 4.5.. 3 150/min", "v_run 4.5..5.3 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5..6.1 5 150/min"}},
		{"a run that becomes one with a beat that is not V", "5*N800~0 V480~0 2*V400~1 N400~90 V400~90 N800~10 4*N800~0", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 4 150/min", "vt 4.5..6.1 5 150/min"}},
		{"together they are no tachycardia", "8*N800~0 9*N400~55 4*N800~0", []string{"svt 6.8.. 5 150/min", "svt 6.8..10.0 9 150/min"}},
		{"too slow for one", "8*N800~0 9*N640~95 4*N800~0", nil},
		{"noise that is taken for class V", "5*N800~0 V480~0 7*V400~30 N1000~0 5*N800~0", []string{
			"v_run 4.5.. 3 150/min", "v_run 4.5.. 6 150/min", "v_run 4.5..7.3 8 150/min"}},
		{"nine in a row are no noise", "5*N800~0 V480~0 11*V400~30 N1000~0 5*N800~0", []string{
			"v_run 4.5.. 3 150/min", "v_run 4.5.. 6 150/min", "v_run 4.5..6.1 5 150/min", "vt 6.1.. 5 150/min", "vt 6.1..8.9 8 150/min"}},
		{"idioventricular that looks like one once it is fast", "5*N800~0 4*V700~0 3*V400~0 N400~90 2*V400~90 5*N800~0", []string{
			"idioventricular 4.7.. 3 86/min", "idioventricular 4.7.. 6 103/min", "idioventricular 4.7..6.8 4 86/min",
			"vt 6.8.. 5 150/min", "vt 6.8..9.2 7 150/min"}},
		{"bigeminy of three cycles", "5*N800 3*N1120 2*N800 N800 V480 N1120 V480 N1120 V480 N1120 N800 N800", []string{
			"bigeminy 9.8.. 6 82/min", "bigeminy 9.8..14.6 7 75/min"}},
		{"two cycles are none", "8*N800 V480 N1120 V480 N1120 N800 N800", nil},
		{"trigeminy", "8*N800 V480 N1120 N800 V480 N1120 N800 V480 N1120 N800 V480 N1120 N800 N800 N800", []string{
			"trigeminy 5.6.. 9 79/min", "trigeminy 5.6..16.0 14 75/min"}},
		{"R on T", "10*N800 V300 N1200 5*N800", []string{"r_on_t 8.0..8.3 2 200/min"}},
		{"behind the T wave", "10*N800 V360 N1200 5*N800", nil},
		{"tachycardia that begins suddenly", "12*N800 8*N360 N800 5*N800", []string{"svt 10.0.. 5 167/min", "svt 10.0..12.5 8 167/min"}},
		{"of class S", "12*N700 8*S490 N700 5*N800", []string{"svt 8.9.. 5 122/min", "svt 8.9..12.3 8 123/min"}},
		{"a sinus node that runs faster", "10*N800 5*N740 5*N680 5*N620 5*N560 5*N520 5*N480 5*N440 20*N400", nil},
		{"an atrial couplet", "12*N800 2*S400 N900 5*N800", nil},
		{"a dropped beat", "10*N800 N1600 8*N800", []string{"dropped_beat 8.0..9.6 2 38/min"}},
		{"a compensatory pause is explained", "10*N800 V480 N1120 8*N800 S500 N1400 8*N800", nil},
		{"a slower rhythm", "10*N800 8*N1500", nil},
		{"fibrillation", "10*N800 vf wait8000 end wait2000 8*N800", []string{"vf 8.0..", "vf 8.0..16.0"}},
		{"too short to be fibrillation", "10*N800 vf wait2000 end 8*N800", []string{}},
		{"tachycardia by its waveform", "10*N800 vt wait6000 end wait9000", []string{"vt 8.0..", "vt 8.0..14.0"}},
		{"tachycardia that becomes fibrillation", "10*N800 vt wait6000 vf wait5000 end wait9000", []string{"vt 8.0..", "vt 8.0..14.0", "vf 14.0..", "vf 14.0..19.0"}},
		{"flutter that becomes fibrillation", "10*N800 flutter wait6000 vf wait5000 end wait9000", []string{"ventricular_flutter 8.0..", "vf 8.0..", "vf 8.0..19.0"}},
		{"short interruptions are none", "10*N800 vf wait6000 end wait2000 vf wait6000 end wait9000", []string{"vf 8.0..", "vf 8.0..22.0"}},
		{"it is off where samples are missing", "10*N800 vf wait6000 lost 5*N800", []string{"vf 8.0..", "vf 8.0..17.1 cut"}},
		{"it is off where noise hides the rest", "10*N800 vf wait6000 hidden 5*N800", []string{"vf 8.0..", "vf 8.0..14.4 cut"}},
		{"a gap after its end does not cut it", "10*N800 vf wait6000 end lost 5*N800", []string{"vf 8.0..", "vf 8.0..14.0"}},
		{"a gap cuts it", "10*N800 vf wait6000 gap 5*N800", []string{"vf 8.0..", "vf 8.0..17.1 cut"}},
		{"what looks like beats in fibrillation that will be said", "10*N800~0 V480~0 vf 6*V320~90 wait4000 end wait9000", []string{"vf 8.5..", "vf 8.5..14.4"}},
		{"a tachycardia that looks like fibrillation for a moment", "10*N800~0 V480~0 vf 5*V320~90 end 9*V320~90 5*N800~0", []string{
			"vt 8.2.. 5 188/min", "vt 8.2.. 10 188/min", "vt 8.2..13.0 16 188/min"}},
		{"a run that ends before", "10*N800~0 V480~0 vf 4*V320~90 2*N800 end 5*N800~0", []string{"vt 8.5.. 5 188/min", "vt 8.5..9.8 5 188/min"}},
		{"fibrillation ends tachycardia", "5*N800 V480 14*V300 vf wait6000 end wait9000", []string{
			"v_run 4.5.. 3 200/min", "vt 4.5.. 5 200/min", "vt 4.5.. 10 200/min", "vt 4.5..8.7 15 200/min", "vf 8.7..", "vf 8.7..14.7"}},
		{"a gap cuts a run", "5*N800 V480 6*V400 gap 6*V400 5*N800", []string{
			"v_run 4.5.. 3 150/min", "vt 4.5.. 5 150/min", "vt 4.5..6.9 7 150/min cut",
			"v_run 10.6.. 3 150/min", "vt 10.6.. 5 150/min", "vt 10.6..12.6 6 150/min"}},
		{"leads that fall off cut bigeminy", "6*N800 V480 N1120 V480 N1120 V480 N1120 off on 9*N800", []string{
			"bigeminy 4.8.. 6 82/min", "bigeminy 4.8..9.6 7 75/min cut"}},
		{"pulses that capture", "12*pulse800+Q60", nil},
		{"pulses that do not", "5*pulse800+Q60 6*pulse860 pulse860+Q60 3*pulse800+Q60", []string{
			"no_capture 5.2.. 3 70/min", "no_capture 5.2..9.5 6 70/min"}},
		{"two that do not", "5*pulse800+Q60 2*pulse860 pulse860+Q60 3*pulse800+Q60", nil},
		{"pulses into the heart's own beats", "12*N800+pulse100", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWard(t, "p01")
			w.script(c.script)
			got, want := strings.Join(w.episodes(), "\n"), strings.Join(c.want, "\n")
			if got != want {
				t.Errorf("the episodes of %s are\n%s\n\nand must be\n%s", c.script, got, want)
			}
		})
	}
}
