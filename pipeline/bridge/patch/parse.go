package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
//	sinus R   af R   vt R   flutter R   pace R   nocapture R   vf   asystole
//	pvc N   pac N   couplet N   run N   r-on-t N   blocked N   bigeminy   trigeminy
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
	return slices.Contains([]RhythmKind{Sinus, AF, VT, VF, Flutter, Asystole, Paced, Uncaught}, RhythmKind(s))
}

func isEctopy(s string) bool {
	return slices.Contains([]EctopyKind{PVC, PAC, Bigeminy, Trigeminy, Couplet, Run, RonT, Blocked}, EctopyKind(s))
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
	return c, term[0].wrong("%q is no rhythm, ectopy or condition: want sinus, af, vt, vf, flutter, asystole, pace, nocapture; pvc, pac, couplet, run, r-on-t, blocked, bigeminy, trigeminy; lead-off, noise, wander, mains, gain, dropout; or loop", term[0].text)
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
