package bridge

import (
	"context"
	"math/rand/v2"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// sample picks the frames that are followed through Heartwire. MQTT 3.1.1 has
// no place for a trace context, so a trace begins here.
type sample struct {
	tracer trace.Tracer
	ratio  float64
}

// begin begins the span of a message that is followed, from its arrival to its
// acknowledgement; nil where it is not.
func (s sample) begin(m Message) trace.Span {
	if s.ratio == 0 || m.Kind != Frames || rand.Float64() >= s.ratio {
		return nil
	}
	_, span := s.tracer.Start(context.Background(), "bridge", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.String("messaging.system", "mqtt"), attribute.Int("messaging.message.body.size", len(m.Payload))))
	return span
}
