package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"heartwire/topics"
)

// pipes is a listener within the process, for tests with a clock of their own.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

// still starts a gateway in a bubble where time passes only when all wait.
func still(t *testing.T, f func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		ln := newPipes()
		r := startOn(t, ln, nil)
		r.dial = ln.dial
		f(r)
		r.end()
	})
}

func (r *rig) clients() int {
	synctest.Wait()
	return len(r.ward.list())
}

func TestClientThatReadsNothingIsClosedAfterTenSeconds(t *testing.T) {
	still(t, func(r *rig) {
		dead := r.connect(protocolProto)
		dead.subscribe("p1")
		until(dead, snapshotOf("p1"))
		// The next write waits for a reader that never comes.
		give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
		time.Sleep(9900 * time.Millisecond)
		if n := r.clients(); n != 1 {
			t.Fatalf("%d clients after 9.9 s, want 1", n)
		}
		time.Sleep(200 * time.Millisecond)
		if n := r.clients(); n != 0 {
			t.Fatalf("%d clients after 10.1 s, want none", n)
		}
	})
}

// A client may read and yet not live: what answers pings is its program.
func TestClientThatAnswersNoPingIsClosedWithAReason(t *testing.T) {
	still(t, func(r *rig) {
		mute := r.connect(protocolProto)
		mute.SetPingHandler(func(string) error { return nil })
		began := time.Now()
		var err error
		for err == nil {
			_, err = mute.read()
		}
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.ClosePolicyViolation || closed.Text == "" {
			t.Errorf("closed with %v, want 1008 and a reason", err)
		}
		if d := time.Since(began); d < 10*time.Second || d > 13*time.Second {
			t.Errorf("closed after %v", d)
		}
		time.Sleep(3 * time.Second)
		if n := r.clients(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}

func TestClientThatLivesIsKept(t *testing.T) {
	still(t, func(r *rig) {
		p := r.connect(protocolProto)
		began := time.Now()
		for n := 0; time.Since(began) < 10*time.Minute; n++ {
			m, err := p.read()
			if err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			if m.GetHeartbeat() == nil {
				t.Fatalf("%v though nothing happened", m)
			}
			if at, want := m.GetHeartbeat().GetServerTimeUs(), began.Add(time.Duration(n+1)*time.Second).UnixMicro(); max(at-want, want-at) > 1e6 {
				t.Fatalf("heartbeat %d says %d, want about %d", n, at, want)
			}
		}
	})
}

func TestGoodbye(t *testing.T) {
	still(t, func(r *rig) {
		p := r.connect(protocolProto)
		p.subscribe("p1")
		until(p, snapshotOf("p1"))
		give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
		began := time.Now()
		go r.stop()
		until(p, func(m *ServerMessage) (bool, bool) { return true, m.GetAlarm() != nil }) // not lost on the way out
		var err error
		for err == nil {
			_, err = p.read()
		}
		if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("closed with %v, want 1001", err)
		}
		r.end()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("the drain took %v", d)
		}
	})
}

// One that does not read must not hold the drain.
func TestGoodbyeWaitsForNobody(t *testing.T) {
	still(t, func(r *rig) {
		p := r.connect(protocolProto)
		p.subscribe("p1")
		until(p, snapshotOf("p1"))
		give(t, r.Frames(), topics.Frames, frame("p1", 1))
		synctest.Wait()
		began := time.Now()
		r.end()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("the drain took %v", d)
		}
	})
}

func TestKeysLeftAreForgotten(t *testing.T) {
	still(t, func(r *rig) {
		for n := range 10 {
			key := fmt.Sprintf("u-%d", n)
			give(t, r.Frames(), topics.Frames, frame(key, 0), bindingFrame(key, "patch", false, epoch+1))
		}
		give(t, r.Frames(), topics.Frames, frame("p1", 0))
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if n := len(r.ward.patients); n != 1 {
			t.Errorf("%d patients are remembered, want p1 alone", n)
		}
	})
}
