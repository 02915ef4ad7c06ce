package gateway

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"heartwire/topics"
)

// client is one WebSocket connection: a reader, a writer and the queue
// between the ward and the writer.
type client struct {
	gateway *Gateway
	ward    *ward
	asker   asker
	conn    net.Conn // the writer's alone
	ws      *websocket.Conn
	asJSON  bool
	wake    chan struct{} // the writer sleeps on it
	timer   *time.Timer   // the writer's: the end of its rest
	wrote   time.Time     // the writer's: when it wrote last
	deaf    chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	sleep   sleep
	queue   queue
	control []*message // pongs and pings: ahead of all else
	beat    *message   // the newest heartbeat
	wants   map[topics.Key]*want
	named   int          // wants that the client named
	pending []topics.Key // wants whose Snapshot is due
	sound   sound
	who     identity
	told    map[string]uint64 // versions of the layers that it has been told, by object
	asks    int               // under way

	pinged time.Time // when the ping without an answer was written; zero without one
	asked  time.Time // when the last ping was queued

	closing  bool
	reason   string
	farewell *message
	until    time.Time // nothing is written after it
}

// sleep is how deeply the writer sleeps.
type sleep uint8

const (
	awake  sleep = iota
	dozing       // until its rest is over, or something urgent comes
	asleep       // until anything comes
)

// sound is what a page has said about its alarms.
type sound uint8

const (
	unsaid sound = iota
	silent
	audible
)

const (
	chunk  = 64 << 10        // bytes that one write begins with: the least that must be read in DeadAfter
	linger = 2 * time.Second // for the last words to a client

	// A client is written to at once when it has been quiet, or when an alarm
	// comes, but with waveform alone at most each 10 ms: half a picture of
	// the screen, and many a message in one system call.
	rest = 10 * time.Millisecond

	readLimit = 64 << 10 // of a message from a client
)

func newClient(g *Gateway, who asker, asJSON bool) *client {
	w := g.ward
	return &client{
		gateway: g,
		ward:    w,
		asker:   who,
		who:     w.identify(who.user),
		told:    make(map[string]uint64),
		asJSON:  asJSON,
		wake:    make(chan struct{}, 1),
		timer:   time.NewTimer(time.Hour),
		deaf:    make(chan struct{}),
		queue:   queue{maxMessages: w.cfg.QueueMessages, maxBytes: w.cfg.QueueBytes},
		wants:   make(map[topics.Key]*want),
	}
}

// rouse wakes the writer. The lock is held.
func (c *client) rouse() {
	if c.sleep != awake {
		c.sleep = awake
		c.wake <- struct{}{} // never blocks: there is one for each sleep, and nap takes it
	}
}

// push queues a message. It never waits.
func (c *client) push(m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	if !c.queue.push(m) {
		c.finish("slow", closing(websocket.ClosePolicyViolation, "too slow: the queue is full of what may not be dropped"))
		return
	}
	if m.worth == essential || c.sleep != dozing || c.queue.bytes >= chunk {
		c.rouse()
	}
}

// restart queues a Snapshot in the place of all that waits of its patient.
func (c *client) restart(m *message) {
	c.mu.Lock()
	c.queue.forget(m.patient)
	c.mu.Unlock()
	c.push(m)
}

// end closes the connection: once the last words are written, or now when
// nobody has any.
func (c *client) end(reason string, farewell *message) {
	c.mu.Lock()
	c.finish(reason, farewell)
	mute := c.farewell == nil
	c.mu.Unlock()
	if mute {
		c.conn.Close() // not under the lock: with TLS it may take a while
	}
}

// finish is end with the lock held, but closes nothing. The first reason counts.
func (c *client) finish(reason string, farewell *message) {
	if c.closing {
		return
	}
	c.closing, c.reason, c.farewell = true, reason, farewell
	c.until = time.Now().Add(linger)
	c.queue.shed()
	c.pending = nil
	c.conn.SetWriteDeadline(c.until) // a write that waits gets no more than that
	c.rouse()
}

// tick is called each second: a heartbeat, a ping when one is due, and the
// end of a client that has not answered the last. It returns the most
// messages that waited, and whether the page has said that it is silent.
func (c *client) tick(now time.Time, beat *message) (high int, mute bool) {
	cfg := c.ward.cfg
	c.mu.Lock()
	defer c.mu.Unlock()
	high, c.queue.high = c.queue.high, c.queue.live
	mute = c.sound == silent
	if c.closing {
		return high, mute
	}
	if !c.pinged.IsZero() && now.Sub(c.pinged) >= cfg.DeadAfter {
		c.finish("silent", closing(websocket.ClosePolicyViolation, fmt.Sprintf("a ping was not answered for %v", cfg.DeadAfter)))
		return high, mute
	}
	if c.pinged.IsZero() && now.Sub(c.asked) >= cfg.PingInterval {
		c.asked = now
		c.control = append(c.control, ping)
	}
	c.beat = beat
	c.rouse()
	return high, mute
}

