package pipeline

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/trace"
)

// trail is what a partition knows of the frames that are followed, which is
// nearly always nothing. It is lost with the partition, and then a trace ends
// early: no more depends on it.
type trail struct {
	spans []oteltrace.Span // of what is folded and has not committed
	// held is, by key, what is to be carried by what the next tick makes the
	// stage say: that came of all that was folded before.
	held map[string]string
}

// begin begins the span of a record that is followed; nil where it is not.
func (t *trail) begin(tracer oteltrace.Tracer, node string, r *kgo.Record) oteltrace.Span {
	parent := kafka.Trace(r)
	if parent == "" {
		return nil
	}
	_, span := tracer.Start(trace.Go(parent), node, oteltrace.WithSpanKind(oteltrace.SpanKindConsumer), oteltrace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", r.Topic),
		attribute.Int64("messaging.destination.partition.id", int64(r.Partition)),
		attribute.Int64("messaging.kafka.offset", r.Offset),
	))
	t.spans = append(t.spans, span)
	return span
}

// pass makes what a record made the stage say carry its trace on; span is the
// record's, if any, and ticked says that the record was a tick.
func (t *trail) pass(span oteltrace.Span, r *kgo.Record, ticked bool, said []*kgo.Record) {
	carry, answered := "", false
	if span != nil {
		carry = trace.Carry(span)
	}
	for _, s := range said {
		c := carry
		if c == "" && ticked {
			c = t.held[string(s.Key)]
		}
		if c != "" {
			kafka.SetTrace(s, c)
			answered = true
		}
	}
	switch {
	case ticked:
		clear(t.held)
	case carry != "" && !answered && len(r.Key) > 0:
		if t.held == nil {
			t.held = map[string]string{}
		}
		t.held[string(r.Key)] = carry
	}
}

// end ends the spans of a transaction.
func (t *trail) end(committed bool) {
	for i, span := range t.spans {
		if !committed {
			span.SetStatus(codes.Error, "aborted, and folded again")
		}
		span.End()
		t.spans[i] = nil
	}
	t.spans = t.spans[:0]
}
