package bench

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Dialect is how a server is spoken to.
type Dialect interface {
	// Path and subprotocol of its WebSocket.
	Path() string
	Protocol() string
	// Subscribe are the messages, each a WebSocket message of its own, by which a
	// client asks for patients.
	Subscribe(patients []string) ([][]byte, error)
	// Each tells of every frame in a WebSocket message when it was delivered to the
	// server, in UTC µs, and returns how many frames the server says it left out.
	// It returns what is to be sent back, or nothing.
	Each(message []byte, got func(sentUs int64)) (left int64, reply []byte)
	// Snapshot asks for one patient and waits until all that is known is there; nil
	// where there is no such thing.
	Snapshot(address, patient string) error
}

// Read is the process of the clients: it takes orders from in and answers to out
// until in ends.
func Read(in io.Reader, out io.Writer, of Dialect) error {
	orders := json.NewDecoder(in)
	var first order
	if err := orders.Decode(&first); err != nil || first.Load == nil {
		return fmt.Errorf("no order to begin with: %w", err)
	}
	r := &readers{of: of, address: first.Address, load: *first.Load, out: json.NewEncoder(out)}
	if err := r.connect(); err != nil {
		r.say(line{Error: err.Error()})
		return err
	}
	r.say(line{Ready: true})
	go func() {
		for range time.Tick(2 * time.Millisecond) {
			r.say(line{Received: r.received.Load()})
		}
	}()
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil // the bench has ended
		}
		switch {
		case o.Begin:
			r.begin(o.Probe)
		case o.Report:
			report, err := r.report()
			if err != nil {
				r.say(line{Error: err.Error()})
				return err
			}
			r.say(line{Report: &report})
		}
	}
}

type readers struct {
	of      Dialect
	address string
	load    Load

	mu  sync.Mutex
	out *json.Encoder

	received, dropped, from, left atomic.Int64 // from, left: when it was begun
	failed                        atomic.Pointer[error]
	ages                          ages
	probe                         *probe
}

func (r *readers) say(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(l)
}

// connect lets the clients come, some at a time, and waits for their upgrades.
func (r *readers) connect() error {
	errs := make(chan error, r.load.Clients)
	turn := make(chan struct{}, 64)
	for i := range r.load.Clients {
		turn <- struct{}{}
		go func() {
			defer func() { <-turn }()
			errs <- r.client(i)
		}()
	}
	for range r.load.Clients {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func (r *readers) client(i int) error {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return err
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", r.of.Path(), r.address, r.of.Protocol())
	br := bufio.NewReaderSize(conn, 16<<10)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return fmt.Errorf("client %d: %w", i, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("client %d: %s", i, resp.Status)
	}
	patients := r.load.Of(i)
	if len(patients) > 0 {
		asks, err := r.of.Subscribe(patients)
		if err != nil {
			return err
		}
		for _, ask := range asks {
			if _, err := conn.Write(masked(opBinary, ask)); err != nil {
				return err
			}
		}
	}
	go func() {
		if err := r.read(conn, br); err != nil {
			err = fmt.Errorf("client %d: %w", i, err)
			r.failed.CompareAndSwap(nil, &err)
		}
	}()
	return nil
}

const (
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// masked is a WebSocket message as a client sends it, with a mask of zeros.
func masked(op byte, payload []byte) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func (r *readers) read(conn net.Conn, br *bufio.Reader) error {
	var buf []byte
	got := func(sentUs int64) {
		r.received.Add(1)
		r.ages.add(time.Now().UnixMicro() - sentUs)
	}
	for {
		op, payload, err := message(br, &buf)
		if err != nil {
			return err
		}
		var reply []byte
		switch op {
		case opBinary:
			left, back := r.of.Each(payload, got)
			if r.dropped.Add(left); back != nil {
				reply = masked(opBinary, back)
			}
		case opPing:
			reply = masked(opPong, payload)
		case opClose:
			return fmt.Errorf("closed by the server: %q", payload[min(2, len(payload)):])
		}
		if reply != nil {
			if _, err := conn.Write(reply); err != nil {
				return err
			}
		}
	}
}

var errPieces = errors.New("a message in pieces")

// message reads a WebSocket message that is one frame, as servers send them.
func message(br *bufio.Reader, buf *[]byte) (op byte, payload []byte, err error) {
	var h [8]byte
	if _, err := io.ReadFull(br, h[:2]); err != nil {
		return 0, nil, err
	}
	if h[0]&0x80 == 0 {
		return 0, nil, errPieces
	}
	op = h[0] & 15
	n := uint64(h[1] & 127)
	switch n {
	case 126:
		_, err = io.ReadFull(br, h[:2])
		n = uint64(binary.BigEndian.Uint16(h[:2]))
	case 127:
		_, err = io.ReadFull(br, h[:8])
		n = binary.BigEndian.Uint64(h[:8])
	}
	if err != nil {
		return 0, nil, err
	}
	if uint64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	payload = (*buf)[:n]
	_, err = io.ReadFull(br, payload)
	return op, payload, err
}

func (r *readers) begin(probing bool) {
	r.from.Store(r.received.Load())
	r.left.Store(r.dropped.Load())
	r.ages.reset()
	if probing {
		r.probe = newProbe(r.of, r.address, r.load)
	}
}

func (r *readers) report() (Report, error) {
	if err := r.failed.Load(); err != nil {
		return Report{}, *err
	}
	out := Report{
		Messages: r.received.Load() - r.from.Load(), Dropped: r.dropped.Load() - r.left.Load(),
		P50: r.ages.at(0.5), P99: r.ages.at(0.99), Max: r.ages.at(1),
	}
	if r.probe == nil {
		return out, nil
	}
	waits, err := r.probe.end()
	r.probe = nil
	if err != nil {
		return Report{}, err
	}
	out.Snapshots = len(waits)
	if n := len(waits); n > 0 {
		out.SnapshotP50, out.SnapshotP99 = waits[n/2], waits[n*99/100]
	}
	return out, nil
}

// ages counts how old messages were, to 10 µs, up to 10 s.
type ages struct {
	n [1_000_000]atomic.Uint32
}

func (a *ages) add(us int64) { a.n[min(max(us/10, 0), int64(len(a.n)-1))].Add(1) }

func (a *ages) reset() {
	for i := range a.n {
		a.n[i].Store(0)
	}
}

// at is the age in ms that a share of them does not exceed.
func (a *ages) at(share float64) float64 {
	var all int64
	for i := range a.n {
		all += int64(a.n[i].Load())
	}
	sum, want := int64(0), int64(share*float64(all))
	for i := range a.n {
		if sum += int64(a.n[i].Load()); sum >= want && sum > 0 {
			return float64(i+1) / 100
		}
	}
	return 0
}
