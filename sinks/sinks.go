// Package sinks is the contract of the sinks: what carries records out of the
// log, to a screen, a store or a phone. Sinks act; they decide nothing.
package sinks

import (
	"context"
	"fmt"

	"heartwire/topics"
)

// Sink takes records of one topic.
//
// Deliver is called by one goroutine at a time for a partition, with records
// of that partition in the order of the log. nil means that the records are
// where they had to go, as durably as the sink's Delivery promises. An Origin
// may come again after a restart, or when its partition has moved to another
// process, and only then. A *RejectError names records that can never succeed:
// they go to rejects and the others count as delivered. Any other error is
// transient: the same batch is tried again. Deliver returns soon after ctx
// ends. It may keep the records.
//
// Close is called once, after the last Deliver.
type Sink[T any] interface {
	Deliver(ctx context.Context, batch []topics.Record[T]) error
	Close(ctx context.Context) error
}

// Delivery is what a sink promises.
type Delivery uint8

const (
	// Durable sinks are consumer groups from the earliest record: at least
	// once, and an error holds the partition.
	Durable Delivery = iota
	// Live sinks have no group: each process begins near the end, and
	// prefers the newest. What it drops it says.
	Live
)

// RejectError says which records of a batch can never succeed.
type RejectError struct {
	Index []int // in the batch
	Err   error
}

func (e *RejectError) Error() string {
	return fmt.Sprintf("%d records can never be delivered: %v", len(e.Index), e.Err)
}

func (e *RejectError) Unwrap() error { return e.Err }
