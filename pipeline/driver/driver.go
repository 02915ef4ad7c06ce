// Package driver runs stages over given records without a broker: the very
// code that watches patients, for tests, annotation and back-tests. Stages are
// chained as iterators: what one says is what the next reads.
//
//	frames := driver.Ticks(records)
//	chart := driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
//		driver.Fold(beats.Stage(), topics.Frames, topics.Annotations, frames))
package driver

import (
	"fmt"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/stages"
	"heartwire/topics"
)

// Kept is how many records are looked at again when one is condemned: the memory
// of a record can be used again when so many more have come. A state is written
// down as often, which is not cheap.
const Kept = 256

// Fold gives what a stage says of records, in order, as records of out. It
// passes ticks on as the runner does. A record that the stage condemns, and an
// error of records, is given as an error in its place; the rest goes on.
func Fold[S any, PS stages.State[S], In, Out proto.Message](
	stage stages.Stage[S, In, Out], in topics.Topic[In], out topics.Topic[Out], records iter.Seq2[topics.Record[In], error],
) iter.Seq2[topics.Record[Out], error] {
	return func(yield func(topics.Record[Out], error) bool) {
		p := fold.New[S, PS](stage, in, 0, 0)
		var n, offset int64
		say := func(v Out, o topics.Origin) bool {
			r := topics.Record[Out]{Key: out.Key(v), Origin: o, Offset: offset, Value: v}
			offset++
			return yield(r, nil)
		}
		for r, err := range records {
			if err != nil {
				if !yield(topics.Record[Out]{}, err) {
					return
				}
				continue
			}
			if err := p.Fold(r); err != nil {
				yield(topics.Record[Out]{}, err)
				return
			}
			said, bad := p.Take()
			for _, s := range said {
				if !say(s.Value, s.Origin) {
					return
				}
			}
			for _, b := range bad {
				if !yield(topics.Record[Out]{}, fmt.Errorf("%s: record at offset %d: %w", stage.Name, b.Record.Offset, b.Err)) {
					return
				}
			}
			// A commit makes the next record write the state down.
			if n++; n%Kept == 0 {
				p.Commit()
			}
			if in.Tick == nil || out.Wrap == nil {
				continue
			}
			if t := in.Tick(r.Value); t != nil && !say(out.Wrap(t), topics.Origin{Source: in.Name, Offset: r.Offset}) {
				return
			}
		}
	}
}

// Tap shows each record to see as it passes.
func Tap[T any](records iter.Seq2[topics.Record[T], error], see func(T)) iter.Seq2[topics.Record[T], error] {
	return func(yield func(topics.Record[T], error) bool) {
		for r, err := range records {
			if err == nil {
				see(r.Value)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Ticks numbers frames as a log of one partition, and puts a tick into it for
// each second of the frames' arrival, as a clock would have. tail is how long
// it goes on ticking after the last frame.
func Ticks(frames iter.Seq2[*topics.Frame, error], tail time.Duration) iter.Seq2[topics.Record[*topics.Frame], error] {
	return TicksAt(topics.Frames, func(f *topics.Frame) int64 { return f.GetSamples().GetArrivalUs() }, frames, tail)
}

// TicksAt is Ticks for the values of any topic. arrived is when a value
// reached the log in UTC µs, in order; 0: with the one before.
func TicksAt[T proto.Message](topic topics.Topic[T], arrived func(T) (us int64), values iter.Seq2[T, error], tail time.Duration) iter.Seq2[topics.Record[T], error] {
	return func(yield func(topics.Record[T], error) bool) {
		c := ticker[T]{topic: topic, yield: yield}
		for v, err := range values {
			if err != nil {
				if !yield(topics.Record[T]{}, err) {
					return
				}
				continue
			}
			if us := arrived(v); us != 0 && !c.until(us) {
				return
			}
			if !c.say(v) {
				return
			}
		}
		c.until(c.next + tail.Microseconds() - 1)
	}
}

const second = int64(1e6) // µs

type ticker[T proto.Message] struct {
	topic topics.Topic[T]
	yield func(topics.Record[T], error) bool
	n     int64  // offset
	ticks uint64 //
	next  int64  // µs at which the next tick is due; 0 before the first value
}

// until ticks up to a time.
func (c *ticker[T]) until(us int64) bool {
	if c.next == 0 {
		c.next = us + second
	}
	for ; c.next <= us; c.next += second {
		c.ticks++
		if !c.say(c.topic.Wrap(&topics.Tick{N: c.ticks, Owner: 1, ElapsedUs: second, WallUs: c.next})) {
			return false
		}
	}
	return true
}

func (c *ticker[T]) say(v T) bool {
	r := topics.Record[T]{Key: c.topic.Key(v), Offset: c.n, Value: v}
	c.n++
	return c.yield(r, nil)
}
