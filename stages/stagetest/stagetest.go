// Package stagetest is the conformance suite of the stages: what a runner
// relies on when it crashes, aborts, moves a key to another process or plays
// an old log again. A stage that passes says the same thing each time.
//
// Hand it the stage, the topic it reads and a log that leads the stage through
// everything it can do, ticks and several keys included. A log on which the
// stage is silent proves nothing and is refused.
package stagetest

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// Run runs every property as a subtest.
//
// Records stand in the order of the log. A record that carries a tick (see
// topics.Topic.Tick) is given to Advance of every key seen before it, anything
// else to Process of its own key, as a runner does it. Offsets are set by Run.
func Run[S any, PS stages.State[S], In proto.Message, Out any](t *testing.T, stage stages.Stage[S, In, Out], topic topics.Topic[In], inputs []topics.Record[In]) {
	t.Helper()
	s, err := newSuite[S, PS](stage, topic, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.properties() {
		t.Run(p.name, func(t *testing.T) {
			if err := p.check(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("%d records, %d outputs, largest state %d bytes", len(inputs), len(s.clean.events), len(s.largest))
}

// Check is Run without a test: the first violation, or nil.
func Check[S any, PS stages.State[S], In proto.Message, Out any](stage stages.Stage[S, In, Out], topic topics.Topic[In], inputs []topics.Record[In]) error {
	s, err := newSuite[S, PS](stage, topic, inputs)
	if err != nil {
		return err
	}
	for _, p := range s.properties() {
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}

type suite[S any, PS stages.State[S], In proto.Message, Out any] struct {
	stage   stages.Stage[S, In, Out]
	topic   topics.Topic[In]
	inputs  []topics.Record[In]
	clean   trace
	largest []byte // the largest state there was: dirt to decode over
}

type property struct {
	name  string
	check func() error
}

func (s *suite[S, PS, In, Out]) properties() []property {
	list := []property{
		{"deterministic", s.deterministic},
		{"keys apart", s.keysApart},
		{"input not kept or changed", s.inputNotKept},
		{"output given away", s.outputGivenAway},
		{"crash and refold", s.crashAndRefold},
		{"abort", s.abort},
		{"codec", s.codec},
	}
	if _, hears := any(s.stage.Processor).(stages.Overtakable[S, Out]); hears {
		list = append(list, property{"overtaken", s.overtaken})
	}
	return list
}

func newSuite[S any, PS stages.State[S], In proto.Message, Out any](stage stages.Stage[S, In, Out], topic topics.Topic[In], inputs []topics.Record[In]) (*suite[S, PS, In, Out], error) {
	s := &suite[S, PS, In, Out]{stage: stage, topic: topic, inputs: make([]topics.Record[In], len(inputs))}
	copy(s.inputs, inputs)
	for i := range s.inputs {
		s.inputs[i].Offset = int64(i)
	}
	if stage.Name == "" || stage.Version == 0 {
		return nil, errors.New("stage: want a name, and a version of at least 1")
	}
	m := s.machine()
	if err := m.run(); err != nil {
		return nil, err
	}
	s.clean = m.trace
	if len(s.clean.events) == 0 {
		return nil, errors.New("inputs: the stage says nothing to them, so nothing can be proved; give it a log to which it speaks")
	}
	if topic.Tick != nil && m.ticks == 0 {
		return nil, errors.New("inputs: no tick among them; a stage lives with ticks")
	}
	s.largest = m.largest
	return s, nil
}

func (s *suite[S, PS, In, Out]) machine() *machine[S, PS, In, Out] {
	return &machine[S, PS, In, Out]{stage: s.stage, topic: s.topic, inputs: s.inputs, cells: map[topics.Key]*S{}}
}

// dirty is a state that remembers a whole other life.
func (s *suite[S, PS, In, Out]) dirty() (*S, error) {
	d := new(S)
	return d, unmarshal[S, PS](d, s.largest)
}
