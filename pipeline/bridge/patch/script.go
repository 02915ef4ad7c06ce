package patch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Script says what a patient's heart and patch do, step after step. Parse
// reads it; the grammar is told there.
type Script struct {
	Steps []Step // the last one goes on for ever, unless Loop
	Loop  bool   // after the last step the first one comes again
}

// Step is a rhythm and what happens beside it, for a while.
type Step struct {
	For        time.Duration // 0 in the last step of a script that does not loop: for ever
	Rhythm     Rhythm
	Ectopy     Ectopy
	Conditions []Condition
}

// RhythmKind names a rhythm as scripts do.
type RhythmKind string

// The rhythms.
const (
	Sinus    RhythmKind = "sinus"     // regular, with P waves and the variability of breathing and blood pressure
	AF       RhythmKind = "af"        // atrial fibrillation: irregular, no P, f-waves
	VT       RhythmKind = "vt"        // ventricular tachycardia, one form; below 100/min idioventricular
	VF       RhythmKind = "vf"        // ventricular fibrillation: no beats
	Flutter  RhythmKind = "flutter"   // ventricular flutter, so many even waves /min: no beats
	Asystole RhythmKind = "asystole"  // no beats: the noise of the amplifier
	Paced    RhythmKind = "pace"      // ventricular pacing, each pulse captured
	Uncaught RhythmKind = "nocapture" // pulses of a pacemaker that no beat follows
)

// Rhythm is a rhythm with its rate.
type Rhythm struct {
	Kind RhythmKind
	From float64 // beats /min when the step begins; 0 for those that have none
	To   float64 // beats /min when it ends
}

// EctopyKind names the beats that come too early.
type EctopyKind string

// The kinds of ectopy.
const (
	PVC       EctopyKind = "pvc"       // single ventricular beats with a full compensatory pause
	PAC       EctopyKind = "pac"       // single supraventricular beats, which reset the sinus node
	Bigeminy  EctopyKind = "bigeminy"  // each second beat is a PVC
	Trigeminy EctopyKind = "trigeminy" // each third beat is a PVC
	Couplet   EctopyKind = "couplet"   // two ventricular beats in a row, at 150 /min
	Run       EctopyKind = "run"       // four
	RonT      EctopyKind = "r-on-t"    // single ventricular beats on the T wave
	Blocked   EctopyKind = "blocked"   // a beat of the sinus node that is not conducted
)

// Ectopy is what disturbs a sinus rhythm; the zero value is none.
type Ectopy struct {
	Kind EctopyKind
	Rate float64 // /min; 0 of bigeminy and trigeminy
}

// ConditionKind names what can happen to the signal, whatever the heart does.
type ConditionKind string

// The conditions.
const (
	LeadOff ConditionKind = "lead-off" // the lead is flagged off and its values are at the rail
	Noise   ConditionKind = "noise"    // of muscles; mV RMS
	Wander  ConditionKind = "wander"   // of the baseline; mV from peak to peak
	Mains   ConditionKind = "mains"    // 50 Hz; mV from peak to peak
	Gain    ConditionKind = "gain"     // factor on all that the heart does
	Dropout ConditionKind = "dropout"  // samples are missing and never come
)

// Condition is a condition with its measure or its lead.
type Condition struct {
	Kind  ConditionKind
	Lead  string  // of LeadOff; "all" for every lead
	Value float64 // of the others; Dropout has none
}

// String is the script in words that Parse reads back to the same script.
func (s Script) String() string {
	var b strings.Builder
	for i, st := range s.Steps {
		if i > 0 {
			b.WriteString("; ")
		}
		if st.For > 0 {
			fmt.Fprintf(&b, "%s ", st.For)
		}
		b.WriteString(st.Rhythm.String())
		switch {
		case st.Ectopy.Rate > 0:
			fmt.Fprintf(&b, " + %s %s/min", st.Ectopy.Kind, plain(st.Ectopy.Rate))
		case st.Ectopy.Kind != "":
			fmt.Fprintf(&b, " + %s", st.Ectopy.Kind)
		}
		for _, c := range st.Conditions {
			fmt.Fprintf(&b, " + %s", c)
		}
	}
	if s.Loop {
		b.WriteString("; loop")
	}
	return b.String()
}

// String is the term of the rhythm.
func (r Rhythm) String() string {
	switch {
	case r.From == 0:
		return string(r.Kind)
	case r.From == r.To:
		return fmt.Sprintf("%s %s", r.Kind, plain(r.From))
	}
	return fmt.Sprintf("%s %s..%s", r.Kind, plain(r.From), plain(r.To))
}

// String is the term of the condition.
func (c Condition) String() string {
	switch c.Kind {
	case Dropout:
		return string(c.Kind)
	case LeadOff:
		return fmt.Sprintf("%s %s", c.Kind, c.Lead)
	case Gain:
		return fmt.Sprintf("%s %s", c.Kind, plain(c.Value))
	}
	return fmt.Sprintf("%s %smV", c.Kind, plain(c.Value))
}

// plain writes a number without an exponent, so that number reads it back.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
