package gateway

import (
	"net"
	"os"
	"sync"
	"time"
)

var errTimeout = os.ErrDeadlineExceeded

// output writes batches of messages to a connection.
type output struct {
	batch []*message
	parts [][]byte
	bufs  net.Buffers // what writev consumes of parts
}

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// write writes a batch: with one writev where the connection is plain TCP and
// with one write of a copy where it is not, for a TLS record a message would
// cost more than the copy. What is larger goes out in chunks, each with a
// deadline of its own: a slow reader is not a dead one.
func (o *output) write(c *client, batch []*message) error {
	o.parts = o.parts[:0]
	size := 0
	for _, m := range batch {
		b := m.bytes(c.asJSON)
		o.parts = append(o.parts, b)
		size += len(b)
	}
	defer clear(o.parts)
	if size == 0 {
		return nil
	}
	if size > 2*chunk {
		return o.chunks(c)
	}
	c.deadline()
	if _, plain := c.conn.(*net.TCPConn); plain {
		o.bufs = o.parts
		_, err := o.bufs.WriteTo(c.conn)
		return err
	}
	joined := scratch.Get().(*[]byte)
	defer scratch.Put(joined)
	*joined = (*joined)[:0]
	for _, b := range o.parts {
		*joined = append(*joined, b...)
	}
	_, err := c.conn.Write(*joined)
	return err
}

func (o *output) chunks(c *client) error {
	for _, b := range o.parts {
		for len(b) > 0 {
			n := min(len(b), chunk)
			c.deadline()
			if _, err := c.conn.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
	}
	return nil
}

// replies is the connection as gorilla/websocket sees it. The library answers
// pings, close frames and violations of the protocol by itself; what it
// writes goes to the queue, so that one goroutine alone writes to the socket.
type replies struct {
	net.Conn
	c *client // nil until the handshake is done
}

func (r *replies) Write(b []byte) (int, error) {
	if r.c == nil {
		return r.Conn.Write(b)
	}
	m := &message{kind: kindControl, worth: essential, at: time.Now(), wire: append([]byte(nil), b...)}
	const opcode = 0xf
	if b[0]&opcode == opClose {
		r.c.end("closed", m)
		return len(b), nil
	}
	return len(b), r.c.reply(m)
}

// SetWriteDeadline is the writer's business.
func (r *replies) SetWriteDeadline(t time.Time) error {
	if r.c == nil {
		return r.Conn.SetWriteDeadline(t)
	}
	return nil
}
