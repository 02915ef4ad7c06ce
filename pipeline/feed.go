package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/sinks"
	"heartwire/topics"
)

// Feed is a topic of a sink, and to whom it goes.
type Feed struct {
	spec topics.Spec
	back time.Duration // of a live sink: from how far back it is read
	// try delivers records of one partition; an error says that the same
	// records are to be tried again.
	try   func(ctx context.Context, records []*kgo.Record) (tried, error)
	close func(ctx context.Context) error
}

// tried is what became of records of one partition.
type tried struct {
	bad  []condemned // will never be delivered
	hold *kgo.Record // it and those behind it wait for more; nil: none does
}

// condemned is a record that can never be delivered.
type condemned struct {
	record *kgo.Record
	reason string
	err    error
}

// From feeds a live sink with a topic, from back before now on; a compacted
// topic is read from its beginning, whatever back says.
func From[T proto.Message](topic topics.Topic[T], back time.Duration, sink sinks.Sink[T]) Feed {
	return Feed{
		spec: topic.Spec, back: back, close: sink.Close,
		try: func(ctx context.Context, records []*kgo.Record) (tried, error) {
			return try(ctx, topic, sink, records)
		},
	}
}

// Every feeds a durable sink with every record of a topic.
func Every[T proto.Message](topic topics.Topic[T], sink sinks.Sink[T]) Feed {
	return From(topic, 0, sink)
}

func try[T proto.Message](ctx context.Context, topic topics.Topic[T], sink sinks.Sink[T], records []*kgo.Record) (done tried, err error) {
	defer func() {
		if r := recover(); r != nil {
			done, err = tried{}, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	batch := make([]topics.Record[T], 0, len(records))
	readable := make([]*kgo.Record, 0, len(records))
	for _, r := range records {
		rec, err := kafka.Decode(topic, r)
		if err != nil {
			done.bad = append(done.bad, condemned{r, "undecodable", err})
			continue
		}
		batch, readable = append(batch, rec), append(readable, r)
	}
	if len(batch) == 0 {
		return done, nil
	}
	err = sink.Deliver(ctx, batch)
	var rejected *sinks.RejectError
	var held *sinks.HoldError
	named := false
	if errors.As(err, &rejected) {
		for _, i := range rejected.Index {
			if i >= 0 && i < len(readable) {
				named = true
				done.bad = append(done.bad, condemned{readable[i], "undeliverable", rejected.Err})
			}
		}
	}
	if errors.As(err, &held) && held.From >= 0 && held.From < len(readable) {
		named = true
		done.hold = readable[held.From]
		done.bad = slices.DeleteFunc(done.bad, func(c condemned) bool { return c.record.Offset >= done.hold.Offset })
	}
	if err != nil && !named {
		return tried{}, err // it names nothing that it was given: like any other error
	}
	return done, nil
}
