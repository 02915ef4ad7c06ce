package stagetest

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// deterministic: the same log gives the same bytes and the same states, by
// the same Processor: it keeps nothing outside of the state.
func (s *suite[S, PS, In, Out]) deterministic() error {
	m := s.machine()
	if err := m.run(); err != nil {
		return err
	}
	return s.clean.diff("a second fold", &m.trace)
}

// keysApart: a key's fold does not depend on its neighbours in the partition.
func (s *suite[S, PS, In, Out]) keysApart() error {
	seen := map[topics.Key]bool{}
	for _, r := range s.inputs {
		if (s.topic.Tick != nil && s.topic.Tick(r.Value) != nil) || seen[r.Key] {
			continue
		}
		seen[r.Key] = true
		m := s.machine()
		m.only = r.Key
		if err := m.run(); err != nil {
			return err
		}
		m.trace.states = nil // of one key, not comparable
		alone := trace{}
		for _, e := range s.clean.events {
			if e.key == r.Key {
				alone.events = append(alone.events, e)
			}
		}
		if err := alone.diff("a fold of one key alone", &m.trace); err != nil {
			return err
		}
	}
	return nil
}

// inputNotKept: once the call has returned, a record is the runner's to
// overwrite. That the stage does not change it is watched in every fold.
func (s *suite[S, PS, In, Out]) inputNotKept() error {
	m := s.machine()
	m.after = func(r topics.Record[In]) {
		scribble(r.Value.ProtoReflect())
		for i := range r.Raw {
			r.Raw[i] = ^r.Raw[i]
		}
	}
	if err := m.run(); err != nil {
		return err
	}
	return s.clean.diff("a fold whose records are overwritten after each call", &m.trace)
}

// outputGivenAway: what was emitted belongs to the runner, whatever it does with it.
func (s *suite[S, PS, In, Out]) outputGivenAway() error {
	m := s.machine()
	var said []event
	var kept []proto.Message
	m.given = func(e event, v Out) { said, kept = append(said, e), append(kept, any(v).(proto.Message)) }
	if err := m.run(); err != nil {
		return err
	}
	for i, e := range said {
		if now, err := describe(e.input, e.key, kept[i]); err != nil || !bytes.Equal(now.bytes, e.bytes) {
			return fmt.Errorf("the stage changed after the call what record %d had given: it was\n  %s\nand became\n  %s", e.input, e.text, now.text)
		}
	}
	m = s.machine()
	m.given = func(_ event, v Out) { scribble(any(v).(proto.Message).ProtoReflect()) }
	if err := m.run(); err != nil {
		return err
	}
	return s.clean.diff("a fold whose outputs are overwritten by their owner", &m.trace)
}

// crashAndRefold: after every record the process dies and another one goes on
// from the bytes, in memory that held another state.
func (s *suite[S, PS, In, Out]) crashAndRefold() error {
	m := s.machine()
	m.swap = func(i int, _ topics.Key, now *S) (*S, error) {
		b, err := m.encode(now)
		if err != nil {
			return nil, err
		}
		next := new(S)
		if i%2 == 0 {
			if next, err = s.dirty(); err != nil {
				return nil, err
			}
		}
		return next, unmarshal[S, PS](next, b)
	}
	if err := m.run(); err != nil {
		return err
	}
	return s.clean.diff("a fold that is restored after each record", &m.trace)
}

// abort: a run of records is folded, taken back and folded again, as when a
// transaction fails.
func (s *suite[S, PS, In, Out]) abort() error {
	m := s.machine()
	lengths := []int{1, 2, 7, 30, 3, 100}
	for from, k := 0, 0; from < len(s.inputs); k++ {
		to := min(from+lengths[k%len(lengths)], len(s.inputs))
		saved, err := m.snapshot()
		if err != nil {
			return err
		}
		events, states := len(m.trace.events), len(m.trace.states)
		if err := m.fold(from, to); err != nil {
			return err
		}
		if err := m.putBack(saved, k%2 == 0); err != nil {
			return err
		}
		m.trace.events, m.trace.states = m.trace.events[:events], m.trace.states[:states]
		if err := m.fold(from, to); err != nil {
			return err
		}
		from = to
	}
	return s.clean.diff("a fold in which each run of records is taken back once", &m.trace)
}

func (m *machine[S, PS, In, Out]) snapshot() (map[topics.Key][]byte, error) {
	saved := make(map[topics.Key][]byte, len(m.cells))
	for key, s := range m.cells {
		b, err := m.encode(s)
		if err != nil {
			return nil, err
		}
		saved[key] = b
	}
	return saved, nil
}

// putBack restores a snapshot, in place or into new memory.
func (m *machine[S, PS, In, Out]) putBack(saved map[topics.Key][]byte, inPlace bool) error {
	old := m.cells
	m.cells, m.order = map[topics.Key]*S{}, nil
	for key, b := range saved {
		s := old[key]
		if s == nil || !inPlace {
			s = new(S)
		}
		if err := unmarshal[S, PS](s, b); err != nil {
			return err
		}
		m.cells[key] = s
	}
	m.order = sortedKeys(m.cells)
	return nil
}
