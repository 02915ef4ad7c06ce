// Package gateway shows patients: it is the sink of frames, annotations,
// chart, alarms and settings that serves the web page and the WebSocket
// /v1/live. It keeps the last 30 s of each patient, answers a subscription
// with a Snapshot and then passes on what comes, without a hole between. A
// client that reads too slowly loses the oldest waveform and is told how
// much; it never loses an alarm, and no other client waits for it.
//
// DESIGN.md tells the guarantees and why they hold.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"heartwire/topics"
)

// Subprotocols of /v1/live.
const (
	protocolProto = "heartwire.v1.proto"
	protocolJSON  = "heartwire.v1.json"
)

// Notice is told to each client, and shown by the page.
const Notice = "Heartwire is not a certified medical device"

// Gateway serves the page and the live records.
type Gateway struct {
	cfg     Config
	page    fs.FS
	log     *slog.Logger
	ward    *ward
	metrics *metrics
	tracer  trace.Tracer
	watch   unwatched

	acts  outcomes[*topics.AnswerOutcome]
	asks  outcomes[*topics.Outcome]
	turns chan struct{} // of what people ask for, all together

	resolve func(settings []*topics.Setting, of string) (*topics.Limits, error) // nil: nobody can

	ready     atomic.Bool
	listening chan struct{} // closed when addr is known
	once      sync.Once
	addr      net.Addr

	users  *users // nil: no credentials are asked for
	assets map[string]asset
}

// New makes a gateway that shows page, whose root holds index.html. It
// listens when it runs.
func New(cfg Config, page fs.FS, log *slog.Logger, reg prometheus.Registerer) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("register the gateway's metrics: %w", err)
	}
	return &Gateway{
		cfg: cfg, page: page, log: log, metrics: m,
		tracer:    noop.NewTracerProvider().Tracer(""),
		ward:      newWard(cfg, m, log),
		listening: make(chan struct{}),
		turns:     make(chan struct{}, mostAtOnce),
	}, nil
}

// Trace tells p of the records that are followed, from their delivery to the
// gateway until the first client has them. It is called before Run.
func (g *Gateway) Trace(p trace.TracerProvider) { g.tracer = p.Tracer("heartwire/sinks/gateway") }

// WriteTo gives the gateway the log to write to: what people ask for, and who
// saw and asked for what. Without it nothing is to be done. It is called before Run.
func (g *Gateway) WriteTo(w topics.Writer) { g.ward.trail.out = w }

// CaughtUp says that the topics have been read from the look-back to the
// end. Until then nobody is let in: what has long ended would look new.
func (g *Gateway) CaughtUp() { g.ready.Store(true) }

// Ready reports whether clients are let in.
func (g *Gateway) Ready() bool { return g.ready.Load() }

// Addr is the address that the gateway listens on; it waits until it does.
func (g *Gateway) Addr(ctx context.Context) (net.Addr, error) {
	select {
	case <-g.listening:
		return g.addr, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Run listens and serves until ctx ends, then says goodbye to the clients and
// returns nil; that takes at most 3 s.
func (g *Gateway) Run(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", g.cfg.Listen)
	if err != nil {
		return fmt.Errorf("gateway.listen: %w", err)
	}
	return g.Serve(ctx, ln)
}

// Serve is Run on a listener that is already there; it closes it.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if err := g.load(); err != nil {
		return err
	}
	conf, err := g.cfg.TLS.load()
	if err != nil {
		return err
	}
	g.once.Do(func() { g.addr = ln.Addr(); close(g.listening) })
	g.log.Info("the gateway listens", "address", ln.Addr().String(), "tls", conf != nil)
	if conf != nil {
		ln = tls.NewListener(ln, conf)
	}
	g.sayWhoActs()
	noted := make(chan struct{})
	go func() { defer close(noted); g.ward.trail.run() }()
	defer func() { g.ward.trail.close(); <-noted }()
	srv := g.server()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()

	beats := time.NewTicker(time.Second)
	defer beats.Stop()
	for n := 1; ; n++ {
		select {
		case now := <-beats.C:
			g.beat(now)
			if n%60 == 0 {
				g.ward.sweep(now)
			}
		case err := <-failed:
			g.drain(srv)
			return fmt.Errorf("gateway: serve: %w", err)
		case <-ctx.Done():
			g.drain(srv)
			if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("gateway: serve: %w", err)
			}
			return nil
		}
	}
}

// sayWhoActs is loud about an open door.
func (g *Gateway) sayWhoActs() {
	if g.users == nil && g.cfg.LocalAccount != "" && g.ward.trail.out != nil {
		g.log.Warn("nobody is asked who they are: whoever reaches this address from this machine acts as one account; "+
			"set gateway.users_file to ask, or empty gateway.local_account to let them look and do nothing", "account", g.cfg.LocalAccount)
	}
}

