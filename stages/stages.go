// Package stages is the contract of the stages: pure functions over one
// patient's log. Its sub-packages decide: where the beats are, what the rate
// is, whether somebody must come. None of them knows a clock, a network, a
// goroutine or chance, so whatever they said can be said again, exactly.
package stages

import (
	"encoding"

	"heartwire/topics"
)

// Processor folds the records of one key into its state S.
//
// A runner calls it for one key at a time and in the order of the log. emit
// may be called any number of times, only before the call returns; a value's
// dynamic type picks the topic it goes to, and its topic's Key the record's.
// An emitted value, and everything it points to, belongs to the runner.
// In and what it points to may be kept until the call returns, not longer.
//
// The zero S is the state of a key never seen.
type Processor[S, In, Out any] interface {
	// Process folds one record. An error condemns the record, never the
	// partition: the state is put back, what was emitted is forgotten, and
	// the record goes to rejects. So does a panic.
	Process(s *S, r topics.Record[In], emit func(Out)) error

	// Advance says that time reached t though no record came. It is called
	// for each key of the partition, ticks in order. S must know its own key.
	Advance(s *S, t *topics.Tick, emit func(Out)) error
}

// State is what a stage keeps for a key, able to write itself down. What it
// writes is a function of its value alone: equal states, equal bytes.
// UnmarshalBinary overwrites the whole state, refuses what it cannot
// understand, and does not keep b.
type State[S any] interface {
	*S
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// Departing is a State that can tell that its key is done with: unbound and
// all said. The runner then forgets it and writes a tombstone.
type Departing interface{ Gone() bool }

// Overtakable is a Processor that can say that records were lost: the log had
// forgotten them before the stage read them. lost is how many of the
// partition, this key's or others'. What it emits tells those downstream that
// nothing is known of that time. It follows the rules of Process.
type Overtakable[S, Out any] interface {
	Overtaken(s *S, lost int64, emit func(Out)) error
}

// Stage is a processor with the name and version under which its state is kept.
type Stage[S, In, Out any] struct {
	Name      string // beats; its group, changelog and metrics are named after it
	Version   uint32 // of the state's encoding; rises when it changes
	Processor Processor[S, In, Out]
	// Migrate turns a state that was written down as an older version into
	// this Version's encoding, or says why it cannot. Without it a checkpoint
	// of an older version is refused.
	Migrate func(version uint32, state []byte) ([]byte, error)
}
