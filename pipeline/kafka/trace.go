package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/topics"
)

// Trace is the W3C trace context that a record carries; nearly always empty.
func Trace(r *kgo.Record) string {
	for i := range r.Headers {
		if r.Headers[i].Key == topics.HeaderTrace {
			return string(r.Headers[i].Value)
		}
	}
	return ""
}

// SetTrace makes a record that carries none carry a trace context.
func SetTrace(r *kgo.Record, traceparent string) {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: topics.HeaderTrace, Value: []byte(traceparent)})
}
