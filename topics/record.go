package topics

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"
)

// Key is the Kafka key of a record: a patient's pseudonym, a device or the
// name of an object. It never appears in a log: slog prints it as "***".
type Key string

// LogValue redacts the key.
func (Key) LogValue() slog.Value { return slog.StringValue("***") }

// Record is one record of a topic, decoded.
type Record[T any] struct {
	Key       Key
	Origin    Origin    // the input this was made from; the same on every replay
	Partition int32     // where it stands in the log
	Offset    int64     // where it stands in the log
	Time      time.Time // the record's Kafka timestamp, a label
	Value     T
	Trace     string // the W3C trace context it carries, a label; nearly always empty
	Raw       []byte // the value as it stands in the log, for readers that pass it on; not to be changed
}

// Origin names the one input a record was made from, and which of that
// input's outputs it is. It is equal on every replay, so a reader that does
// not wait for commits can drop repeats by it.
type Origin struct {
	Source    string // the topic read from, without the site; for the bridge the device
	Partition int32  // of the source; 0 for the bridge
	Epoch     int64  // the incarnation of the topic; for the bridge the boot
	Offset    int64  // in the source; for the bridge the first sample
	Index     int32  // counts the outputs of one input from 0
}

// String is the form in which an Origin stands in the Kafka header "origin":
// source/partition/epoch/offset/index.
func (o Origin) String() string {
	return string(o.Append(make([]byte, 0, len(o.Source)+32)))
}

// Append appends the text form to b.
func (o Origin) Append(b []byte) []byte {
	b = append(b, o.Source...)
	b = strconv.AppendInt(append(b, '/'), int64(o.Partition), 10)
	b = strconv.AppendInt(append(b, '/'), o.Epoch, 10)
	b = strconv.AppendInt(append(b, '/'), o.Offset, 10)
	return strconv.AppendInt(append(b, '/'), int64(o.Index), 10)
}

// ParseOrigin reads what Append wrote.
func ParseOrigin(b []byte) (Origin, error) { return ParseOriginOf("", b) }

// ParseOriginOf is ParseOrigin for a reader that expects a source. A stage does
// it for each record that it reads: one pass from the end, and nothing is
// allocated but a Source that is another.
func ParseOriginOf(source string, b []byte) (Origin, error) {
	rest, index, ok1 := lastInt(b, math.MaxInt32)
	rest, offset, ok2 := lastInt(rest, math.MaxInt64)
	rest, epoch, ok3 := lastInt(rest, math.MaxInt64)
	rest, partition, ok4 := lastInt(rest, math.MaxInt32)
	if !ok1 || !ok2 || !ok3 || !ok4 || bytes.IndexByte(rest, '/') >= 0 {
		return Origin{}, fmt.Errorf("origin %q: want source/partition/epoch/offset/index", b)
	}
	if string(rest) != source {
		source = string(rest)
	}
	return Origin{Source: source, Partition: int32(partition), Epoch: epoch, Offset: offset, Index: int32(index)}, nil
}

// lastInt takes a slash and the number behind it, most or less, off the end of b.
func lastInt(b []byte, most uint64) (rest []byte, n int64, ok bool) {
	i := len(b)
	var abs, unit uint64 = 0, 1
	for i > 0 && b[i-1] >= '0' && b[i-1] <= '9' && len(b)-i < 19 { // 19 digits do not overflow
		i--
		abs += uint64(b[i]-'0') * unit
		unit *= 10
	}
	if i == len(b) {
		return nil, 0, false
	}
	if n = int64(abs); i > 0 && b[i-1] == '-' {
		i--
		n = -n
		most++
	}
	if i == 0 || b[i-1] != '/' || abs > most {
		return nil, 0, false
	}
	return b[:i-1], n, true
}

// Kafka headers of every record.
const (
	HeaderOrigin = "origin" // Origin.String
	HeaderSchema = "schema" // message name and schema version, Frame/1

	HeaderTrace = "traceparent" // W3C trace context, on the records of frames that are followed

	// HeaderThrough is on the tombstone of a checkpoint: the last input offset
	// that the departed key is done with, in decimal.
	HeaderThrough = "through"
)

// MaxElapsed is the most that one tick moves time by; a clock that was away
// longer loses the rest, so that a pause of the clock cannot fire a timer.
const MaxElapsed = 5 * time.Second

// Elapsed is the time since the tick before, 0 to MaxElapsed.
func (t *Tick) Elapsed() time.Duration {
	return time.Duration(min(max(t.GetElapsedUs(), 0), MaxElapsed.Microseconds())) * time.Microsecond
}

// MaxAhead is how far one owner's tick may be ahead of its last: it ticks once
// a second and a reader sees each, so one further ahead is no clock's, and
// would make its successors look like repeats.
const MaxAhead = 3600

// Follows reports whether t moves on the time of a reader that has seen the
// tick (n, owner) last, or none where n is 0: an owner that has been replaced,
// a repeat, and a tick far ahead do not.
func (t *Tick) Follows(n, owner uint64) bool {
	if t.GetOwner() < owner || t.GetN() <= n {
		return false
	}
	return n == 0 || t.GetOwner() > owner || t.GetN()-n <= MaxAhead
}

// MicroTime is the time of µs since 1970, in UTC.
func MicroTime(us int64) time.Time { return time.UnixMicro(us).UTC() }
