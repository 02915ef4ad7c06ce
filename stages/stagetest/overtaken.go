package stagetest

import (
	"bytes"
	"errors"
	"fmt"

	"heartwire/stages"
	"heartwire/topics"
)

// overtaken: the log forgets a part of itself before the stage reads it. What
// the stage makes of that is a function of its state, stands in its state, and
// is more than nothing; and what was said before is not said again.
func (s *suite[S, PS, In, Out]) overtaken() error {
	heard := false
	for _, share := range []int{4, 2, 1} {
		from := len(s.inputs) * share / 5
		to := min(from+len(s.inputs)/10+1, len(s.inputs))
		first, err := s.forgetting(from, to, false)
		if err != nil {
			return err
		}
		heard = heard || first.heard
		again, err := s.forgetting(from, to, false)
		if err != nil {
			return err
		}
		if err := first.trace.diff("a second fold that is overtaken", &again.trace); err != nil {
			return err
		}
		restored, err := s.forgetting(from, to, true)
		if err != nil {
			return err
		}
		if err := first.trace.diff("a fold that is restored after it was overtaken", &restored.trace); err != nil {
			return err
		}
		if err := s.saysOnce(&first.trace, from); err != nil {
			return fmt.Errorf("overtaken by records %d to %d: %w", from, to-1, err)
		}
	}
	if !heard {
		return errors.New("the stage is told that records are lost, and neither says nor keeps anything")
	}
	return nil
}

// lossy is a fold that was overtaken.
type lossy struct {
	trace trace
	heard bool // it said something to that, or a state became another
}

// forgetting folds all but inputs[from:to], of which it tells each key.
func (s *suite[S, PS, In, Out]) forgetting(from, to int, restore bool) (l lossy, err error) {
	m := s.machine()
	if err := m.fold(0, from); err != nil {
		return l, err
	}
	said := len(m.trace.events)
	for _, key := range m.order {
		before, err := m.encode(m.cells[key])
		if err != nil {
			return l, err
		}
		if err := m.call(from, key, func(s *S, emit func(Out)) error {
			return m.stage.Processor.(stages.Overtakable[S, Out]).Overtaken(s, int64(to-from), emit)
		}); err != nil {
			return l, err
		}
		if m.cells[key] == nil {
			continue
		}
		after, err := m.encode(m.cells[key])
		if err != nil {
			return l, err
		}
		l.heard = l.heard || !bytes.Equal(before, after)
		if restore {
			if m.cells[key], err = s.dirty(); err != nil {
				return l, err
			}
			if err := unmarshal[S, PS](m.cells[key], after); err != nil {
				return l, err
			}
		}
	}
	l.heard = l.heard || len(m.trace.events) > said
	if err := m.digest(); err != nil {
		return l, err
	}
	if err := m.fold(to, len(s.inputs)); err != nil {
		return l, err
	}
	l.trace = m.trace
	return l, nil
}

// saysOnce checks that nothing said before record from is said again from there
// on, but for what the stage says more than once in any case.
func (s *suite[S, PS, In, Out]) saysOnce(t *trace, from int) error {
	type words struct {
		key   topics.Key
		bytes string
	}
	often, before := map[words]int{}, map[words]int{}
	for _, e := range s.clean.events {
		often[words{e.key, string(e.bytes)}]++
	}
	for _, e := range t.events {
		w := words{e.key, string(e.bytes)}
		if e.input < from {
			before[w] = e.input
		} else if at, said := before[w]; said && often[w] < 2 {
			return fmt.Errorf("after it the stage says again what record %d gave: %s", at, e.text)
		}
	}
	return nil
}