var ping = control(opPing, nil)

// next waits until there is something to write, and is the patient whose
// Snapshot is due, or none. Snapshots are taken one at a time, as fast as the
// client reads: a thousand of them at once would be a memory of their own.
func (c *client) next() (topics.Key, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closing && len(c.pending) == 0 && len(c.control) == 0 && c.beat == nil &&
		len(c.queue.urgent) == 0 && len(c.queue.lost) == 0 && c.queue.bytes < chunk {
		if c.queue.live == 0 {
			c.nap(asleep, 0)
		} else if left := rest - time.Since(c.wrote); left > 0 {
			c.nap(dozing, left)
		} else {
			break
		}
	}
	if len(c.pending) == 0 {
		return "", false
	}
	key := c.pending[0]
	c.pending = c.pending[1:]
	return key, true
}

// nap sleeps until the writer is roused, or, dozing, until d is over. The
// lock is held before and after.
func (c *client) nap(how sleep, d time.Duration) {
	c.sleep = how
	c.mu.Unlock()
	if how == asleep {
		<-c.wake
		c.mu.Lock()
		return
	}
	c.timer.Reset(d)
	select {
	case <-c.wake:
		c.timer.Stop()
		c.mu.Lock()
	case <-c.timer.C:
		c.mu.Lock()
		if c.sleep == awake { // roused in the same moment
			<-c.wake
		}
		c.sleep = awake
	}
}

// gather takes what is to be written now; last says that nothing follows.
func (c *client) gather(out []*message) (batch []*message, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.control {
		if m == ping {
			c.pinged = time.Now()
		}
	}
	out = append(out, c.control...)
	c.control = c.control[:0]
	// What was dropped is older than all that waits.
	for _, d := range c.queue.lost {
		out = append(out, say(kindDropped, &ServerMessage{Kind: &ServerMessage_Dropped{Dropped: d}}))
	}
	clear(c.queue.lost)
	c.ward.metrics.drop(&c.queue.dropped)
	out = c.queue.take(out, chunk)
	if c.closing {
		if c.farewell != nil {
			out = append(out, c.farewell)
		}
		return out, true
	}
	if c.beat != nil {
		// After all that is urgent: an alarm that waits is never older than
		// the decisions a heartbeat speaks of.
		out = append(out, c.beat)
		c.beat = nil
	}
	return out, false
}

// deadline gives the next write its time.
func (c *client) deadline() {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.until
	if !c.closing {
		until = time.Now().Add(c.ward.cfg.DeadAfter)
	}
	c.conn.SetWriteDeadline(until)
}

// write is the one goroutine that writes to the connection. It returns when
// the connection is closed and the client is forgotten.
func (c *client) write() {
	var out output
	for {
		if key, due := c.next(); due {
			c.ward.admit(c, key)
		}
		batch, last := c.gather(out.batch[:0])
		out.batch = batch
		if err := out.write(c, batch); err != nil {
			reason := "gone"
			if errors.Is(err, errTimeout) {
				reason = "unread"
			}
			c.end(reason, nil)
			c.leave(false)
			return
		}
		c.wrote = time.Now()
		c.ward.metrics.sent(batch, c.wrote)
		clear(batch)
		if last {
			c.leave(true)
			return
		}
	}
}

// leave closes the connection. When the last word was a close frame it is
// kept until the peer has answered, else the kernel may take the frame back.
func (c *client) leave(written bool) {
	c.mu.Lock()
	reason, until := c.reason, c.until
	written = written && c.farewell != nil
	c.mu.Unlock()
	if written {
		c.conn.SetReadDeadline(until)
		select {
		case <-c.deaf:
		case <-time.After(time.Until(until)):
		}
	}
	c.conn.Close()
	<-c.deaf
	c.ward.part(c)
	c.ward.metrics.closed(reason)
}

// read is the one goroutine that reads from the connection.
func (c *client) read() {
	defer close(c.deaf)
	for {
		op, data, err := c.ws.ReadMessage()
		if err != nil {
			// Where a close frame is owed, gorilla/websocket has handed it
			// to the writer by now, and this end comes second.
			c.end("gone", nil)
			return
		}
		if answer := c.hear(op, data); answer != nil {
			c.push(say(kindProblem, answer))
		}
	}
}

// pong notes that the client reads.
func (c *client) pong(string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pinged = time.Time{}
	return nil
}
