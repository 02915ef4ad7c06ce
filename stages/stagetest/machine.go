package stagetest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// event is one thing that a stage said, or the error by which it condemned a record.
type event struct {
	input int
	key   topics.Key
	text  string // readable
	bytes []byte // type and deterministic encoding
}

// trace is all that a fold shows: what was said, and a digest of every state after every record.
type trace struct {
	events []event
	states []uint64
}

func (t *trace) diff(name string, other *trace) error {
	for i, e := range t.events {
		if i >= len(other.events) {
			return fmt.Errorf("%s: record %d no longer gives %s", name, e.input, e.text)
		}
		o := other.events[i]
		if o.input != e.input || o.key != e.key || !bytes.Equal(o.bytes, e.bytes) {
			return fmt.Errorf("%s: output %d was, from record %d,\n  %s\nand is, from record %d,\n  %s", name, i, e.input, e.text, o.input, o.text)
		}
	}
	if len(other.events) > len(t.events) {
		o := other.events[len(t.events)]
		return fmt.Errorf("%s: record %d gives besides %s", name, o.input, o.text)
	}
	for i := range min(len(t.states), len(other.states)) {
		if t.states[i] != other.states[i] {
			return fmt.Errorf("%s: the outputs are equal, but after record %d the state is another", name, i)
		}
	}
	return nil
}

// machine folds a log as a runner does, with places to interfere.
type machine[S any, PS stages.State[S], In proto.Message, Out any] struct {
	stage  stages.Stage[S, In, Out]
	topic  topics.Topic[In]
	inputs []topics.Record[In]

	only  topics.Key                                    // fold this key alone; empty: all
	after func(topics.Record[In])                       // called with what it was given, once the call has returned
	given func(event, Out)                              // called with each output once the call has returned
	swap  func(i int, key topics.Key, s *S) (*S, error) // the state to go on with

	cells   map[topics.Key]*S
	order   []topics.Key
	ticks   int
	largest []byte // the largest state there was
	trace   trace
}

func (m *machine[S, PS, In, Out]) run() error { return m.fold(0, len(m.inputs)) }

// fold folds inputs[from:to].
func (m *machine[S, PS, In, Out]) fold(from, to int) error {
	for i := from; i < to; i++ {
		if err := m.step(i); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	return nil
}

func (m *machine[S, PS, In, Out]) step(i int) error {
	r := m.inputs[i]
	r.Value, r.Raw = proto.Clone(r.Value).(In), bytes.Clone(r.Raw)
	was := mustMarshal(r.Value)
	var tick *topics.Tick
	if m.topic.Tick != nil {
		tick = m.topic.Tick(r.Value)
	}
	keys := []topics.Key{r.Key}
	if tick != nil {
		m.ticks++
		keys = slices.Clone(m.order)
	} else if m.only != "" && r.Key != m.only {
		return nil
	} else if m.cells[r.Key] == nil {
		m.cells[r.Key] = new(S)
		m.order = sortedKeys(m.cells)
	}
	for _, key := range keys {
		do := func(s *S, emit func(Out)) error { return m.stage.Processor.Process(s, r, emit) }
		if tick != nil {
			do = func(s *S, emit func(Out)) error { return m.stage.Processor.Advance(s, tick, emit) }
		}
		if err := m.call(i, key, do); err != nil {
			return err
		}
	}
	if !bytes.Equal(was, mustMarshal(r.Value)) {
		return errors.New("the stage changed the record it was given")
	}
	if m.after != nil {
		m.after(r)
	}
	return m.digest()
}

// call folds one event into one key. Where the stage condemns the record, the
// state is put back and what it said is forgotten.
func (m *machine[S, PS, In, Out]) call(i int, key topics.Key, do func(*S, func(Out)) error) error {
	s := m.cells[key]
	saved, err := m.encode(s)
	if err != nil {
		return err
	}
	said, err := m.invoke(s, do)
	var bad *condemned
	switch {
	case errors.As(err, &bad):
		fresh := new(S)
		if err := unmarshal[S, PS](fresh, saved); err != nil {
			return err
		}
		m.cells[key] = fresh
		m.trace.events = append(m.trace.events, event{i, key, "the error " + bad.Error(), []byte(bad.Error())})
		return nil
	case err != nil:
		return err
	}
	for _, out := range said {
		e, err := describe(i, key, out)
		if err != nil {
			return err
		}
		m.trace.events = append(m.trace.events, e)
		if m.given != nil {
			m.given(e, out)
		}
	}
	if d, ok := any(s).(stages.Departing); ok && d.Gone() {
		delete(m.cells, key)
		m.order = sortedKeys(m.cells)
		return nil
	}
	if m.swap != nil {
		if m.cells[key], err = m.swap(i, key, s); err != nil {
			return err
		}
	}
	return nil
}

// condemned is an error of the stage about a record: allowed, and part of what it says.
type condemned struct{ err error }

func (c *condemned) Error() string { return c.err.Error() }

// panicked is never allowed.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func isPanic(err error) bool {
	var p *panicked
	return errors.As(err, &p)
}

