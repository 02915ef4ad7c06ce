// Package sinktest is what every sink must do, whatever it carries and
// wherever to: the contract of package sinks as tests. A sink's own tests
// call Run.
package sinktest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"heartwire/sinks"
	"heartwire/topics"
)

// Case is a sink under test.
type Case[T any] struct {
	// New makes a fresh sink whose effects no earlier test has touched. What
	// it needs beside ends with the test.
	New func(t *testing.T) Target[T]

	// Good is the i-th record that must succeed, of one of the partitions
	// 0 to Partitions-1. Equal arguments give equal records; different ones
	// differ in Origin.
	Good func(partition int32, i int) topics.Record[T]

	// Rest is what has to come behind Good records up to, not including, the n-th
	// of a partition before the sink can have delivered them: ticks, for one that
	// holds. nil for all others.
	Rest func(partition int32, n int) []topics.Record[T]

	// Bad are records that can never succeed, each with its reason.
	Bad map[string]topics.Record[T]
}

// Target is a sink and a look at what it has done.
type Target[T any] struct {
	Sink sinks.Sink[T]

	// Effects are the origins of the records whose effect can be seen, in the
	// order in which it came about; one that took effect twice is there twice.
	// It is asked after Deliver has returned, and waits until want have come
	// or it is certain that they do not.
	Effects func(t *testing.T, want int) []topics.Origin
}

// Partitions is how many partitions Case.Good is asked for.
const Partitions = 4

const soon = 5 * time.Second // "soon after ctx ends", and Close

// Run tests a sink.
func Run[T any](t *testing.T, c Case[T]) {
	t.Run("delivers in order", c.order)
	t.Run("an empty batch is nothing", c.empty)
	t.Run("a repeated batch has no second effect", c.repeat)
	t.Run("a bad record does not take others with it", c.bad)
	t.Run("partitions do not wait for each other", c.partitions)
	t.Run("ends with its context", c.cancelled)
}

func (c Case[T]) order(t *testing.T) {
	target := c.New(t)
	c.deliver(t, target, c.batch(0, 0, 5))
	c.deliver(t, target, c.batch(0, 5, 20))
	expect(t, target, origins(c.run(0, 0, 20)))
	c.close(t, target)
}

func (c Case[T]) empty(t *testing.T) {
	target := c.New(t)
	c.deliver(t, target, nil)
	c.deliver(t, target, c.batch(0, 0, 1))
	expect(t, target, origins(c.run(0, 0, 1)))
	c.close(t, target)
}

func (c Case[T]) repeat(t *testing.T) {
	target := c.New(t)
	c.deliver(t, target, c.batch(0, 0, 6))
	c.deliver(t, target, c.batch(0, 0, 6))
	c.deliver(t, target, c.batch(0, 3, 9)) // a restart goes back to what was committed, not to the end of a batch
	expect(t, target, origins(c.run(0, 0, 9)))
	c.close(t, target)
}

func (c Case[T]) bad(t *testing.T) {
	if len(c.Bad) == 0 {
		t.Fatal("the case has no bad record; there is one for every sink: an empty value")
	}
	for reason, bad := range c.Bad {
		t.Run(reason, func(t *testing.T) {
			target := c.New(t)
			good := c.run(0, 0, 4)
			batch := append([]topics.Record[T]{good[0], bad, good[1], good[2], bad, good[3]}, c.rest(0, 4)...)
			err := target.Sink.Deliver(t.Context(), batch)
			var reject *sinks.RejectError
			if !errors.As(err, &reject) {
				t.Fatalf("Deliver returned %v, want a *sinks.RejectError", err)
			}
			if !slices.Equal(reject.Index, []int{1, 4}) {
				t.Errorf("the RejectError names %v, want [1 4]", reject.Index)
			}
			if reject.Err == nil || reject.Err.Error() == "" {
				t.Error("the RejectError does not say why")
			}
			expect(t, target, origins(good))
			c.close(t, target)
		})
	}
}

func (c Case[T]) partitions(t *testing.T) {
	const each = 25
	target := c.New(t)
	var wg sync.WaitGroup
	for p := range int32(Partitions) {
		wg.Go(func() {
			for i := 0; i < each; i += 5 {
				if err := target.Sink.Deliver(t.Context(), c.batch(p, i, i+5)); err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
			}
		})
	}
	wg.Wait()
	got := target.Effects(t, Partitions*each)
	if len(got) != Partitions*each {
		t.Errorf("%d effects, want %d", len(got), Partitions*each)
	}
	for p := range int32(Partitions) {
		want := origins(c.run(p, 0, each))
		mine := slices.DeleteFunc(slices.Clone(got), func(o topics.Origin) bool { return !slices.Contains(want, o) })
		if !slices.Equal(mine, want) {
			t.Errorf("partition %d took effect as %v, want %v", p, mine, want)
		}
	}
	c.close(t, target)
}

func (c Case[T]) cancelled(t *testing.T) {
	target := c.New(t)
	c.deliver(t, target, c.batch(0, 0, 3))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	err := target.Sink.Deliver(ctx, c.batch(0, 3, 6))
	if took := time.Since(began); took > soon {
		t.Errorf("Deliver returned %v after its context had ended", took)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Deliver returned %v, want nil or the context's error", err)
	}
	// Whatever it did, the same batch comes again.
	c.deliver(t, target, c.batch(0, 3, 6))
	expect(t, target, origins(c.run(0, 0, 6)))
	c.close(t, target)
}

// run is the records from i up to but without j of a partition.
func (c Case[T]) run(partition int32, i, j int) []topics.Record[T] {
	var out []topics.Record[T]
	for ; i < j; i++ {
		out = append(out, c.Good(partition, i))
	}
	return out
}

// batch is such a run with what has to come behind it.
func (c Case[T]) batch(partition int32, i, j int) []topics.Record[T] {
	return append(c.run(partition, i, j), c.rest(partition, j)...)
}

func (c Case[T]) rest(partition int32, n int) []topics.Record[T] {
	if c.Rest == nil {
		return nil
	}
	return c.Rest(partition, n)
}

func (c Case[T]) deliver(t *testing.T, target Target[T], batch []topics.Record[T]) {
	t.Helper()
	if err := target.Sink.Deliver(t.Context(), batch); err != nil {
		t.Fatalf("deliver %d good records: %v", len(batch), err)
	}
}

func (c Case[T]) close(t *testing.T, target Target[T]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := target.Sink.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func expect[T any](t *testing.T, target Target[T], want []topics.Origin) {
	t.Helper()
	if got := target.Effects(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("took effect: %v\nwant:        %v", got, want)
	}
}

func origins[T any](batch []topics.Record[T]) []topics.Origin {
	out := make([]topics.Origin, len(batch))
	for i, r := range batch {
		out[i] = r.Origin
	}
	return out
}
