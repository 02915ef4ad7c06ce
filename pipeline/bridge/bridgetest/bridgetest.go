// Package bridgetest is what every source of the bridge must pass: the same
// bytes in, the same messages out, and none gone that was not acknowledged.
package bridgetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"heartwire/pipeline/bridge"
)

// Place is a server that a source receives from.
type Place struct {
	Open    func(t *testing.T) bridge.Source                                    // the same source each time, as a new process would
	Publish func(t *testing.T, kind bridge.Kind, device string, payload []byte) // as a device does; it returns when the server has it
	Ready   func(t *testing.T, source bridge.Source)                            // waits until the server keeps messages for a source that runs
}

const patience = 10 * time.Second

// Run runs the suite; fresh makes a server that nobody has used.
func Run(t *testing.T, fresh func(t *testing.T) Place) {
	t.Run("same bytes", func(t *testing.T) { sameBytes(t, fresh(t)) })
	t.Run("unacknowledged comes again", func(t *testing.T) { comesAgain(t, fresh(t)) })
	t.Run("acknowledged does not", func(t *testing.T) { doesNot(t, fresh(t)) })
	t.Run("ends soon", func(t *testing.T) { endsSoon(t, fresh(t)) })
}

// running is a source at work, with all that it delivered.
type running struct {
	source bridge.Source
	cancel context.CancelFunc
	ended  chan error

	mu  sync.Mutex
	got []bridge.Message
	new chan struct{}
	ack bool
}

func start(t *testing.T, p Place, ack bool) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{source: p.Open(t), cancel: cancel, ended: make(chan error, 1), new: make(chan struct{}, 1), ack: ack}
	go func() { r.ended <- r.source.Run(ctx, r.deliver) }()
	t.Cleanup(cancel)
	p.Ready(t, r.source)
	return r
}

func (r *running) deliver(m bridge.Message) {
	r.mu.Lock()
	r.got = append(r.got, m)
	r.mu.Unlock()
	if r.ack {
		go m.Ack() // from any goroutine
	}
	select {
	case r.new <- struct{}{}:
	default:
	}
}

// await returns what was delivered once there are n of them.
func (r *running) await(t *testing.T, n int) []bridge.Message {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		got := r.got
		r.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-r.new:
		case <-deadline:
			t.Fatalf("%d of %d messages were delivered", len(got), n)
		}
	}
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("the source ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the source did not end")
	}
}

type sent struct {
	kind    bridge.Kind
	device  string
	payload []byte
}

// hard are messages that nothing on the way may change.
func hard() []sent {
	var all []sent
	for _, kind := range []bridge.Kind{bridge.Frames, bridge.Vitals, bridge.Status} {
		for i, payload := range [][]byte{
			{0}, []byte(`{"a":1}`), bytes.Repeat([]byte{0xff}, 10), {'\n', 0, 0x7f, 0x80},
			bytes.Repeat([]byte("ECG"), 100_000),
		} {
			all = append(all, sent{kind, fmt.Sprintf("patch %d.é", i), payload})
		}
	}
	return all
}

func sameBytes(t *testing.T, p Place) {
	r := start(t, p, true)
	all := hard()
	for _, s := range all {
		p.Publish(t, s.kind, s.device, s.payload)
	}
	got := r.await(t, len(all))
	for i, s := range all {
		if g := got[i]; g.Kind != s.kind || g.Device != s.device || !bytes.Equal(g.Payload, s.payload) {
			t.Fatalf("message %d: %s of %q with %d bytes; sent %s of %q with %d", i, g.Kind, g.Device, len(g.Payload), s.kind, s.device, len(s.payload))
		}
		if got[i].Place == "" {
			t.Fatalf("message %d does not say where it came from", i)
		}
	}
	r.stop(t)
}

// While nobody runs and while nobody acknowledges, the server keeps all.
func comesAgain(t *testing.T, p Place) {
	const n = 30
	start(t, p, false).stop(t)
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			p.Publish(t, bridge.Frames, "d", []byte{byte(i)})
		}
	}
	publish(0, 10)
	first := start(t, p, false)
	publish(10, 20)
	first.await(t, 20)
	first.stop(t)
	publish(20, n)
	seen := map[byte]bool{}
	second := start(t, p, true)
	for k := n; len(seen) < n; k++ {
		for _, m := range second.await(t, k) {
			seen[m.Payload[0]] = true
		}
	}
	second.stop(t)
}

func doesNot(t *testing.T, p Place) {
	const n = 20
	first := start(t, p, true)
	for i := range n {
		p.Publish(t, bridge.Frames, "d", []byte{byte(i)})
	}
	first.await(t, n)
	first.stop(t) // which gives acknowledgements the time they need
	second := start(t, p, true)
	p.Publish(t, bridge.Frames, "d", []byte{n})
	for _, m := range second.await(t, 1) {
		if m.Payload[0] != n {
			t.Errorf("message %d came again though it was acknowledged", m.Payload[0])
		}
	}
	second.stop(t)
}

// A message that will never be acknowledged does not hold up the end.
func endsSoon(t *testing.T, p Place) {
	r := start(t, p, false)
	p.Publish(t, bridge.Frames, "d", []byte{1})
	r.await(t, 1)
	began := time.Now()
	r.stop(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %s", took)
	}
}
