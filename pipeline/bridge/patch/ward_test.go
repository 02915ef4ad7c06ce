package patch

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// testBroker is an MQTT broker in the process that keeps what was published.
type testBroker struct {
	t    *testing.T
	addr string
	mu   sync.Mutex
	stop func()

	frames   []*topics.PatchFrame
	arrivals []time.Time
	vitals   []*topics.PatchVitals
	statuses []*topics.PatchStatus
	sessions []packets.Packet // CONNECT
}

// hook sees packets as the broker does.
type hook struct {
	mqtt.HookBase
	b *testBroker
}

func (h *hook) ID() string { return "record" }
func (h *hook) Provides(b byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnect, mqtt.OnPublish, mqtt.OnWillSent}, []byte{b})
}

func (h *hook) OnConnect(_ *mqtt.Client, p packets.Packet) error {
	h.b.mu.Lock()
	defer h.b.mu.Unlock()
	h.b.sessions = append(h.b.sessions, p)
	return nil
}

// OnPublish is called before the acknowledgement, so what a patch was told is there.
func (h *hook) OnPublish(_ *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	h.b.take(p)
	return p, nil
}

func (h *hook) OnWillSent(_ *mqtt.Client, p packets.Packet) { h.b.take(p) }

func (b *testBroker) take(p packets.Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	decode := func(m proto.Message) {
		err := proto.Unmarshal(p.Payload, m)
		if p.Payload[0] == '{' {
			err = protojson.Unmarshal(p.Payload, m)
		}
		if err != nil {
			b.t.Errorf("%s: %v", p.TopicName, err)
		}
	}
	switch kind := p.TopicName[len(p.TopicName)-6:]; kind {
	case "frames":
		f := new(topics.PatchFrame)
		decode(f)
		if p.TopicName != "ward7/v1/"+f.Device+"/frames" || p.FixedHeader.Qos != 1 || p.FixedHeader.Retain {
			b.t.Errorf("a frame of %s came on %s, QoS %d, retained %v", f.Device, p.TopicName, p.FixedHeader.Qos, p.FixedHeader.Retain)
		}
		b.frames, b.arrivals = append(b.frames, f), append(b.arrivals, time.Now())
	case "vitals":
		v := new(topics.PatchVitals)
		decode(v)
		b.vitals = append(b.vitals, v)
	case "status":
		s := new(topics.PatchStatus)
		decode(s)
		if !p.FixedHeader.Retain {
			b.t.Errorf("a status of %s is not retained", s.Device)
		}
		b.statuses = append(b.statuses, s)
	default:
		b.t.Errorf("something came on %s", p.TopicName)
	}
}

func startBroker(t *testing.T) *testBroker {
	t.Helper()
	b := &testBroker{t: t, addr: "127.0.0.1:0"}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// start begins to listen, on the same port as before after a stop.
func (b *testBroker) start() {
	s := mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, h := range []mqtt.Hook{new(auth.AllowHook), &hook{b: b}} {
		if err := s.AddHook(h, nil); err != nil {
			b.t.Fatal(err)
		}
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: b.addr})
	if err := s.AddListener(l); err != nil {
		b.t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		b.t.Fatal(err)
	}
	b.addr = l.Address()
	b.stop = sync.OnceFunc(func() { s.Close() })
}

// ledger gathers entries.
type ledger struct {
	mu      sync.Mutex
	entries []Entry
}

func (l *ledger) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

func testConfig(b *testBroker, l *ledger) Config {
	c := DefaultConfig()
	c.Broker, c.Site = "tcp://"+b.addr, "ward7"
	c.Patients, c.Speed, c.For = 3, 50, 20*time.Second
	c.Scripts = []string{"sinus 70 + pvc 6/min", "af 90", "pace 70"}
	boot := make(map[string]uint64)
	c.Boot = func(device string) (uint64, error) { boot[device]++; return boot[device], nil }
	c.Entries = l.add
	return c
}

