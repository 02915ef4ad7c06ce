package patch

import (
	"fmt"
	"slices"
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
)

// Ectopy is what disturbs a sinus rhythm; the zero value is none.
type Ectopy struct {
	Kind EctopyKind
	Rate float64 // /min, of PVC and PAC
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

// Limits of what a script may ask for.
const (
	minRate = 10.0 // /min
	maxRate = 350.0
	minStep = 20 * time.Millisecond
	maxStep = 24 * time.Hour
	maxMV   = 10.0
	maxSize = 64 << 10 // bytes of a script
)

const defaultRate = 72.0 // /min, of a sinus rhythm before a script has named a rate

// Parse reads a script:
//
//	20s sinus 66; 12s asystole; 8s sinus 40..66; 20s pvc 6/min; loop
//
// Steps are separated by ";" or line ends; # begins a comment. A step is a
// duration (1.5s, 2m30s), then terms joined by "+", in any order:
//
//	sinus R   af R   vt R   pace R   nocapture R   vf   asystole
//	pvc N   pac N   bigeminy   trigeminy
//	lead-off NAME|all   noise A   wander A   mains A   gain X   dropout
//
// R is a rate /min, or two joined by ".." for a rate that moves in the course of
// the step; N is a number /min; "/min" may be written after both. A is in mV
// (0.3mV) or µV (300uV), X a factor. A rhythm holds until a step names another:
// a step with conditions alone goes on with the rhythm before it. Ectopy and
// conditions hold for their step; ectopy needs a sinus rhythm, and brings the last
// one back. A step without duration takes no time, and so sets what the next one
// goes on with; as the last step it goes on for ever, and so does the rhythm alone
// of a last step that has a duration. "loop" may only stand last.
//
// An error names line, column and what was expected.
func Parse(text string) (Script, error) {
	if len(text) > maxSize {
		return Script{}, fmt.Errorf("script: %d bytes are more than the %d that a script may have", len(text), maxSize)
	}
	p := parser{last: Rhythm{Sinus, defaultRate, defaultRate}}
	p.sinus = p.last
	for _, st := range split(text) {
		if err := p.step(st); err != nil {
			return Script{}, fmt.Errorf("script: %w", err)
		}
	}
	if len(p.out.Steps) == 0 {
		return Script{}, fmt.Errorf("script: there is no step; write, say, sinus 72")
	}
	return p.finish()
}

// word is a word of a script and where it stands.
type word struct {
	text      string
	line, col int // from 1; col in characters
}

func (w word) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %s", w.line, w.col, fmt.Sprintf(format, args...))
}

// split cuts a script into steps, each a list of words; "+" is a word of its own.
func split(text string) [][]word {
	var steps [][]word
	var step []word
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		start, col := -1, 0
		runes := []rune(line)
		flush := func(end int) {
			if start >= 0 {
				step = append(step, word{string(runes[start:end]), n + 1, start + 1})
				start = -1
			}
		}
		for col = range runes {
			switch r := runes[col]; {
			case r == ';' || r == '+':
				flush(col)
				if r == '+' {
					step = append(step, word{"+", n + 1, col + 1})
				} else {
					steps, step = append(steps, step), nil
				}
			case r == ' ' || r == '\t' || r == '\r':
				flush(col)
			case start < 0:
				start = col
			}
		}
		flush(len(runes))
		steps, step = append(steps, step), nil
	}
	return slices.DeleteFunc(steps, func(s []word) bool { return len(s) == 0 })
}

type parser struct {
	out   Script
	last  Rhythm // in force
	sinus Rhythm // the last sinus rhythm, for ectopy
}

func (p *parser) step(words []word) error {
	if p.out.Loop {
		return words[0].wrong("nothing can follow loop")
	}
	if words[0].text == "loop" {
		if len(words) > 1 {
			return words[1].wrong("nothing can follow loop")
		}
		if !slices.ContainsFunc(p.out.Steps, func(s Step) bool { return s.For > 0 }) {
			return words[0].wrong("loop needs a step with a duration before it")
		}
		p.out.Loop = true
		return nil
	}
	var st Step
	if first := words[0]; first.text[0] >= '0' && first.text[0] <= '9' || first.text[0] == '-' || first.text[0] == '.' {
		d, err := time.ParseDuration(first.text)
		if err != nil || d < minStep || d > maxStep {
			return first.wrong("%q is not a duration from 20ms to 24h (1.5s, 2m30s)", first.text)
		}
		st.For = d
		if words = words[1:]; len(words) == 0 {
			return first.wrong("a rhythm or a condition must follow the duration %s", first.text)
		}
	}
	if err := p.terms(&st, words); err != nil {
		return err
	}
	p.out.Steps = append(p.out.Steps, st)
	return nil
}

