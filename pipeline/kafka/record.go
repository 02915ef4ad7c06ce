package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Encode makes the Kafka record of a value: key, headers, bytes, and the
// partition that its key belongs to when patient topics have n of them.
// A value without a key, a tick, goes to partition 0 until the caller says otherwise.
func Encode[T proto.Message](site string, t topics.Topic[T], n int32, v T, origin topics.Origin) (*kgo.Record, error) {
	return EncodeAny(site, t, n, v, origin)
}

// EncodeAny is Encode for a value whose type is not known.
func EncodeAny(site string, t topics.Any, n int32, v proto.Message, origin topics.Origin) (*kgo.Record, error) {
	b, err := t.Encode(nil, v)
	if err != nil {
		return nil, err
	}
	key, err := t.KeyOf(v)
	if err != nil {
		return nil, err
	}
	return Raw(site, t, n, key, b, origin), nil
}

// Raw is Encode for a value that has been encoded.
func Raw(site string, t topics.Any, n int32, key topics.Key, value []byte, origin topics.Origin) *kgo.Record {
	spec := t.About()
	r := &kgo.Record{
		Topic: spec.On(site),
		Value: value,
		Headers: []kgo.RecordHeader{
			{Key: topics.HeaderSchema, Value: []byte(t.Header())},
			{Key: topics.HeaderOrigin, Value: origin.Append(nil)},
		},
	}
	if key != "" {
		r.Key = []byte(key)
		if spec.Spread == topics.PerSite {
			r.Partition = topics.Partition(key, n)
		}
	}
	return r
}

// Decode reads a record of topic t. The error names topic, partition and offset.
func Decode[T proto.Message](t topics.Topic[T], r *kgo.Record) (topics.Record[T], error) {
	out := Envelope[T](r)
	v, err := t.DecodeValue(r.Value)
	if err != nil {
		return out, At(r, err)
	}
	out.Value = v
	return out, nil
}

// At names the record that an error is of.
func At(r *kgo.Record, err error) error {
	return fmt.Errorf("%s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
}

// Envelope is all of a record but its value.
func Envelope[T any](r *kgo.Record) (out topics.Record[T]) {
	Open(r, topics.Key(r.Key), "", &out)
	return out
}

// Open makes out the envelope of a record of that key, for a reader that has
// its key as a string, and probably its Origin's Source: no others are allocated.
func Open[T any](r *kgo.Record, key topics.Key, source string, out *topics.Record[T]) {
	*out = topics.Record[T]{Key: key, Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Raw: r.Value}
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case topics.HeaderOrigin:
			// A record written by another program may have none.
			out.Origin, _ = topics.ParseOriginOf(source, h.Value)
		case topics.HeaderTrace:
			out.Trace = string(h.Value)
		}
	}
}
