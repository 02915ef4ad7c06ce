package scenario

import (
	"errors"
	"fmt"
	"slices"
)

// candidate is one that became no alarm, and when that was said.
type candidate struct {
	at        float64
	rule, why string
}

type wantSuppressed struct {
	at        span
	rule, why string
}

func (s *scenario) suppressedLine(words []string) (err error) {
	if len(words) != 3 {
		return errors.New("want FROM..TO, a rule and why: 24..26 hr.high short")
	}
	w := wantSuppressed{rule: words[1], why: words[2]}
	if w.at, err = parseSpan(words[0]); err != nil {
		return err
	}
	if !slices.Contains([]string{"short", "inhibited", "quality", "off", "standby"}, w.why) {
		return fmt.Errorf("%q: want short, inhibited, quality, off or standby", w.why)
	}
	s.candidates = append(s.candidates, w)
	return nil
}

func (s scenario) wrongSuppressed(got *story) string {
	for _, w := range s.candidates {
		if !slices.ContainsFunc(got.candidates, func(c candidate) bool { return c.rule == w.rule && c.why == w.why && w.at.holds(c.at) }) {
			return fmt.Sprintf("want %s suppressed (%s) in %v..%v", w.rule, w.why, w.at.from, w.at.to)
		}
	}
	return ""
}
