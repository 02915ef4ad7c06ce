package gateway

import (
	"errors"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// hear acts on one message of a client; what it returns is the answer, nil
// when there is nothing to complain of. A message that cannot be understood
// changes nothing and costs the client nothing but a Problem.
func (c *client) hear(op int, data []byte) *ServerMessage {
	var m ClientMessage
	switch {
	case c.asJSON && op != websocket.TextMessage:
		return problem(0, "encoding", "this connection speaks "+protocolJSON+": send text messages")
	case !c.asJSON && op != websocket.BinaryMessage:
		return problem(0, "encoding", "this connection speaks "+protocolProto+": send binary messages, or connect with "+protocolJSON)
	case c.asJSON:
		// A field of a newer client is no reason to refuse the others.
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &m); err != nil {
			return problem(0, "malformed", "this is no ClientMessage in Protobuf JSON")
		}
	default:
		if err := proto.Unmarshal(data, &m); err != nil {
			return problem(0, "malformed", "this is no ClientMessage in Protobuf")
		}
	}
	var err error
	switch k := m.GetKind().(type) {
	case *ClientMessage_Subscribe:
		if !k.Subscribe.GetAll() && len(k.Subscribe.GetPatients()) == 0 {
			err = errors.New("name patients, or ask for all")
			break
		}
		err = c.ward.subscribe(c, k.Subscribe)
	case *ClientMessage_Unsubscribe:
		c.ward.unsubscribe(c, k.Unsubscribe)
	case *ClientMessage_Sound:
		c.mu.Lock()
		if c.sound = silent; k.Sound.GetOn() {
			c.sound = audible
		}
		c.mu.Unlock()
	default:
		return problem(m.GetId(), "unknown", "this server knows no such message: it knows subscribe, unsubscribe and sound")
	}
	if err != nil {
		return problem(m.GetId(), "refused", err.Error())
	}
	return nil
}

// maxReplies bounds what a client can make the server owe it.
const maxReplies = 64

var errFlood = errors.New("the client sends pings faster than it reads the answers")

// reply queues a control frame ahead of all else.
func (c *client) reply(m *message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	if len(c.control) >= maxReplies {
		return errFlood
	}
	c.control = append(c.control, m)
	c.rouse()
	return nil
}
