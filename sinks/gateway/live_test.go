package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"heartwire/topics"
)

const active, ended = topics.AlarmCondition_ALARM_CONDITION_ACTIVE, topics.AlarmCondition_ALARM_CONDITION_ENDED

// Clients come at any time while eight patients are delivered at once; each
// must see every patient's samples from its Snapshot on without a hole, a
// repeat or a step back.
func TestSnapshotAndIncrementsHaveNoHoleBetween(t *testing.T) {
	const patients, frames, clients = 8, 250, 4
	r := start(t, nil)
	sink := r.Frames()
	began := make(chan struct{})
	var wg sync.WaitGroup
	for n := range patients {
		wg.Go(func() {
			for i := range frames {
				if i == frames/10 && n == 0 {
					close(began)
				}
				give(t, sink, topics.Frames, frame(fmt.Sprintf("p%d", n), i))
				if i%16 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	<-began
	for n := range clients {
		protocol := []string{protocolProto, protocolJSON}[n%2]
		wg.Go(func() {
			p := r.connect(protocol)
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			p.subscribeAll()
			last := make(map[string]uint64)
			for whole := 0; whole < patients; {
				m := p.next()
				var run []*topics.Frame
				switch s := m.GetSnapshot(); {
				case s != nil:
					if _, again := last[s.GetBed().GetPatient()]; again {
						t.Errorf("a second Snapshot of %s", s.GetBed().GetPatient())
					}
					run = s.GetFrames()
				case m.GetFrame() != nil:
					run = []*topics.Frame{m.GetFrame()}
				case m.GetDropped() != nil:
					t.Errorf("a client that reads lost %v", m.GetDropped())
				}
				for _, f := range run {
					before, has := last[f.GetPatient()]
					if first := f.GetSamples().GetFirst(); has && first != before+perFrame {
						t.Errorf("%s: samples from %d after those from %d", f.GetPatient(), first, before)
					}
					if last[f.GetPatient()] = f.GetSamples().GetFirst(); f.GetSamples().GetFirst() == (frames-1)*perFrame {
						whole++
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestSnapshotHoldsWhatIsKnown(t *testing.T) {
	r := start(t, nil)
	give(t, r.Settings(), topics.Settings,
		patientSetting(1, &topics.Patient{Patient: "p1", Unit: "4W", Bed: "B03", Alias: "Kestrel 19", Paced: true}),
		deviceSetting(2, "patch-p1", "p1"))
	for i := range 200 { // 40 s
		give(t, r.Frames(), topics.Frames, frame("p1", i))
		give(t, r.Annotations(), topics.Annotations, beat("p1", i))
	}
	give(t, r.Charts(), topics.Charts, second("p1", 1, 70), second("p1", 2, 71))
	limits := &topics.Limits{Unit: "4W", Version: 3, Limits: topics.DefaultLimits()}
	give(t, r.Charts(), topics.Charts, topics.Record[*topics.Chart]{Key: "p1", Origin: topics.Origin{Offset: 77},
		Value: &topics.Chart{Patient: "p1", Kind: &topics.Chart_Limits{Limits: limits}}})
	spo2 := topics.Record[*topics.Chart]{Key: "p1", Origin: topics.Origin{Offset: 78},
		Value: &topics.Chart{Patient: "p1", Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "59408-5", Value: 97, Ucum: "%"}}}}
	give(t, r.Charts(), topics.Charts, spo2)
	latched := alarm("p1", "c", 2, topics.AlarmCondition_ALARM_CONDITION_LATCHED)
	open, again := alarm("p1", "a", 2, active), alarm("p1", "a", 2, active)
	again.Value.GetState().Restated = true
	give(t, r.Alarms(), topics.Alarms,
		alarm("p1", "b", 1, active), alarm("p1", "a", 1, active), alarm("p1", "b", 2, ended), open,
		alarm("p1", "b", 1, active), // a repeat does not open it again
		again,
		alarm("p1", "c", 1, active), latched) // one that has latched is open

	p := r.connect(protocolProto)
	p.subscribeAll()
	s := until(p, snapshotOf("p1"))
	want := &Snapshot{
		Bed:    &Bed{Patient: "p1", Unit: "4W", Bed: "B03", Alias: "Kestrel 19", Device: "patch-p1", Paced: true},
		Second: second("p1", 2, 71).Value,
		Limits: limits,
		Alarms: []*topics.Alarm{open.Value, latched.Value},
	}
	for i := 49; i < 200; i++ { // the frame that ends where the window begins is in it
		want.Frames = append(want.Frames, frame("p1", i).Value)
	}
	for i := 50; i < 200; i++ {
		want.Annotations = append(want.Annotations, beat("p1", i).Value)
	}
	if !proto.Equal(want, s) { // cmp takes seconds for so many samples
		t.Errorf("Snapshot (-want +got):\n%s", cmp.Diff(want, s, protocmp.Transform()))
	}
	if v := p.next().GetChart().GetVital(); v.GetValue() != 97 {
		t.Errorf("after the Snapshot came %v, want the newest SpO2", v)
	}
}

func TestJSONSaysTheSameAsProtobuf(t *testing.T) {
	r := start(t, nil)
	give(t, r.Frames(), topics.Frames, frame("p1", 0))
	a, b := r.connect(protocolProto), r.connect(protocolJSON)
	for _, p := range []*peer{a, b} {
		p.subscribe("p1")
		until(p, snapshotOf("p1"))
	}
	give(t, r.Frames(), topics.Frames, frame("p1", 1))
	give(t, r.Annotations(), topics.Annotations, beat("p1", 1))
	give(t, r.Charts(), topics.Charts, second("p1", 1, 72))
	give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
	collect := func(p *peer) map[string]*ServerMessage {
		got := make(map[string]*ServerMessage)
		for len(got) < 4 {
			m := p.next()
			got[fmt.Sprintf("%T", m.GetKind())] = m
		}
		return got
	}
	x, y := collect(a), collect(b)
	if d := cmp.Diff(x, y, protocmp.Transform()); d != "" {
		t.Errorf("Protobuf and JSON differ:\n%s", d)
	}
	if !proto.Equal(x["*gateway.ServerMessage_Frame"].GetFrame(), frame("p1", 1).Value) {
		t.Error("the frame is not what stands in the log")
	}
}

// A client that stops reading loses waveform and is told how much; it gets
// every alarm, and a client beside it loses nothing.
func TestSlowClientLosesWaveformNeverAlarms(t *testing.T) {
	const frames, alarms = 4000, 20
	r := start(t, func(c *Config) { c.QueueMessages, c.DeadAfter = 400, 30*time.Second })
	r.dial = smallWindow
	slow := r.connect(protocolProto)
	r.dial = nil
	quick := r.connect(protocolProto)
	for _, p := range []*peer{slow, quick} {
		p.subscribe("p1")
		until(p, snapshotOf("p1"))
	}
	paced := make(chan struct{}, 100) // the quick one keeps up
	seen := make(chan int)
	go func() {
		n := 0
		for n < frames {
			if m := quick.next(); m.GetFrame() != nil {
				n++
				<-paced
			} else if m.GetDropped() != nil {
				t.Errorf("the quick client lost %v", m.GetDropped())
			}
		}
		seen <- n
	}()
	for i := range frames {
		paced <- struct{}{}
		give(t, r.Frames(), topics.Frames, frame("p1", i))
		if i%(frames/alarms) == 0 {
			give(t, r.Alarms(), topics.Alarms, alarm("p1", fmt.Sprint(i), 1, active))
			give(t, r.Charts(), topics.Charts, second("p1", i, 72))
			give(t, r.Annotations(), topics.Annotations, beat("p1", i))
		}
	}
	<-seen

	got, dropped, heard, events, numbers := 0, 0, 0, 0, 0
	last := int64(-1)
	for got+dropped < frames || heard < alarms {
		switch m := slow.next(); {
		case m.GetFrame() != nil:
			got++
			if first := int64(m.GetFrame().GetSamples().GetFirst()); first <= last {
				t.Fatalf("samples from %d after those from %d", first, last)
			} else {
				last = first
			}
		case m.GetDropped() != nil:
			dropped += int(m.GetDropped().GetFrames())
			if d := m.GetDropped(); d.GetAnnotations()+d.GetCharts() > 0 || d.GetPatient() != "p1" {
				t.Errorf("dropped %v though there was waveform to drop", d)
			}
		case m.GetAlarm() != nil:
			heard++
		case m.GetAnnotation() != nil:
			events++
		case m.GetChart() != nil:
			numbers++
		}
	}
	if got+dropped != frames || dropped == 0 {
		t.Errorf("%d frames came and %d were said to be dropped, want %d together", got, dropped, frames)
	}
	if heard != alarms {
		t.Errorf("%d alarms came, want %d", heard, alarms)
	}
	t.Logf("%d frames read, %d dropped, %d alarms, %d annotations, %d seconds", got, dropped, heard, events, numbers)
}

// Late samples take their place in what is remembered, as they are; what is
// older than the window is passed on and not remembered.
func TestLateSamplesInTheSnapshot(t *testing.T) {
	r := start(t, nil)
	for i := range 300 { // 60 s, of which 45 to 46 s come late
		if i < 225 || i >= 230 {
			give(t, r.Frames(), topics.Frames, frame("p1", i))
		}
	}
	p := r.connect(protocolProto)
	p.subscribe("p1")
	until(p, snapshotOf("p1"))
	give(t, r.Frames(), topics.Frames, frame("p1", 225), frame("p1", 226), frame("p1", 300))
	give(t, r.Frames(), topics.Frames, frame("p2", 0), frame("p1", 226)) // a repeat
	old := frame("p1", 10)
	old.Origin.Epoch = 2 // not a repeat, but long ago
	give(t, r.Frames(), topics.Frames, old)
	for _, want := range []uint64{225, 226, 300, 10} {
		if got := p.next().GetFrame().GetSamples().GetFirst(); got != want*perFrame {
			t.Errorf("samples from %d came, want %d", got, want*perFrame)
		}
	}
	q := r.connect(protocolProto)
	q.subscribe("p1")
	s := until(q, snapshotOf("p1"))
	last := s.GetFrames()[len(s.GetFrames())-3:]
	for i, want := range []uint64{225, 226, 300} {
		if got := last[i].GetSamples().GetFirst(); got != want*perFrame {
			t.Errorf("the Snapshot ends with samples from %d, want %d", got, want*perFrame)
		}
	}
}

func TestMemoryOfAPatientIsBounded(t *testing.T) {
	r := start(t, func(c *Config) { c.PatientBytes = 64 << 10 })
	for i := range 3000 {
		f := frame("p1", i)
		f.Value.GetSamples().TimeUs = epoch // time that stands still
		give(t, r.Frames(), topics.Frames, f)
	}
	p := r.ward.locked("p1")
	defer p.mu.Unlock()
	if p.frames.bytes > 64<<10 || len(p.frames.items) > 1000 || len(p.frames.items) < 100 {
		t.Errorf("%d frames of %d bytes are remembered", len(p.frames.items), p.frames.bytes)
	}
}

// smallWindow dials so that little can wait in the kernel.
func smallWindow(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	}
	return conn, err
}

func TestMetricsCount(t *testing.T) {
	r := start(t, nil)
	read := func(name string, labels ...string) float64 {
		families, err := r.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, v := range f.GetMetric() {
				if f.GetName() == "heartwire_gateway_"+name && (len(labels) == 0 || v.GetLabel()[0].GetValue() == labels[0]) {
					return v.GetGauge().GetValue() + v.GetCounter().GetValue()
				}
			}
		}
		return 0
	}
	p := r.connect(protocolJSON)
	sound := func(on bool) { p.send(&ClientMessage{Kind: &ClientMessage_Sound{Sound: &Sound{On: on}}}) }
	sound(false)
	p.subscribeAll()
	give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
	wait := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("in 5 s: not %s", what)
			}
		}
	}
	until(p, snapshotOf("p1"))
	wait("one silent page", func() bool { return read("pages_silent") == 1 && read("clients") == 1 })
	sound(true)
	wait("none", func() bool { return read("pages_silent") == 0 })
	wait("a Hello and a Snapshot", func() bool {
		return read("messages_sent_total", "hello") == 1 && read("messages_sent_total", "snapshot") == 1
	})
	p.Close()
	wait("a client gone", func() bool { return read("clients") == 0 && read("clients_closed_total", "gone") == 1 })
}

func TestNewPatientsReachClientsThatWantAll(t *testing.T) {
	r := start(t, nil)
	p := r.connect(protocolProto)
	p.subscribeAll()
	give(t, r.Settings(), topics.Settings, patientSetting(1, &topics.Patient{Patient: "p1", Bed: "B01"}))
	if s := until(p, snapshotOf("p1")); s.GetBed().GetBed() != "B01" {
		t.Errorf("bed %v", s.GetBed())
	}
	give(t, r.Frames(), topics.Frames, frame("p2", 0))
	until(p, snapshotOf("p2"))
	give(t, r.Settings(), topics.Settings, patientSetting(2, &topics.Patient{Patient: "p1", Bed: "B01", Discharged: true}))
	until(p, func(m *ServerMessage) (bool, bool) {
		return true, m.GetBed().GetPatient() == "p1" && m.GetBed().GetDischarged()
	})
	// What is said of it after that still comes, but nobody new is shown it.
	give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 2, ended))
	until(p, func(m *ServerMessage) (bool, bool) { return true, m.GetAlarm().GetState().GetId() == "a" })
	q := r.connect(protocolProto)
	q.subscribeAll()
	if s := q.next().GetSnapshot(); s.GetBed().GetPatient() != "p2" {
		t.Errorf("the first Snapshot is of %v, want p2 alone", s.GetBed())
	}
}

// The life of an unassigned device: seen, bound, a straggler, unbound again.
func TestUnassignedDevice(t *testing.T) {
	const key = "u-0123"
	r := start(t, nil)
	p := r.connect(protocolProto)
	p.subscribeAll()
	give(t, r.Frames(), topics.Frames, frame(key, 0))
	if b := until(p, snapshotOf(key)).GetBed(); !b.GetUnassigned() || b.GetDevice() != "patch-"+key {
		t.Errorf("bed %v, want an unassigned one with its device", b)
	}
	bed := func(m *ServerMessage) (*Bed, bool) { return m.GetBed(), m.GetBed() != nil }
	give(t, r.Frames(), topics.Frames, bindingFrame(key, "patch-"+key, false, epoch+200_000))
	if !until(p, bed).GetDischarged() {
		t.Error("the key that was left is still there")
	}
	give(t, r.Frames(), topics.Frames, frame(key, 2)) // on its way when the device was bound
	give(t, r.Frames(), topics.Frames, bindingFrame(key, "patch-"+key, true, epoch+60_000_000))
	if until(p, bed).GetDischarged() {
		t.Error("a straggler brought it back, or the unbinding did not")
	}
	give(t, r.Frames(), topics.Frames, bindingFrame(key, "patch-"+key, false, epoch+61_000_000))
	if !until(p, bed).GetDischarged() {
		t.Error("it was not left again")
	}
	// Data that go on are never hidden, whatever was said.
	give(t, r.Frames(), topics.Frames, frame(key, 75*5))
	if until(p, bed).GetDischarged() {
		t.Error("samples 14 s after the binding are hidden")
	}
}

func TestTopicsAndUnsubscribe(t *testing.T) {
	r := start(t, nil)
	give(t, r.Frames(), topics.Frames, frame("p1", 0))
	p := r.connect(protocolProto)
	p.send(&ClientMessage{Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{Patients: []string{"p1"}, Topics: []string{"alarms"}}}})
	if s := until(p, snapshotOf("p1")); len(s.GetFrames()) != 0 {
		t.Error("a Snapshot holds a topic that was not asked for")
	}
	give(t, r.Frames(), topics.Frames, frame("p1", 1))
	give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
	if m := p.next(); m.GetAlarm() == nil {
		t.Errorf("got %v, want the alarm alone", m)
	}
	p.send(&ClientMessage{Kind: &ClientMessage_Unsubscribe{Unsubscribe: &Unsubscribe{Patients: []string{"p1"}}}})
	p.send(&ClientMessage{Id: 9, Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{Patients: []string{"p1"}, Topics: []string{"stars"}}}})
	if v := p.next().GetProblem(); v.GetId() != 9 || v.GetCode() != "refused" {
		t.Errorf("got %v, want a refusal of message 9", v)
	}
	give(t, r.Alarms(), topics.Alarms, alarm("p1", "b", 1, active))
	p.send(&ClientMessage{Id: 10})
	if v := p.next().GetProblem(); v.GetId() != 10 {
		t.Errorf("got %v after unsubscribing", v)
	}
}

// Calm must be told from dead: the partition furthest behind speaks.
func TestHeartbeatTellsTheLastDecision(t *testing.T) {
	r := start(t, nil)
	p := r.connect(protocolProto)
	tick := func(partition int32, n uint64, wall int64) {
		rec := topics.Record[*topics.Alarm]{Partition: partition, Value: topics.Alarms.Wrap(&topics.Tick{N: n, Owner: 1, WallUs: wall})}
		give(t, r.Alarms(), topics.Alarms, rec)
	}
	tick(0, 1, 1000)
	tick(1, 1, 5000)
	tick(0, 2, 3000)
	tick(0, 1, 1000) // a repeat
	before := time.Now().UnixMicro()
	for {
		m, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		if h := m.GetHeartbeat(); h != nil && h.GetServerTimeUs() >= before {
			if h.GetDecisionUs() != 3000 {
				t.Errorf("decision %d, want 3000", h.GetDecisionUs())
			}
			return
		}
	}
}
