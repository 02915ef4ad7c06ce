package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"heartwire/sinks"
	"heartwire/topics"
)

// Store is a durable sink into memory, which outlives those who bring it
// records. It can be told to fail, and notes what no sink should be given.
type Store[T proto.Message] struct {
	// Fail is asked before a batch is taken, if it is set: an error is what
	// Deliver returns, and nothing of the batch is stored. It may wait for ctx.
	Fail func(ctx context.Context, batch []topics.Record[T]) error
	// Bad reports a record that can never be stored, if it is set.
	Bad func(r topics.Record[T]) bool

	mu     sync.Mutex
	rows   []topics.Record[T]
	known  map[place]bool
	inside map[int32]bool // partitions that are being delivered
	wrong  []string
	given  int
}

// place is what is equal when a record comes again. Two keys may have records
// of one origin.
type place struct {
	key    topics.Key
	origin topics.Origin
}

// Deliver implements sinks.Sink.
func (s *Store[T]) Deliver(ctx context.Context, batch []topics.Record[T]) error {
	if len(batch) == 0 {
		return nil
	}
	p := batch[0].Partition
	s.enter(p, batch)
	defer s.leave(p)
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Fail != nil {
		if err := s.Fail(ctx, batch); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var bad sinks.RejectError
	for i, r := range batch {
		if at := (place{r.Key, r.Origin}); !r.Value.ProtoReflect().IsValid() || s.Bad != nil && s.Bad(r) {
			bad.Index, bad.Err = append(bad.Index, i), errors.New("not for this store")
		} else if !s.known[at] {
			s.known[at] = true
			s.rows = append(s.rows, r)
		}
	}
	if bad.Index != nil {
		return &bad
	}
	return nil
}

func (s *Store[T]) enter(p int32, batch []topics.Record[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known, s.inside = map[place]bool{}, map[int32]bool{}
	}
	s.given += len(batch)
	if s.inside[p] {
		s.wrong = append(s.wrong, fmt.Sprintf("partition %d is delivered twice at a time", p))
	}
	s.inside[p] = true
	for i, r := range batch {
		if r.Partition != p {
			s.wrong = append(s.wrong, fmt.Sprintf("a batch of the partitions %d and %d", p, r.Partition))
		}
		if i > 0 && r.Offset <= batch[i-1].Offset {
			s.wrong = append(s.wrong, fmt.Sprintf("partition %d: offset %d after %d", p, r.Offset, batch[i-1].Offset))
		}
	}
}

func (s *Store[T]) leave(p int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside[p] = false
}

// Close implements sinks.Sink.
func (s *Store[T]) Close(context.Context) error { return nil }

// Rows are the records stored, each once, in the order in which they came.
func (s *Store[T]) Rows() []topics.Record[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

// Given counts the records that were brought, repeats included.
func (s *Store[T]) Given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// Wrong is what was brought in a way that the contract of sinks forbids.
func (s *Store[T]) Wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}
