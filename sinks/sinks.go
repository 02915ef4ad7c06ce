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
// they go to rejects and the others count as delivered. A *HoldError says that
// the end of the batch waits for records that are still to come. Any other error
// is transient: the same batch is tried again. Deliver returns soon after ctx
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

// HoldError says that a durable sink has delivered the records of a batch before
// From, and that it needs what comes after the batch for the others: they come
// again, with the newer ones behind them, and after a restart too. Nothing has
// failed, and nothing is tried again before there is more. A sink that has also
// rejected some of those before From joins the two errors. What is held stays in
// memory: it is for a moment, not for a day.
type HoldError struct{ From int }

func (e *HoldError) Error() string {
	return fmt.Sprintf("the records from %d on wait for those after them", e.From)
}