func run(t *testing.T, ctx context.Context, c Config) Stats {
	t.Helper()
	w, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return w.Stats()
}

type sampleID struct {
	device      string
	boot, first uint64
}

// settle compares what the ledger says was delivered with what the broker
// got, frame by frame, and gives how often each came.
func settle(t *testing.T, b *testBroker, l *ledger) map[sampleID]int {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	digests := make(map[sampleID][32]byte)
	for _, e := range l.entries {
		if e.Fate != Delivered {
			continue
		}
		id := sampleID{e.Device, e.Boot, e.First}
		if _, twice := digests[id]; twice {
			t.Errorf("%v has two fates", id)
		}
		digests[id] = e.Digest
		if e.Sent.IsZero() || e.Done.Before(e.Sent) {
			t.Errorf("%v: sent %v, done %v", id, e.Sent, e.Done)
		}
	}
	came := make(map[sampleID]int)
	for _, f := range b.frames {
		id := sampleID{f.Device, f.Boot, f.First}
		came[id]++
		if d, ok := digests[id]; !ok || d != Digest(f.Leads) {
			t.Errorf("%v came, and the ledger says delivered: %v, with the same samples: %v", id, ok, d == Digest(f.Leads))
		}
	}
	for id := range digests {
		if came[id] == 0 {
			t.Errorf("%v was delivered and never came", id)
		}
	}
	return came
}

func TestEverySampleIsAccountedFor(t *testing.T) {
	for _, encoding := range []string{"proto", "json"} {
		for _, connections := range []int{0, 2} {
			b, l := startBroker(t), new(ledger)
			c := testConfig(b, l)
			c.Encoding, c.Connections = encoding, connections
			stats := run(t, t.Context(), c)
			came := settle(t, b, l)
			// 5000 samples in frames of 62 (250 ms, 62.5): 80 and one of 40.
			if want := int64(3 * 81); stats.Delivered != want || int64(len(came)) != want || stats.Lost+stats.Dropped+stats.Unknown != 0 {
				t.Errorf("%s, %d connections: %+v and %d frames came, want %d", encoding, connections, stats, len(came), want)
			}
			next := make(map[string]uint64)
			for _, f := range b.frames {
				if f.First != next[f.Device] || f.Rate != 250 || len(f.Leads) != 2 || f.GetBatteryPercent() != 96 {
					t.Fatalf("%s: frame at %d after %d, %g Hz, %d leads, battery %d", f.Device, f.First, next[f.Device], f.Rate, len(f.Leads), f.GetBatteryPercent())
				}
				next[f.Device] += uint64(len(f.Leads[0].Deltas))
			}
			if next["patch-01"] != 5000 || next["patch-03"] != 5000 {
				t.Errorf("samples came up to %v, want 5000", next)
			}
			if n := len(b.vitals); n != 3*11 {
				t.Errorf("%d vitals came, want one each 2 s of 3 patients, and the first: 33", n)
			}
			for _, v := range b.vitals {
				if len(v.Vitals) != 2 || v.Vitals[0].Loinc != "59408-5" || v.Vitals[0].Value < 90 || v.Vitals[0].Value > 100 || v.Vitals[1].Value < 10 || v.Vitals[1].Value > 20 {
					t.Errorf("vitals are %v", v.Vitals)
				}
			}
		}
	}
}