func (p *parser) terms(st *Step, words []word) error {
	named := false
	var ectopy word
	for len(words) > 0 {
		n := slices.IndexFunc(words, func(w word) bool { return w.text == "+" })
		term := words
		if n >= 0 {
			term = words[:n]
			if n == 0 || n == len(words)-1 {
				return words[n].wrong("a term must stand on both sides of +")
			}
			words = words[n+1:]
		} else {
			words = nil
		}
		var err error
		switch name := term[0].text; {
		case isRhythm(name):
			if named {
				return term[0].wrong("a step can have one rhythm")
			}
			named = true
			st.Rhythm, err = rhythmTerm(term)
		case isEctopy(name):
			if st.Ectopy.Kind != "" {
				return term[0].wrong("a step can have one kind of ectopy")
			}
			ectopy = term[0]
			st.Ectopy, err = ectopyTerm(term)
		default:
			var c Condition
			c, err = conditionTerm(term)
			st.Conditions = append(st.Conditions, c)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case named && st.Ectopy.Kind != "" && st.Rhythm.Kind != Sinus:
		return ectopy.wrong("%s needs a sinus rhythm, not %s", ectopy.text, st.Rhythm.Kind)
	case !named && st.Ectopy.Kind != "":
		st.Rhythm = p.sinus.held()
	case !named:
		st.Rhythm = p.last.held()
	}
	p.last = st.Rhythm
	if st.Rhythm.Kind == Sinus {
		p.sinus = st.Rhythm
	}
	return nil
}

// finish drops the steps that took no time, now that those after them have
// taken over what they said, and lets the end go on for ever.
func (p *parser) finish() (Script, error) {
	last := p.out.Steps[len(p.out.Steps)-1]
	p.out.Steps = slices.DeleteFunc(p.out.Steps, func(s Step) bool { return s.For == 0 })
	switch {
	case p.out.Loop:
	case last.For == 0:
		last.Rhythm.From = last.Rhythm.To // nothing moves for ever
		p.out.Steps = append(p.out.Steps, last)
	default:
		p.out.Steps = append(p.out.Steps, Step{Rhythm: last.Rhythm.held()})
	}
	return p.out, nil
}

// held is the rhythm at the rate it ended with.
func (r Rhythm) held() Rhythm {
	r.From = r.To
	return r
}

func isRhythm(s string) bool {
	return slices.Contains([]RhythmKind{Sinus, AF, VT, VF, Asystole, Paced, Uncaught}, RhythmKind(s))
}

func isEctopy(s string) bool {
	return slices.Contains([]EctopyKind{PVC, PAC, Bigeminy, Trigeminy}, EctopyKind(s))
}

// one is the single value that must follow a term's name.
func one(term []word, what string) (word, error) {
	switch {
	case len(term) < 2:
		return word{}, term[0].wrong("%s needs %s", term[0].text, what)
	case len(term) > 2:
		return word{}, term[2].wrong("%q cannot stand here; separate steps by ; and terms by +", term[2].text)
	}
	return term[1], nil
}

func none(term []word) error {
	if len(term) > 1 {
		return term[1].wrong("nothing can follow %s", term[0].text)
	}
	return nil
}

func rhythmTerm(term []word) (Rhythm, error) {
	r := Rhythm{Kind: RhythmKind(term[0].text)}
	if r.Kind == VF || r.Kind == Asystole {
		return r, none(term)
	}
	w, err := one(term, "a rate /min, say 72 or 72..120")
	if err != nil {
		return r, err
	}
	from, to, moves := strings.Cut(strings.TrimSuffix(w.text, "/min"), "..")
	if !moves {
		to = from
	}
	var ok1, ok2 bool
	r.From, ok1 = number(from, minRate, maxRate)
	r.To, ok2 = number(to, minRate, maxRate)
	if !ok1 || !ok2 {
		return r, w.wrong("%q is not a rate from %g to %g /min (72, or 72..120)", w.text, minRate, maxRate)
	}
	return r, nil
}

func ectopyTerm(term []word) (Ectopy, error) {
	e := Ectopy{Kind: EctopyKind(term[0].text)}
	if e.Kind == Bigeminy || e.Kind == Trigeminy {
		return e, none(term)
	}
	w, err := one(term, "a number /min, say 6/min")
	if err != nil {
		return e, err
	}
	var ok bool
	if e.Rate, ok = number(strings.TrimSuffix(w.text, "/min"), 0.01, 30); !ok {
		return e, w.wrong("%q is not a number from 0.01 to 30 /min", w.text)
	}
	return e, nil
}

func conditionTerm(term []word) (Condition, error) {
	c := Condition{Kind: ConditionKind(term[0].text)}
	switch c.Kind {
	case Dropout:
		return c, none(term)
	case LeadOff:
		w, err := one(term, "the name of a lead, or all")
		if err != nil {
			return c, err
		}
		if c.Lead = w.text; c.Lead != "all" && !slices.Contains(LeadNames, c.Lead) {
			return c, w.wrong("%q is not a lead: want all or one of %s", w.text, strings.Join(LeadNames, " "))
		}
		return c, nil
	case Gain:
		w, err := one(term, "a factor, say 0.5")
		if err != nil {
			return c, err
		}
		var ok bool
		if c.Value, ok = number(w.text, 0.01, 20); !ok {
			return c, w.wrong("%q is not a factor from 0.01 to 20", w.text)
		}
		return c, nil
	case Noise, Wander, Mains:
		w, err := one(term, "an amplitude, say 0.3mV")
		if err != nil {
			return c, err
		}
		var ok bool
		if c.Value, ok = millivolts(w.text); !ok {
			return c, w.wrong("%q is not an amplitude up to %gmV (0.3mV, 300uV)", w.text, maxMV)
		}
		return c, nil
	}
	return c, term[0].wrong("%q is no rhythm, ectopy or condition: want sinus, af, vt, vf, asystole, pace, nocapture; pvc, pac, bigeminy, trigeminy; lead-off, noise, wander, mains, gain, dropout; or loop", term[0].text)
}

// number reads a plain decimal number within bounds.
func number(s string, low, high float64) (float64, bool) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && v >= low && v <= high
}

func millivolts(s string) (float64, bool) {
	for _, u := range []struct {
		unit string
		mv   float64
	}{{"mV", 1}, {"uV", 1000}, {"µV", 1000}} {
		if n, ok := strings.CutSuffix(s, u.unit); ok {
			v, ok := number(n, 0, maxMV*u.mv)
			return v / u.mv, ok
		}
	}
	return 0, false
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
