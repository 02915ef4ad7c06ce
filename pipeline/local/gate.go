package local

import (
	"bytes"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// gate keeps publishing and the taking over of a session apart. When a client
// comes back to its session, the broker copies what waits for it from the old
// connection's object to the new one's and then forgets the old: a message
// that is handed to the old one in between would be lost, though its sender
// has been told that it is safe. So nothing is published meanwhile, which is
// for some 10 µs.
type gate struct {
	mqtt.HookBase

	mu     sync.Mutex
	inside map[*mqtt.Client]bool // who is publishing
	shut   chan struct{}         // closed when the gate opens; nil while it is open
	by     *mqtt.Client          // who shut it
}

// Nobody waits longer than this, whatever becomes of a connection: a message
// at risk is better than a broker that stands still.
const (
	longestShut = time.Second
	longestWait = time.Second / 2
)

func newGate() *gate { return &gate{inside: map[*mqtt.Client]bool{}} }

func (g *gate) ID() string { return "gate" }

func (g *gate) Provides(b byte) bool {
	return bytes.IndexByte([]byte{
		mqtt.OnPublish, mqtt.OnPublished, mqtt.OnWill, mqtt.OnWillSent,
		mqtt.OnSessionEstablish, mqtt.OnPacketEncode, mqtt.OnDisconnect,
	}, b) >= 0
}

func (g *gate) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	g.enter(cl)
	return pk, nil
}

func (g *gate) OnWill(cl *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	g.enter(cl)
	return will, nil
}

func (g *gate) OnPublished(cl *mqtt.Client, _ packets.Packet) { g.leave(cl) }

func (g *gate) OnWillSent(cl *mqtt.Client, _ packets.Packet) { g.leave(cl) }

// OnSessionEstablish comes right before the session is taken over.
func (g *gate) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	g.close(cl)
	time.AfterFunc(longestShut, func() { g.open(cl) })
}

// OnPacketEncode opens the gate when the client is told that it is connected:
// by then it stands in the place of the old one.
func (g *gate) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack {
		g.open(cl)
	}
	return pk
}

// OnDisconnect comes after all else, also when the connection broke half-way.
func (g *gate) OnDisconnect(cl *mqtt.Client, _ error, _ bool) {
	g.leave(cl)
	g.open(cl)
}

func (g *gate) enter(cl *mqtt.Client) {
	g.lockOpen()
	g.inside[cl] = true
	g.mu.Unlock()
}

func (g *gate) leave(cl *mqtt.Client) {
	g.mu.Lock()
	delete(g.inside, cl)
	g.mu.Unlock()
}

// lockOpen locks mu at a moment when the gate is open.
func (g *gate) lockOpen() {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			return
		}
		g.mu.Unlock()
		<-shut
	}
}

// close shuts the gate and waits until nobody is inside.
func (g *gate) close(cl *mqtt.Client) {
	g.lockOpen()
	g.shut, g.by = make(chan struct{}), cl
	g.mu.Unlock()
	for began := time.Now(); time.Since(began) < longestWait; time.Sleep(20 * time.Microsecond) {
		g.mu.Lock()
		empty := len(g.inside) == 0
		g.mu.Unlock()
		if empty {
			return
		}
	}
}

// open opens the gate if cl shut it.
func (g *gate) open(cl *mqtt.Client) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil && g.by == cl {
		close(g.shut)
		g.shut, g.by = nil, nil
	}
}