func TestSamplesThatComeAreThoseOfTheSource(t *testing.T) {
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.Patients, c.Scripts = 1, []string{"5s sinus 70; 1.4s dropout; 5s pace 60; 2s lead-off V1; loop"}
	run(t, t.Context(), c)
	script, _ := Parse(c.Scripts[0])
	source, err := NewSynth(c.synth(script, 0))
	if err != nil {
		t.Fatal(err)
	}
	truth := read(t, source, 20)
	pulses, seen := make(map[uint64]bool), make([]bool, truth.Len())
	for _, p := range truth.Pulses {
		pulses[uint64(p)] = true
	}
	for _, f := range b.frames {
		value := int32(0)
		for i, d := range f.Leads[0].Deltas {
			value += d
			at := f.First + uint64(i)
			missing := f.Missing != nil && f.Missing[i/8]>>(i%8)&1 == 1
			if missing != truth.Missing[at] || !missing && value != truth.Counts[0][at] {
				t.Fatalf("sample %d is %d, missing %v; the source has %d, %v", at, value, missing, truth.Counts[0][at], truth.Missing[at])
			}
			seen[at] = !missing
		}
		for _, p := range f.PacePulses {
			if !pulses[f.First+uint64(p)] {
				t.Errorf("a pulse at %d", f.First+uint64(p))
			}
			delete(pulses, f.First+uint64(p))
		}
	}
	for at := range seen {
		if seen[at] == truth.Missing[at] {
			t.Fatalf("sample %d came: %v; the source lacks it: %v", at, seen[at], truth.Missing[at])
		}
	}
	if len(pulses) != 0 {
		t.Errorf("%d pulses never came", len(pulses))
	}
}

func TestBehaviours(t *testing.T) {
	t.Parallel()
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.Patients, c.For = 2, 60*time.Second
	c.Behaviour = Behaviour{Lost: 0.1, Duplicate: 0.1, Reorder: 0.1, Missing: 0.02, RebootEvery: 20 * time.Second, ClockOffset: time.Hour, ClockDrift: 1000, Battery: 3, BatteryUse: 100}
	begin := time.Now()
	stats := run(t, t.Context(), c)
	came := settle(t, b, l)
	// Two reboots of 2 s each in 60 s.
	total := 2 * (60 - 4) * 4
	if sum := stats.Delivered + stats.Lost; sum < int64(total-10) || sum > int64(total+10) || stats.Dropped+stats.Unknown != 0 {
		t.Errorf("%+v for %d frames", stats, total)
	}
	if q := float64(stats.Lost) / float64(total); q < 0.05 || q > 0.15 {
		t.Errorf("%.2f of the frames were lost, want 0.1", q)
	}
	twice, swapped, missing := 0, 0, 0
	highest := make(map[string]sampleID)
	for _, f := range b.frames {
		id := sampleID{f.Device, f.Boot, f.First}
		again := came[id] == 0
		if !again {
			twice += came[id] - 1
			came[id] = 0
		}
		if h := highest[f.Device]; f.Boot == h.boot && f.First < h.first {
			swapped++
		} else {
			highest[f.Device] = sampleID{f.Device, f.Boot, f.First}
		}
		for i := range f.Leads[0].Deltas {
			if !again && f.Missing != nil && f.Missing[i/8]>>(i%8)&1 == 1 {
				missing++
			}
		}
		if off := time.UnixMicro(f.DeviceTimeUs).Sub(begin); off < time.Hour || off > time.Hour+time.Minute {
			t.Errorf("the device's clock is %s ahead, want an hour", off)
		}
	}
	if n := len(b.frames); twice < n/20 || twice > n/6 || swapped < n/20 || swapped > n/4 {
		t.Errorf("of %d frames %d came twice and %d late", n, twice, swapped)
	}
	if q := float64(missing) / float64(250*2*56); q < 0.014 || q > 0.022 {
		t.Errorf("%.3f of the samples are missing, want 0.018", q)
	}
	if highest["patch-01"].boot != 3 || highest["patch-02"].boot != 3 {
		t.Errorf("the last boots are %v, want 3", highest)
	}
	if battery := b.frames[len(b.frames)-1].GetBatteryPercent(); battery > 2 {
		t.Errorf("the battery has %d %% after a minute at 100 %% an hour from 3 %%", battery)
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.Patients, c.For, c.Speed = 1, 8*time.Second, 8
	c.Behaviour.GapEvery, c.Behaviour.GapFor = 4*time.Second, time.Second
	run(t, t.Context(), c)
	settle(t, b, l)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.statuses) < 4 || !b.statuses[0].Online || b.statuses[len(b.statuses)-1].Online {
		t.Fatalf("presence was %v", b.statuses)
	}
	for i, s := range b.statuses {
		if s.Device != "patch-01" || s.Boot != 1 || s.Online != (i%2 == 0) {
			t.Errorf("status %d is %v: on and off must take turns", i, s)
		}
	}
	if len(b.sessions) < 2 {
		t.Fatalf("connected %d times, want at least 2", len(b.sessions))
	}
	for _, p := range b.sessions {
		if p.Connect.Clean || p.Connect.ClientIdentifier != "ward7-patch-01" || p.Connect.WillQos != 1 || !p.Connect.WillRetain || p.Connect.WillTopic != "ward7/v1/patch-01/status" {
			t.Errorf("connected with %+v", p.Connect)
		}
	}
}