func (m *machine[S, PS, In, Out]) invoke(s *S, do func(*S, func(Out)) error) (said []Out, err error) {
	var over, busy atomic.Bool
	defer func() {
		over.Store(true)
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	emit := func(v Out) {
		if over.Load() {
			// Whoever kept it is found out by its own call: it panics there.
			panic("emit was called after the call it belongs to had returned")
		}
		if busy.Swap(true) {
			panic("emit was called by two at a time")
		}
		said = append(said, v)
		busy.Store(false)
	}
	if err := do(s, emit); err != nil {
		return nil, &condemned{err}
	}
	return said, nil
}

func (m *machine[S, PS, In, Out]) encode(s *S) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("AppendBinary: %w", &panicked{p, debug.Stack()})
		}
	}()
	b, err = PS(s).AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("AppendBinary: %w", err)
	}
	if len(b) > len(m.largest) {
		m.largest = b
	}
	return b, nil
}

func (m *machine[S, PS, In, Out]) digest() error {
	h := fnv.New64a()
	for _, key := range m.order {
		b, err := m.encode(m.cells[key])
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d ", string(key), len(b))
		h.Write(b)
	}
	m.trace.states = append(m.trace.states, h.Sum64())
	return nil
}

func unmarshal[S any, PS stages.State[S]](s *S, b []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("UnmarshalBinary: %w", &panicked{p, debug.Stack()})
		}
	}()
	mine := bytes.Clone(b)
	err = PS(s).UnmarshalBinary(mine)
	for i := range mine {
		mine[i] = ^mine[i] // b is not the state's to keep
	}
	if err != nil {
		return fmt.Errorf("UnmarshalBinary: %w", err)
	}
	return nil
}

// describe encodes an output and checks that a runner could write it.
func describe(input int, key topics.Key, out any) (event, error) {
	v, ok := out.(proto.Message)
	if !ok || v == nil || !v.ProtoReflect().IsValid() {
		return event{}, fmt.Errorf("said a %T, which is no record of any topic", out)
	}
	if err := belongs(v); err != nil {
		return event{}, err
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
	if err != nil {
		return event{}, fmt.Errorf("said what cannot be encoded: %w", err)
	}
	name := string(v.ProtoReflect().Descriptor().FullName())
	return event{input, key, name + " " + prototext.MarshalOptions{}.Format(v), append([]byte(name+"\x00"), b...)}, nil
}

func belongs(v proto.Message) error {
	for _, t := range topics.All() {
		key, err := t.KeyOf(v)
		if err != nil {
			continue
		}
		if t.TickOf(v) != nil {
			return fmt.Errorf("said a tick on %s: the runner passes ticks on itself", t.About().Name)
		}
		if key == "" {
			return fmt.Errorf("said a record of %s without a key: %s", t.About().Name, prototext.MarshalOptions{}.Format(v))
		}
		return nil
	}
	return fmt.Errorf("said a %s, which belongs to no topic", v.ProtoReflect().Descriptor().FullName())
}

func sortedKeys[S any](cells map[topics.Key]*S) []topics.Key {
	return slices.Sorted(maps.Keys(cells))
}