// load reads the page and the users.
func (g *Gateway) load() (err error) {
	if g.assets, err = loadAssets(g.page); err != nil {
		return err
	}
	if g.cfg.UsersFile != "" {
		g.users, err = loadUsers(g.cfg.UsersFile)
	}
	return err
}

// beat is said each second, data or not: a page that hears nothing for 3 s
// knows that it is alone.
func (g *Gateway) beat(now time.Time) {
	m := say(kindHeartbeat, &ServerMessage{Kind: &ServerMessage_Heartbeat{Heartbeat: &Heartbeat{
		ServerTimeUs: now.UnixMicro(), DecisionUs: g.ward.decided.us(),
	}}})
	high, silent := 0, 0
	stopped := g.watch.message(now)
	for _, c := range g.ward.list() {
		if stopped != nil {
			c.push(stopped)
		}
		h, mute := c.tick(now, m)
		high = max(high, h)
		if mute {
			silent++
		}
	}
	g.metrics.high.Set(float64(high))
	g.metrics.silent.Set(float64(silent))
}

// errDraining refuses clients of a gateway that is about to end.
var errDraining = errors.New("the server is going away; try again")

// drain lets nobody in, says goodbye and waits for the clients, 3 s at most.
func (g *Gateway) drain(srv *http.Server) {
	g.ready.Store(false)
	g.ward.close()
	ctx, cancel := context.WithTimeout(context.Background(), linger+time.Second)
	defer cancel()
	away := closing(websocket.CloseGoingAway, "the server is going away")
	for _, c := range g.ward.list() {
		c.end("going away", away)
	}
	if srv.Shutdown(ctx) != nil {
		srv.Close()
	}
	gone := make(chan struct{})
	go func() { g.ward.present.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
		for _, c := range g.ward.list() {
			c.conn.Close()
		}
		<-gone
	}
}

// live is the handler of /v1/live.
func (g *Gateway) live(w http.ResponseWriter, r *http.Request) {
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "this is a WebSocket: connect with the subprotocol "+protocolProto+" or "+protocolJSON, http.StatusUpgradeRequired)
		return
	}
	protocol := choose(websocket.Subprotocols(r))
	if protocol == "" {
		http.Error(w, "ask for the subprotocol "+protocolProto+" or "+protocolJSON, http.StatusBadRequest)
		return
	}
	if !g.ready.Load() {
		unavailable(w, "the log is still being read; try again in a moment")
		return
	}
	if err := g.ward.reserve(); err != nil {
		unavailable(w, err.Error())
		return
	}
	c := newClient(g, askerOf(r), protocol == protocolJSON)
	door := &replies{}
	up := websocket.Upgrader{
		ReadBufferSize: 1 << 10, WriteBufferSize: 256, // the writer does not use it
		Subprotocols:     []string{protocol},
		CheckOrigin:      g.sameOrigin,
		HandshakeTimeout: 5 * time.Second,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			http.Error(w, reason.Error(), status)
		},
	}
	ws, err := up.Upgrade(hijack{w, door}, r, nil)
	if err != nil { // it has been answered
		g.ward.release()
		return
	}
	c.ws, c.conn = ws, door.Conn
	g.admit(c, door)
}

// admit begins a client whose handshake is done.
func (g *Gateway) admit(c *client, door *replies) {
	bound(c.conn)
	door.c = c
	c.ws.SetReadLimit(readLimit)
	c.ws.SetPongHandler(c.pong)
	c.push(say(kindHello, &ServerMessage{Kind: &ServerMessage_Hello{Hello: &Hello{
		Site: g.cfg.Site, Notice: Notice, ServerTimeUs: time.Now().UnixMicro(), Build: g.cfg.Build,
	}}}))
	c.greet()
	if !g.ward.join(c) {
		c.end("going away", closing(websocket.CloseGoingAway, errDraining.Error()))
	}
	c.become(g.ward.identify(c.asker.user)) // it may have changed on the way in
	// The handler returns and its buffers with it.
	go c.read()
	go func() {
		defer g.ward.release()
		c.write()
		g.log.Debug("a client has left", "reason", c.reason)
	}()
}

// choose is the first subprotocol asked for that is spoken here.
func choose(asked []string) string {
	for _, p := range asked {
		if p == protocolProto || p == protocolJSON {
			return p
		}
	}
	return ""
}

func unavailable(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, why, http.StatusServiceUnavailable)
}

// bound keeps the kernel from hoarding minutes of waveform for a client that
// does not read: what is dropped is to be the queue's choice.
func bound(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok {
		t.SetWriteBuffer(2 * chunk) // a failure leaves the kernel's default, which is only less good
	}
}