// While the broker is away patches keep what they measure, and send it later:
// in order, beside live frames, each at least once.
func TestBacklogAfterABrokerRestart(t *testing.T) {
	t.Parallel()
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.Patients, c.Speed, c.For, c.CatchUp = 2, 8, 48*time.Second, 10
	done := make(chan Stats)
	go func() { done <- run(t, t.Context(), c) }()
	time.Sleep(time.Second)
	b.stop()
	time.Sleep(time.Second)
	b.start()
	back := time.Now()
	stats := <-done
	came := settle(t, b, l)
	if want := int64(2 * 194); stats.Delivered != want || int64(len(came)) != want || stats.Dropped+stats.Unknown != 0 || stats.Connects < 4 {
		t.Errorf("%+v, %d frames came, want %d over at least 4 connections", stats, len(came), want)
	}
	// Live frames are not held up by the backlog.
	last, behind, beside := uint64(0), 0, 0
	for i, f := range b.frames {
		if f.Device != "patch-01" || b.arrivals[i].Before(back) {
			continue
		}
		if f.First < last {
			behind++
		} else {
			if behind > 0 {
				beside++
			}
			last = f.First
		}
	}
	if behind < 4 || beside < 4 {
		t.Errorf("after the restart %d frames of the backlog came after newer ones, and %d live ones after those", behind, beside)
	}
}

func TestFullBacklogDropsTheOldest(t *testing.T) {
	t.Parallel()
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	b.stop()
	c.Patients, c.Speed, c.For, c.Backlog, c.Vitals = 1, 20, 20*time.Second, 5*time.Second, 0
	done := make(chan Stats)
	go func() { done <- run(t, t.Context(), c) }()
	time.Sleep(1500 * time.Millisecond) // 20 s at 20 times speed, and some
	b.start()
	stats := <-done
	came := settle(t, b, l)
	if stats.Delivered != 20 || stats.Dropped != 61 || len(came) != 20 {
		t.Errorf("%+v and %d frames came, want 20 delivered (5 s) and 61 dropped", stats, len(came))
	}
	for id := range came {
		if id.first < 61*62 {
			t.Errorf("the frame at %d was kept and newer ones dropped", id.first)
		}
	}
}

func TestStopIsQuickAndSaysGoodbye(t *testing.T) {
	t.Parallel()
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.For, c.Speed = 0, 1
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	begin := time.Now()
	run(t, ctx, c)
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("it took %s to stop", d-700*time.Millisecond)
	}
	settle(t, b, l)
	off := 0
	for _, s := range b.statuses {
		if !s.Online {
			off++
		}
	}
	if off != 3 {
		t.Errorf("%d of 3 patches said that they are off", off)
	}
}

func TestNoBrokerIsSaidOnce(t *testing.T) {
	t.Parallel()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listen.Addr().String()
	listen.Close()
	var out lockedBuffer
	c := DefaultConfig()
	c.Broker = "tcp://" + addr
	w, err := New(c, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || !bytes.Contains(out.Bytes(), []byte(addr)) {
		t.Errorf("want one line with the address, got:\n%s", out.Bytes())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
