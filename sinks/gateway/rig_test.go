package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks"
	"heartwire/topics"
)

var testPage = fstest.MapFS{
	"index.html":    {Data: []byte("<!doctype html><title>Heartwire</title>")},
	"assets/app.js": {Data: []byte("export {}")},
}

// rig is a gateway that runs, on a free port or on the listener given.
type rig struct {
	*Gateway
	t    testing.TB
	reg  *prometheus.Registry
	ln   net.Listener
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	stop context.CancelFunc
	done chan error
}

func start(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, ln, change)
}

func startOn(t testing.TB, ln net.Listener, change func(*Config)) *rig {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Site, cfg.Build = "test", "v0"
	if change != nil {
		change(&cfg)
	}
	return startWith(t, ln, cfg, nil)
}

// startWith starts a gateway that writes to out, if there is one.
func startWith(t testing.TB, ln net.Listener, cfg Config, out topics.Writer) *rig {
	t.Helper()
	reg := prometheus.NewRegistry()
	g, err := New(cfg, testPage, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		g.WriteTo(out)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &rig{Gateway: g, t: t, reg: reg, ln: ln, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- g.Serve(ctx, ln) }()
	if _, err := g.Addr(ctx); err != nil {
		t.Fatal(err)
	}
	g.CaughtUp()
	t.Cleanup(r.end)
	return r
}

// end stops the gateway and fails the test when that is not clean.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Serve: %v", err)
	}
	r.done <- nil
}

func (r *rig) url(path string) string { return "http://" + r.ln.Addr().String() + path }

// peer is a client of the rig.
type peer struct {
	*websocket.Conn
	t    testing.TB
	json bool
}

func (r *rig) connect(protocol string) *peer {
	r.t.Helper()
	p, _, err := r.try(protocol, nil)
	if err != nil {
		r.t.Fatalf("connect: %v", err)
	}
	if p.next().GetHello() == nil {
		r.t.Fatal("the first message is no Hello")
	}
	if m, err := p.read(); err != nil || m.GetIdentity() == nil {
		r.t.Fatalf("the second message is no Identity: %v %v", m, err)
	}
	return p
}

func (r *rig) try(protocol string, h http.Header) (*peer, *http.Response, error) {
	d := websocket.Dialer{NetDialContext: r.dial, HandshakeTimeout: 5 * time.Second}
	if protocol != "" {
		d.Subprotocols = []string{protocol}
	}
	ws, resp, err := d.Dial("ws://"+r.ln.Addr().String()+"/v1/live", h)
	if err != nil {
		return nil, resp, err
	}
	r.t.Cleanup(func() { ws.Close() })
	return &peer{Conn: ws, t: r.t, json: protocol == protocolJSON}, resp, nil
}

// send sends a message; an error shows in what is read next.
func (p *peer) send(m *ClientMessage) {
	if p.json {
		b, _ := protojson.Marshal(m)
		p.WriteMessage(websocket.TextMessage, b)
		return
	}
	b, _ := proto.Marshal(m)
	p.WriteMessage(websocket.BinaryMessage, b)
}

func (p *peer) subscribeAll() {
	p.send(&ClientMessage{Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{All: true}}})
}

func (p *peer) subscribe(keys ...string) {
	p.send(&ClientMessage{Id: 7, Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{Patients: keys}}})
}

// read is the next message, whatever it is.
func (p *peer) read() (*ServerMessage, error) {
	p.SetReadDeadline(time.Now().Add(20 * time.Second))
	op, b, err := p.ReadMessage()
	if err != nil {
		return nil, err
	}
	m := new(ServerMessage)
	switch {
	case p.json && op == websocket.TextMessage:
		err = protojson.Unmarshal(b, m)
	case !p.json && op == websocket.BinaryMessage:
		err = proto.Unmarshal(b, m)
	default:
		err = fmt.Errorf("a message of the wrong type %d", op)
	}
	return m, err
}

// next is the next message that is no heartbeat, and does not say who the
// client is or where limits come from.
func (p *peer) next() *ServerMessage {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatalf("read: %v", err)
		}
		if m.GetHeartbeat() == nil && m.GetIdentity() == nil && m.GetSetting() == nil {
			return m
		}
	}
}

// until skips messages until one is wanted.
func until[T any](p *peer, pick func(*ServerMessage) (T, bool)) T {
	p.t.Helper()
	for {
		if v, ok := pick(p.next()); ok {
			return v
		}
	}
}

func snapshotOf(key string) func(*ServerMessage) (*Snapshot, bool) {
	return func(m *ServerMessage) (*Snapshot, bool) {
		s := m.GetSnapshot()
		return s, s.GetBed().GetPatient() == key
	}
}

const (
	rate     = 250
	perFrame = 50 // samples: 200 ms
	epoch    = int64(1_700_000_000_000_000)
)

