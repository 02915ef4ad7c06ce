// Package strips is the sink that keeps the samples about each alarm's onset:
// once everything of that time is known it copies them from frames, which
// forgets after days, to the topic strips, which is kept as long as the alarm.
//
// DESIGN.md tells what a strip holds, and why a second copy is equal to the first.
package strips

import (
	"context"
	"errors"
	"time"

	"heartwire/sinks"
	"heartwire/topics"
)

// A strip reaches from Before an alarm's onset to After it.
const (
	Before = 10 * time.Second
	After  = 10 * time.Second
)

// Strips is a durable sink of alarms.
type Strips struct {
	frames      topics.Reader[*topics.Frame]
	annotations topics.Reader[*topics.Annotation]
	out         topics.Deriver[*topics.Strip]
}

// New makes the sink. It looks back into frames and annotations, whose
// partitions are those of alarms.
func New(frames topics.Reader[*topics.Frame], annotations topics.Reader[*topics.Annotation], out topics.Deriver[*topics.Strip]) *Strips {
	return &Strips{frames, annotations, out}
}

// atOnce is how long one delivery copies before it lets the rest be held: an
// hour of old alarms must not make the delivery look as if it hung.
const atOnce = 15 * time.Second

// Deliver writes the strips of the alarms that are due, and holds from the first
// one on that is not: its tick is still to come.
func (s *Strips) Deliver(ctx context.Context, batch []topics.Record[*topics.Alarm]) error {
	list, bad := raised(batch)
	began := time.Now()
	for len(list) > 0 && list[0].tick != nil && time.Since(began) < atOnce {
		n := together(list)
		made, err := s.copy(ctx, batch[0].Partition, list[:n])
		if err == nil {
			err = s.out.Write(ctx, made...)
		}
		if err != nil {
			return err
		}
		list = list[n:]
	}
	if len(list) == 0 {
		return bad
	}
	return errors.Join(bad, &sinks.HoldError{From: list[0].index})
}

// Close closes the writer.
func (s *Strips) Close(context.Context) error {
	s.out.Close()
	return nil
}
