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

// Fold gives what a stage says of records, in order, as records of out. It
// passes ticks on as the runner does. A record that the stage condemns, and an
// error of records, is given as an error in its place; the rest goes on.
func Fold[S any, PS stages.State[S], In, Out proto.Message](
	stage stages.Stage[S, In, Out], in topics.Topic[In], out topics.Topic[Out], records iter.Seq2[topics.Record[In], error],
) iter.Seq2[topics.Record[Out], error] {
	return func(yield func(topics.Record[Out], error) bool) {
		p := fold.New[S, PS](stage, in, 0, 0)
		var n int64
		say := func(v Out, o topics.Origin) bool {
			r := topics.Record[Out]{Key: out.Key(v), Origin: o, Offset: n, Value: v}
			n++
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
			p.Commit()
			if in.Tick == nil || out.Wrap == nil {
				continue
			}
			if t := in.Tick(r.Value); t != nil && !say(out.Wrap(t), topics.Origin{Source: in.Name, Offset: r.Offset}) {
				return
			}
		}
	}
}

// Ticks numbers frames as a log of one partition, and puts a tick into it for
// each second of the frames' arrival, as a clock would have. tail is how long
// it goes on ticking after the last frame.
func Ticks(frames iter.Seq2[*topics.Frame, error], tail time.Duration) iter.Seq2[topics.Record[*topics.Frame], error] {
	return func(yield func(topics.Record[*topics.Frame], error) bool) {
		c := ticker{yield: yield}
		for f, err := range frames {
			if err != nil {
				if !yield(topics.Record[*topics.Frame]{}, err) {
					return
				}
				continue
			}
			if s := f.GetSamples(); s != nil && !c.until(s.ArrivalUs) {
				return
			}
			if !c.say(f) {
				return
			}
		}
		c.until(c.next + tail.Microseconds() - 1)
	}
}

const second = int64(1e6) // µs

type ticker struct {
	yield func(topics.Record[*topics.Frame], error) bool
	n     int64  // offset
	ticks uint64 //
	next  int64  // µs at which the next tick is due; 0 before the first frame
}

// until ticks up to a time.
func (c *ticker) until(us int64) bool {
	if c.next == 0 {
		c.next = us + second
	}
	for ; c.next <= us; c.next += second {
		c.ticks++
		if !c.say(topics.Frames.Wrap(&topics.Tick{N: c.ticks, Owner: 1, ElapsedUs: second, WallUs: c.next})) {
			return false
		}
	}
	return true
}

func (c *ticker) say(f *topics.Frame) bool {
	r := topics.Record[*topics.Frame]{Key: topics.Frames.Key(f), Offset: c.n, Value: f}
	c.n++
	return c.yield(r, nil)
}
