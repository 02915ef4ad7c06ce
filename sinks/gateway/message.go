package gateway

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// kind is what a message is, for the metrics.
type kind uint8

const (
	kindFrame kind = iota
	kindAnnotation
	kindChart
	kindAlarm
	kindBed
	kindSnapshot
	kindDropped
	kindHeartbeat
	kindWatch
	kindProblem
	kindHello
	kindIdentity
	kindSetting
	kindDone
	kindControl // a WebSocket control frame
	kinds
)

var kindNames = [kinds]string{"frame", "annotation", "chart", "alarm", "bed", "snapshot", "dropped", "heartbeat", "watch", "problem", "hello", "identity", "setting", "done", "control"}

// worth is the order in which a full queue gives messages up.
type worth uint8

const (
	waveform  worth = iota // first
	event                  // then annotations
	number                 // then what is measured each second
	essential              // never: alarms, beds, limits, snapshots, answers
)

// Field numbers of ServerMessage and of Snapshot, for records that are passed
// on as they stand in the log.
const (
	serverFrame, serverAnnotation, serverChart, serverAlarm protowire.Number = 3, 4, 5, 6

	serverSnapshot    protowire.Number = 2
	serverTraceparent protowire.Number = 11
	serverSetting     protowire.Number = 14

	snapshotBed, snapshotFrames, snapshotAnnotations protowire.Number = 1, 2, 3
	snapshotSecond, snapshotLimits, snapshotAlarms   protowire.Number = 4, 5, 6
	snapshotSilence                                  protowire.Number = 7
)

// message is one message to clients, encoded once for all of them and never
// changed after that.
type message struct {
	kind    kind
	worth   worth
	patient topics.Key
	at      time.Time  // when it was delivered to the gateway
	wire    []byte     // the WebSocket frame with the ServerMessage in Protobuf
	head    int        // bytes of wire before the record, where there is one
	span    trace.Span // nil where the record is not followed

	once sync.Once
	json []byte // the WebSocket frame with the same in JSON; made when a client wants it
}

// record is the record inside the message, as it stands in the log.
func (m *message) record() []byte { return m.wire[m.head:] }

// pass makes the message that passes on a record: the field of ServerMessage
// around the bytes that stand in the log.
func pass(k kind, field protowire.Number, patient topics.Key, raw []byte) *message {
	m := &message{kind: k, worth: essential, patient: patient, at: time.Now()}
	m.fill(field, "", raw)
	return m
}

// fill writes the field of ServerMessage around what is in it already encoded,
// after the trace context that it carries, if any.
func (m *message) fill(field protowire.Number, traceparent string, raw []byte) {
	n := protowire.SizeTag(field) + protowire.SizeBytes(len(raw))
	if traceparent != "" {
		n += protowire.SizeTag(serverTraceparent) + protowire.SizeBytes(len(traceparent))
	}
	b := appendHeader(make([]byte, 0, maxHeader+n), opBinary, n)
	if traceparent != "" {
		b = protowire.AppendTag(b, serverTraceparent, protowire.BytesType)
		b = protowire.AppendString(b, traceparent)
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(raw)))
	m.head, m.wire = len(b), append(b, raw...)
}

// say makes a message of the gateway's own.
func say(k kind, v *ServerMessage) *message {
	o := proto.MarshalOptions{}
	n := o.Size(v)
	b, err := o.MarshalAppend(appendHeader(make([]byte, 0, maxHeader+n), opBinary, n), v)
	if err != nil {
		// Only text that is not UTF-8 gets here; what goes in has been decoded.
		return say(kindProblem, problem(0, "unreadable", "a message could not be encoded"))
	}
	return &message{kind: k, worth: essential, at: time.Now(), wire: b}
}

// control makes a WebSocket control frame; payload is at most 125 bytes.
func control(op byte, payload []byte) *message {
	return &message{kind: kindControl, worth: essential, at: time.Now(), wire: append(appendHeader(nil, op, len(payload)), payload...)}
}

// bytes is what goes to the socket.
func (m *message) bytes(asJSON bool) []byte {
	if !asJSON || m.kind == kindControl {
		return m.wire
	}
	m.once.Do(func() {
		var v ServerMessage
		err := proto.Unmarshal(payload(m.wire), &v)
		var b []byte
		if err == nil {
			b, err = protojson.Marshal(&v)
		}
		if err != nil {
			b = []byte(`{"problem":{"code":"unreadable","text":"a record could not be written as JSON"}}`)
		}
		m.json = append(appendHeader(make([]byte, 0, maxHeader+len(b)), opText, len(b)), b...)
	})
	return m.json
}

func problem(id uint64, code, text string) *ServerMessage {
	return &ServerMessage{Kind: &ServerMessage_Problem{Problem: &Problem{Id: id, Code: code, Text: text}}}
}

// WebSocket framing, RFC 6455 section 5.2. What a server sends is not masked,
// so a frame is a header and the payload, and the same bytes serve all clients.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9

	maxHeader = 10
)

func appendHeader(b []byte, op byte, n int) []byte {
	const final = 0x80
	b = append(b, final|op)
	switch {
	case n < 126:
		return append(b, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// payload is what follows the header of a frame that appendHeader began.
func payload(wire []byte) []byte {
	switch wire[1] {
	case 126:
		return wire[4:]
	case 127:
		return wire[10:]
	default:
		return wire[2:]
	}
}

// closing makes a close frame; the reason is cut to what one can hold.
func closing(code uint16, reason string) *message {
	b := binary.BigEndian.AppendUint16(nil, code)
	return control(opClose, append(b, reason[:min(len(reason), 123)]...))
}
