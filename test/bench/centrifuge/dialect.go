package main

import (
	"encoding/binary"

	"github.com/centrifugal/protocol"
	"google.golang.org/protobuf/proto"

	fanout "heartwire/sinks/gateway/bench"
)

// dialect is Centrifuge's own, in Protobuf: commands and replies with their
// lengths before them, several to a WebSocket message.
type dialect struct{}

func (dialect) Path() string     { return "/connection/websocket" }
func (dialect) Protocol() string { return "centrifuge-protobuf" }

func (dialect) Subscribe(patients []string) (messages [][]byte, err error) {
	commands := []*protocol.Command{{Id: 1, Connect: &protocol.ConnectRequest{}}}
	for i, p := range patients {
		commands = append(commands, &protocol.Command{Id: uint32(i + 2), Subscribe: &protocol.SubscribeRequest{Channel: p}})
	}
	for _, c := range commands {
		b, err := proto.Marshal(c)
		if err != nil {
			return nil, err
		}
		messages = append(messages, append(binary.AppendUvarint(nil, uint64(len(b))), b...))
	}
	return messages, nil
}

func (dialect) Each(message []byte, got func(int64)) (left int64, reply []byte) {
	for len(message) > 0 {
		n, size := binary.Uvarint(message)
		if size <= 0 || n > uint64(len(message)-size) {
			return 0, reply
		}
		one := message[size : size+int(n)]
		message = message[size+int(n):]
		if len(one) == 0 {
			reply = []byte{0} // a ping is an empty reply, its answer an empty command
			continue
		}
		var r protocol.Reply
		if proto.Unmarshal(one, &r) != nil || r.Push == nil || r.Push.Pub == nil {
			continue
		}
		if at, ok := fanout.FrameArrival(r.Push.Pub.Data); ok {
			got(at)
		}
	}
	return 0, reply
}

func (dialect) Snapshot(string, string) error { return nil }
