package mqtt

import (
	"bufio"
	"net"
	"sync"
	"time"
)

const (
	readBuffer   = 64 << 10
	writeTimeout = 10 * time.Second // a broker that takes nothing for so long is gone
	closeTimeout = time.Second
)

// bufferedConn saves system calls, which are most of what a bridge costs: it
// reads ahead, and writes what has gathered while the write before was under
// way. Without it each acknowledgement is a call of its own, and each packet
// is read in three.
type bufferedConn struct {
	net.Conn
	in *bufio.Reader

	mu      sync.Mutex
	wake    sync.Cond
	waiting []byte
	err     error
	closed  bool
	flushed chan struct{} // closed when the writing is over
}

func buffered(c net.Conn) *bufferedConn {
	b := &bufferedConn{Conn: c, in: bufio.NewReaderSize(c, readBuffer), flushed: make(chan struct{})}
	b.wake.L = &b.mu
	go b.flush()
	return b
}

func (b *bufferedConn) Read(p []byte) (int, error) { return b.in.Read(p) }

// Write takes p; an error in writing it is told by the next Write or Close.
func (b *bufferedConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	if b.closed {
		return 0, net.ErrClosed
	}
	b.waiting = append(b.waiting, p...)
	b.wake.Signal()
	return len(p), nil
}

func (b *bufferedConn) flush() {
	defer close(b.flushed)
	var under []byte
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.waiting) == 0 && !b.closed {
			b.wake.Wait()
		}
		if len(b.waiting) == 0 {
			return
		}
		under, b.waiting = b.waiting, under[:0]
		b.mu.Unlock()
		b.Conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := b.Conn.Write(under)
		b.mu.Lock()
		if err != nil {
			b.err = err
			b.Conn.Close() // the reader learns of it at once
			return
		}
	}
}

// Close writes what is left, for a second at most, and closes.
func (b *bufferedConn) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	b.wake.Signal()
	b.mu.Unlock()
	if again {
		return nil
	}
	select {
	case <-b.flushed:
	case <-time.After(closeTimeout):
	}
	return b.Conn.Close()
}
