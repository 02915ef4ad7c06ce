// Package topics is the vocabulary of Heartwire: the records that stand in
// Kafka, one message type a topic, with their keys, headers and the Protobuf
// schemas behind them. Everything else speaks in these words; this package
// knows nothing of anything else.
//
// DESIGN.md tells what each topic guarantees, and the protocol by which a
// patch delivers samples.
package topics

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// Spread says how many partitions a topic has.
type Spread uint8

const (
	PerSite Spread = iota // the site's number, the same for all patient topics, so that they can be joined
	Single                // one partition: a small total order
)

// Spec is what the cluster must know of a topic.
type Spec struct {
	Name      string        // without the site: frames
	Doc       string        // one line
	Key       string        // what the key is, in words
	Spread    Spread        //
	Retention time.Duration // how long records are kept; with Compact the newest of each key is kept for ever
	Compact   bool          //
	Schema    int           // version of the schema; rises when a field is added
}

// On is the name of the topic in a site: heartwire.frames.
func (s Spec) On(site string) string { return site + "." + s.Name }

// Topic is a topic of T, the pointer to its Protobuf message.
type Topic[T proto.Message] struct {
	Spec
	Key  func(T) Key   // the Kafka key of a value; empty for a tick
	New  func() T      // an empty value
	Tick func(T) *Tick // the tick in a value, or nil; nil for a topic without ticks
	Wrap func(*Tick) T // a value that carries a tick; nil for a topic without ticks

	// Parse reads a value where a reader needs little of it; nil: all of it is
	// decoded by Protobuf.
	Parse func(b []byte) (T, error)

	header func() string // of HeaderSchema, put together once
}

// Any is a topic whose type is not known: for tools that treat all alike.
type Any interface {
	About() Spec
	Holds(v proto.Message) bool
	Encode(b []byte, v proto.Message) ([]byte, error)
	Decode(b []byte) (proto.Message, error)
	KeyOf(v proto.Message) (Key, error)
	TickOf(v proto.Message) *Tick
	WrapTick(t *Tick) proto.Message
	Header() string
}

func define[M any, T interface {
	*M
	proto.Message
}](spec Spec, key func(T) string) Topic[T] {
	return Topic[T]{
		Spec: spec,
		Key:  func(v T) Key { return Key(key(v)) },
		New:  func() T { return T(new(M)) },
		header: sync.OnceValue(func() string {
			return fmt.Sprintf("%s/%d", T(new(M)).ProtoReflect().Descriptor().Name(), spec.Schema)
		}),
	}
}

func (t Topic[T]) withTicks(get func(T) *Tick, wrap func(*Tick) T) Topic[T] {
	t.Tick, t.Wrap = get, wrap
	return t
}

// About is the topic's Spec.
func (t Topic[T]) About() Spec { return t.Spec }

// Header is the value of the header "schema".
func (t Topic[T]) Header() string { return t.header() }

var marshal = proto.MarshalOptions{Deterministic: true}

// Append appends the encoded value to b. Equal values encode to equal bytes.
func (t Topic[T]) Append(b []byte, v T) ([]byte, error) {
	b, err := marshal.MarshalAppend(b, v)
	if err != nil {
		return nil, fmt.Errorf("encode a record of %s: %w", t.Name, err)
	}
	return b, nil
}

// DecodeValue decodes a value; an error says that the bytes are not this topic's.
func (t Topic[T]) DecodeValue(b []byte) (T, error) {
	if t.Parse != nil {
		return t.Parse(b)
	}
	v := t.New()
	if err := proto.Unmarshal(b, v); err != nil {
		var none T
		return none, fmt.Errorf("decode a record of %s: %w", t.Name, err)
	}
	return v, nil
}

// Holds reports whether v is a value of this topic.
func (t Topic[T]) Holds(v proto.Message) bool {
	_, ok := v.(T)
	return ok
}

// Encode is Append for tools; a value of another topic is an error.
func (t Topic[T]) Encode(b []byte, v proto.Message) ([]byte, error) {
	own, ok := v.(T)
	if !ok {
		return nil, fmt.Errorf("a %s is no record of %s", v.ProtoReflect().Descriptor().Name(), t.Name)
	}
	return t.Append(b, own)
}

// Decode is DecodeValue for tools.
func (t Topic[T]) Decode(b []byte) (proto.Message, error) { return t.DecodeValue(b) }

// KeyOf is Key for tools; a value of another topic is an error.
func (t Topic[T]) KeyOf(v proto.Message) (Key, error) {
	own, ok := v.(T)
	if !ok {
		return "", fmt.Errorf("a %s is no record of %s", v.ProtoReflect().Descriptor().Name(), t.Name)
	}
	return t.Key(own), nil
}

// TickOf is Tick for tools; nil where there is none.
func (t Topic[T]) TickOf(v proto.Message) *Tick {
	own, ok := v.(T)
	if !ok || t.Tick == nil {
		return nil
	}
	return t.Tick(own)
}

// WrapTick is Wrap for tools; nil for a topic without ticks.
func (t Topic[T]) WrapTick(tick *Tick) proto.Message {
	if t.Wrap == nil {
		return nil
	}
	return t.Wrap(tick)
}

// All are the topics of a site, in the order of the flow.
func All() []Any {
	return []Any{
		Frames, Annotations, Charts, Alarms,
		Strips,
		Requests, Settings,
		Pages,
		Rejects, Audits,
		BeatsCheckpoints.Changelog, BeatsCheckpoints.History,
		RhythmCheckpoints.Changelog, RhythmCheckpoints.History,
		AlarmsCheckpoints.Changelog, AlarmsCheckpoints.History,
		RegistryCheckpoints.Changelog, RegistryCheckpoints.History,
		BridgeChangelog,
	}
}

// Find is the topic of that name, without the site.
func Find(name string) (Any, bool) {
	for _, t := range All() {
		if t.About().Name == name {
			return t, true
		}
	}
	return nil, false
}
