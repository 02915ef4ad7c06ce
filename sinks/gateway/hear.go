package gateway

import (
	"context"
	"errors"
	"fmt"

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
	case *ClientMessage_Act, *ClientMessage_Ask:
		return c.attempt(&m)
	default:
		return problem(m.GetId(), "unknown", "this server knows no such message: it knows subscribe, unsubscribe, sound, act and ask")
	}
	if err != nil {
		return problem(m.GetId(), "refused", err.Error())
	}
	return nil
}

// mostAsks of a client may be under way at a time.
const mostAsks = 16

// attempt does what a client asks for, beside all else; the outcome is sent
// when it is known.
func (c *client) attempt(m *ClientMessage) *ServerMessage {
	c.mu.Lock()
	busy := c.asks >= mostAsks
	if !busy {
		c.asks++
	}
	c.mu.Unlock()
	if busy {
		return problem(m.GetId(), codeBusy, fmt.Sprintf("%d of your wishes are under way: wait for one to be answered", mostAsks))
	}
	go func() {
		c.push(say(kindDone, c.do(m)))
		c.mu.Lock()
		c.asks--
		c.mu.Unlock()
	}()
	return nil
}

// do is the answer to an Act or an Ask.
func (c *client) do(m *ClientMessage) *ServerMessage {
	done := &Done{Id: m.GetId()}
	if a := m.GetAct(); a != nil {
		o, why := c.gateway.act(context.Background(), c.asker, a)
		if why != nil {
			return why.message(m.GetId())
		}
		o = proto.CloneOf(o)
		o.Answer = a.GetAnswer().GetId() + a.GetStandby().GetId() // the client's own
		done.Kind = &Done_Answer{Answer: o}
	} else {
		o, why := c.gateway.ask(context.Background(), c.asker, m.GetAsk())
		if why != nil {
			return why.message(m.GetId())
		}
		o = proto.CloneOf(o)
		o.Request = m.GetAsk().GetRequest()
		done.Kind = &Done_Setting{Setting: o}
	}
	return &ServerMessage{Kind: &ServerMessage_Done{Done: done}}
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
