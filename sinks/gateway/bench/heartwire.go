package bench

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway"
)

// Heartwire is the dialect of the gateway, heartwire.v1.proto.
type Heartwire struct{}

// Path implements Dialect.
func (Heartwire) Path() string { return "/v1/live" }

// Protocol implements Dialect.
func (Heartwire) Protocol() string { return "heartwire.v1.proto" }

// Subscribe implements Dialect.
func (Heartwire) Subscribe(patients []string) ([][]byte, error) {
	b, err := proto.Marshal(&gateway.ClientMessage{Id: 1, Kind: &gateway.ClientMessage_Subscribe{
		Subscribe: &gateway.Subscribe{Patients: patients, Topics: []string{"frames"}},
	}})
	return [][]byte{b}, err
}

// Fields of the way from a ServerMessage to a frame's arrival, and of what was left out.
const (
	serverFrame, serverDropped = 3, 8
	frameSamples               = 2
	samplesArrival             = 10
	droppedFrames              = 2
)

// Each implements Dialect. It looks for the one number that it wants: to decode
// all would cost the clients' process what the server's has to itself.
func (Heartwire) Each(message []byte, got func(int64)) (left int64, reply []byte) {
	fields(message, func(n protowire.Number, _ uint64, b []byte) {
		switch n {
		case serverFrame:
			if at, ok := FrameArrival(b); ok {
				got(at)
			}
		case serverDropped:
			fields(b, func(n protowire.Number, v uint64, _ []byte) {
				if n == droppedFrames {
					left = int64(v)
				}
			})
		}
	})
	return left, nil
}

// FrameArrival is the arrival in UTC µs in the bytes of a topics.Frame.
func FrameArrival(frame []byte) (at int64, ok bool) {
	fields(frame, func(n protowire.Number, _ uint64, b []byte) {
		if n != frameSamples {
			return
		}
		fields(b, func(n protowire.Number, v uint64, _ []byte) {
			if n == samplesArrival {
				at, ok = int64(v), true
			}
		})
	})
	return at, ok
}

// fields tells of each field of a message: numbers by v, what has a length by b.
func fields(m []byte, each func(n protowire.Number, v uint64, b []byte)) {
	for len(m) > 0 {
		n, kind, size := protowire.ConsumeTag(m)
		if size < 0 {
			return
		}
		m = m[size:]
		switch kind {
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(m)
			if size < 0 {
				return
			}
			each(n, v, nil)
			m = m[size:]
		case protowire.BytesType:
			b, size := protowire.ConsumeBytes(m)
			if size < 0 {
				return
			}
			each(n, 0, b)
			m = m[size:]
		default:
			if size = protowire.ConsumeFieldValue(n, kind, m); size < 0 {
				return
			}
			m = m[size:]
		}
	}
}

// Snapshot implements Dialect: as a page that is opened on one patient.
func (h Heartwire) Snapshot(address, patient string) error {
	d := websocket.Dialer{Subprotocols: []string{h.Protocol()}, ReadBufferSize: 64 << 10, HandshakeTimeout: 10 * time.Second}
	conn, _, err := d.Dial("ws://"+address+h.Path(), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	ask, err := proto.Marshal(&gateway.ClientMessage{Id: 1, Kind: &gateway.ClientMessage_Subscribe{Subscribe: &gateway.Subscribe{Patients: []string{patient}}}})
	if err != nil {
		return err
	}
	if err := conn.WriteMessage(websocket.BinaryMessage, ask); err != nil {
		return err
	}
	for {
		var m gateway.ServerMessage
		_, b, err := conn.ReadMessage()
		if err == nil {
			err = proto.Unmarshal(b, &m)
		}
		switch {
		case err != nil:
			return err
		case m.GetProblem() != nil:
			return fmt.Errorf("%s: %s", m.GetProblem().GetCode(), m.GetProblem().GetText())
		case m.GetSnapshot() != nil:
			return nil
		}
	}
}
