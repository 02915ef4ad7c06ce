package patch

import (
	"io"

	"heartwire/topics"
)

// Source is where a patch's samples come from: a Synth or a Record.
type Source interface {
	// Rate is in Hz.
	Rate() float64
	// Leads are the leads of each Block, in order.
	Leads() []LeadSpec
	// Read overwrites b with the next n samples, or with fewer at the end;
	// after the last it returns io.EOF. b's slices are used again.
	Read(b *Block, n int) error
}

// LeadSpec is what does not change of a lead.
type LeadSpec struct {
	Name               string
	MicrovoltsPerCount float64
}

// Block is a run of samples with the truth about them.
type Block struct {
	First   uint64    // sample number, from 0 at the beginning of the source
	Counts  [][]int32 // one slice a lead, all of one length
	Off     []bool    // for each lead: off somewhere in the block
	Missing []bool    // for each sample: the patch has not got it; nil when it has all
	Pulses  []uint32  // pulses of a pacemaker, offsets from First
	Events  []Event   // what happens in the block, in order
	SpO2    float64   // % at the end of the block; 0 unknown
	Breaths float64   // /min at the end of the block; negative unknown
}

// Len is the number of samples.
func (b *Block) Len() int {
	if len(b.Counts) == 0 {
		return 0
	}
	return len(b.Counts[0])
}

// reset makes b hold n samples of so many leads.
func (b *Block) reset(first uint64, leads, n int) {
	if len(b.Counts) != leads {
		b.Counts, b.Off = make([][]int32, leads), make([]bool, leads)
	}
	for k := range b.Counts {
		if cap(b.Counts[k]) < n {
			b.Counts[k] = make([]int32, n)
		}
		b.Counts[k] = b.Counts[k][:n]
		b.Off[k] = false
	}
	b.First, b.Missing = first, nil
	b.Pulses, b.Events = b.Pulses[:0], b.Events[:0]
	b.SpO2, b.Breaths = 0, -1
}

// miss marks a sample as missing.
func (b *Block) miss(i int) {
	if b.Missing == nil {
		b.Missing = make([]bool, b.Len())
	}
	b.Missing[i] = true
}

// pad fills the block up to n samples with missing ones.
func (b *Block) pad(n int) {
	for i := b.Len(); i < n; i++ {
		for k, lead := range b.Counts {
			b.Counts[k] = append(lead, 0)
		}
		if b.Missing == nil {
			b.Missing = make([]bool, i)
		}
		b.Missing = append(b.Missing, true)
	}
}

// EventKind says what is true of an Event's sample.
type EventKind uint8

// The kinds of events.
const (
	Beat  EventKind = iota // the R peak, or the largest deflection, of a beat
	Pulse                  // a pulse of a pacemaker
	Onset                  // the first sample of a step of the script
)

// Event is the truth about one sample, for tests of what finds it again. A beat
// is there though its samples are missing or its leads are off.
type Event struct {
	Sample uint64
	Kind   EventKind
	Class  topics.BeatClass // of a Beat; Q is a paced one
	Step   *Step            // of an Onset
}

// limited ends a source after so many samples.
type limited struct {
	Source
	left uint64
}

func (l *limited) Read(b *Block, n int) error {
	if l.left == 0 {
		return io.EOF
	}
	err := l.Source.Read(b, int(min(uint64(n), l.left)))
	l.left -= uint64(b.Len())
	return err
}
