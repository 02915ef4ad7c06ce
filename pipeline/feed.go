package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	// try delivers records of one partition, and names those that never will
	// be; an error says that the same records are to be tried again.
	try   func(ctx context.Context, records []*kgo.Record) ([]condemned, error)
	close func(ctx context.Context) error
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
		try: func(ctx context.Context, records []*kgo.Record) ([]condemned, error) {
			return try(ctx, topic, sink, records)
		},
	}
}

// Every feeds a durable sink with every record of a topic.
func Every[T proto.Message](topic topics.Topic[T], sink sinks.Sink[T]) Feed {
	return From(topic, 0, sink)
}

func try[T proto.Message](ctx context.Context, topic topics.Topic[T], sink sinks.Sink[T], records []*kgo.Record) (bad []condemned, err error) {
	defer func() {
		if r := recover(); r != nil {
			bad, err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	batch := make([]topics.Record[T], 0, len(records))
	readable := make([]*kgo.Record, 0, len(records))
	for _, r := range records {
		rec, err := kafka.Decode(topic, r)
		if err != nil {
			bad = append(bad, condemned{r, "undecodable", err})
			continue
		}
		batch, readable = append(batch, rec), append(readable, r)
	}
	if len(batch) == 0 {
		return bad, nil
	}
	err = sink.Deliver(ctx, batch)
	var rejected *sinks.RejectError
	if !errors.As(err, &rejected) {
		return bad, err
	}
	named := false
	for _, i := range rejected.Index {
		if i >= 0 && i < len(readable) {
			named = true
			bad = append(bad, condemned{readable[i], "undeliverable", rejected.Err})
		}
	}
	if !named {
		return nil, err // it rejects nothing that it was given: like any other error
	}
	return bad, nil
}