// give delivers values as the log would have them.
func give[T proto.Message](t testing.TB, s sinks.Sink[T], topic topics.Topic[T], records ...topics.Record[T]) {
	t.Helper()
	for i := range records {
		records[i].Raw, _ = topic.Append(nil, records[i].Value)
	}
	if err := s.Deliver(context.Background(), records); err != nil {
		t.Fatalf("deliver to %s: %v", topic.Name, err)
	}
}

// frame is the i-th run of samples of a patient, 200 ms long.
func frame(key string, i int) topics.Record[*topics.Frame] {
	first := uint64(i * perFrame)
	deltas := make([]int32, perFrame)
	for n := range deltas {
		deltas[n] = int32((i+n)%300 - 150)
	}
	return topics.Record[*topics.Frame]{
		Key:    topics.Key(key),
		Origin: topics.Origin{Source: "patch-" + key, Epoch: 1, Offset: int64(first)},
		Offset: int64(i),
		Value: &topics.Frame{Patient: key, Kind: &topics.Frame_Samples{Samples: &topics.Samples{
			Device: "patch-" + key, Boot: 1, First: first, Rate: rate, Count: perFrame,
			TimeUs: epoch + int64(first)*1e6/rate, ArrivalUs: epoch + int64(first+perFrame)*1e6/rate,
			Leads: []*topics.Lead{{Name: "I", MicrovoltsPerCount: 5, Deltas: deltas}, {Name: "II", MicrovoltsPerCount: 5, Deltas: deltas}},
		}}},
	}
}

func beat(key string, i int) topics.Record[*topics.Annotation] {
	return topics.Record[*topics.Annotation]{
		Key:    topics.Key(key),
		Origin: topics.Origin{Source: "frames", Offset: int64(i)}, Offset: int64(i),
		Value: &topics.Annotation{Patient: key, Device: "patch-" + key, Boot: 1, Sample: uint64(i * perFrame), TimeUs: epoch + int64(i)*200_000,
			Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_N, Lead: "II", RrMs: 800}}},
	}
}

func second(key string, i int, rate float64) topics.Record[*topics.Chart] {
	return topics.Record[*topics.Chart]{
		Key:    topics.Key(key),
		Origin: topics.Origin{Source: "annotations", Offset: int64(i)}, Offset: int64(i),
		Value: &topics.Chart{Patient: key, TimeUs: epoch + int64(i)*1e6,
			Kind: &topics.Chart_Second{Second: &topics.Second{Rate: &rate, Sample: uint64(i)}}},
	}
}

func alarm(key, id string, version uint32, is topics.AlarmCondition) topics.Record[*topics.Alarm] {
	return topics.Record[*topics.Alarm]{
		Key:    topics.Key(key),
		Origin: topics.Origin{Source: "chart", Offset: int64(version)},
		Value: &topics.Alarm{Patient: key, TimeUs: epoch, Kind: &topics.Alarm_State{State: &topics.AlarmState{
			Id: id, Version: version, Rule: topics.RuleAsystole, Priority: topics.Priority_PRIORITY_HIGH, Condition: is, Text: "ASYSTOLE 4.9 > 4 s",
		}}},
	}
}

func patientSetting(version uint64, v *topics.Patient) topics.Record[*topics.Setting] {
	object := "patient/" + v.GetPatient()
	return topics.Record[*topics.Setting]{
		Key:    topics.Key(object),
		Origin: topics.Origin{Source: "requests", Offset: int64(version)}, Offset: int64(version),
		Value: &topics.Setting{Object: object, Version: version, TimeUs: epoch, Kind: &topics.Setting_Patient{Patient: v}},
	}
}

func accountSetting(version uint64, name, role string, units ...string) topics.Record[*topics.Setting] {
	object := "account/" + name
	return topics.Record[*topics.Setting]{
		Key: topics.Key(object), Origin: topics.Origin{Source: "requests", Offset: int64(version)},
		Value: &topics.Setting{Object: object, Version: version, TimeUs: epoch, Kind: &topics.Setting_Account{
			Account: &topics.Account{Account: name, Roles: []string{role}, Units: units, Gone: role == ""},
		}},
	}
}

func deviceSetting(version uint64, device, patient string) topics.Record[*topics.Setting] {
	d := &topics.Device{Device: device}
	if patient != "" {
		d.Bindings = []*topics.DeviceBinding{{Patient: patient, FromUs: epoch}}
	}
	object := "device/" + device
	return topics.Record[*topics.Setting]{
		Key: topics.Key(object), Origin: topics.Origin{Source: "requests", Offset: int64(version)},
		Value: &topics.Setting{Object: object, Version: version, TimeUs: epoch, Kind: &topics.Setting_Device{Device: d}},
	}
}

func bindingFrame(key, device string, bound bool, at int64) topics.Record[*topics.Frame] {
	return topics.Record[*topics.Frame]{
		Key: topics.Key(key), Origin: topics.Origin{Source: "requests", Offset: at},
		Value: &topics.Frame{Patient: key, Kind: &topics.Frame_Binding{Binding: &topics.Binding{Device: device, Bound: bound, AtUs: at}}},
	}
}
