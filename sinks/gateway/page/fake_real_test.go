//go:build real

package page_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway"
	"heartwire/sinks/gateway/page"
	"heartwire/topics"
)

const (
	rate      = 250 // Hz
	frameTime = 200 * time.Millisecond
)

// policy is what the gateway serves the page with.
const policy = "default-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self'"

// patient is one bed of the fake ward.
type patient struct {
	bed     *gateway.Bed
	wave    func(t float64) float64 // mV at a time in seconds
	rate    float64
	alarms  []*topics.Alarm
	silence *topics.Alarm             // in force
	silent  bool                      // sends no samples
	without struct{ from, to uint64 } // samples that are never sent
	leadOff bool
	battery uint32
	quality float64
	pace    float64 // seconds between pace pulses; 0 none
	boot    uint64
	next    uint64
	from    time.Time // time of sample 0
}

// fake is a gateway whose every word the test decides.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	conn     *websocket.Conn
	refusing bool
	mute     bool // says nothing, and keeps the connection
	ward     []*patient
	sounds   []bool
	alarms   bool // decisions go on
}

func newFake(t *testing.T, ward ...*patient) *fake {
	t.Helper()
	f := &fake{ward: ward, alarms: true}
	start := time.Now().Add(-12 * time.Second)
	for _, p := range ward {
		p.from = start
	}
	files := http.FileServerFS(page.Files())
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/live", f.live)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		files.ServeHTTP(w, r)
	})
	f.Server = httptest.NewServer(mux)
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { f.run(stop) })
	t.Cleanup(func() { close(stop); done.Wait(); f.cut(); f.Close() })
	return f
}

func (f *fake) live(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	refusing := f.refusing
	f.mu.Unlock()
	if refusing {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"heartwire.v1.proto"}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	f.mu.Lock()
	f.conn = conn
	now := time.Now().UnixMicro()
	f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Hello{Hello: &gateway.Hello{Site: "Site 1", ServerTimeUs: now}}})
	f.mu.Unlock()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var m gateway.ClientMessage
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		f.mu.Lock()
		switch kind := m.Kind.(type) {
		case *gateway.ClientMessage_Subscribe:
			for _, p := range f.ward {
				f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Snapshot{Snapshot: p.snapshot()}})
			}
		case *gateway.ClientMessage_Sound:
			f.sounds = append(f.sounds, kind.Sound.On)
		}
		f.mu.Unlock()
	}
}

// write needs f.mu.
func (f *fake) write(m *gateway.ServerMessage) {
	if f.conn == nil || f.mute {
		return
	}
	data, err := proto.Marshal(m)
	if err == nil {
		err = f.conn.WriteMessage(websocket.BinaryMessage, data)
	}
	if err != nil {
		f.conn = nil
	}
}

// run sends what a ward sends: frames, a second each second, heartbeats.
func (f *fake) run(stop <-chan struct{}) {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		f.mu.Lock()
		for _, p := range f.ward {
			for _, frame := range p.advance(time.Now()) {
				f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Frame{Frame: frame}})
			}
			if n%5 == 0 && !p.silent {
				for _, chart := range append(p.vitals(), p.second()) {
					f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Chart{Chart: chart}})
				}
			}
		}
		if n%5 == 0 {
			heartbeat := &gateway.Heartbeat{ServerTimeUs: time.Now().UnixMicro()}
			if f.alarms {
				heartbeat.DecisionUs = time.Now().Add(-300 * time.Millisecond).UnixMicro()
			}
			f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Heartbeat{Heartbeat: heartbeat}})
		}
		f.mu.Unlock()
	}
}

// do changes the fake between two messages.
func (f *fake) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// raise tells the page of an alarm's state.
func (f *fake) raise(p *patient, state *topics.AlarmState) {
	f.do(func() {
		alarm := p.alarm(state)
		f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Alarm{Alarm: alarm}})
	})
}

// hush tells the page of a pause of all alarms, or of standby.
func (f *fake) hush(p *patient, silence *topics.Silence) {
	f.do(func() { f.write(&gateway.ServerMessage{Kind: &gateway.ServerMessage_Alarm{Alarm: p.hush(silence)}}) })
}

// cut breaks the connection, and no other is accepted until refusing is false.
func (f *fake) cut() {
	f.do(func() {
		f.refusing = true
		if f.conn != nil {
			f.conn.Close()
			f.conn = nil
		}
	})
}

func (f *fake) sound() (on, told bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sounds) == 0 {
		return false, false
	}
	return f.sounds[len(f.sounds)-1], true
}

// hears waits until the page has said whether it can sound.
func (f *fake) hears(t *testing.T, want bool, within time.Duration) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		on, told := f.sound()
		if told && on == want {
			return
		}
		if time.Since(start) > within {
			t.Fatalf("after %v the server was not told sound = %v, but %v (told %v)", within, want, on, told)
		}
	}
}

func (p *patient) alarm(state *topics.AlarmState) *topics.Alarm {
	alarm := &topics.Alarm{Patient: p.bed.Patient, TimeUs: time.Now().UnixMicro(), Kind: &topics.Alarm_State{State: state}}
	p.alarms = append(p.alarms, alarm)
	return alarm
}

func (p *patient) hush(silence *topics.Silence) *topics.Alarm {
	p.silence = &topics.Alarm{Patient: p.bed.Patient, TimeUs: time.Now().UnixMicro(), Kind: &topics.Alarm_Silence{Silence: silence}}
	return p.silence
}

func (p *patient) snapshot() *gateway.Snapshot {
	s := &gateway.Snapshot{Bed: p.bed, Limits: &topics.Limits{Limits: topics.DefaultLimits()}, Alarms: p.alarms, Silence: p.silence}
	if !p.silent {
		s.Second = p.second()
	}
	if p.next > 0 {
		first := max(0, int(p.next)-10*rate)
		for ; first+50 <= int(p.next); first += 50 {
			s.Frames = append(s.Frames, p.frame(uint64(first), 50))
		}
		p.next = uint64(first)
		return s
	}
	s.Frames = p.advance(time.Now())
	return s
}

// advance is the frames that are due.
func (p *patient) advance(now time.Time) []*topics.Frame {
	due := uint64(now.Sub(p.from).Seconds() * rate)
	var frames []*topics.Frame
	for ; p.next+50 <= due; p.next += 50 {
		if out := p.next >= p.without.from && p.next < p.without.to; !out && !p.silent {
			frames = append(frames, p.frame(p.next, 50))
		}
	}
	return frames
}

// at is the time of a sample.
func (p *patient) at(sample uint64) time.Time {
	return p.from.Add(time.Duration(float64(sample) / rate * 1e9))
}

func (p *patient) frame(first uint64, count int) *topics.Frame {
	s := &topics.Samples{
		Device: p.bed.Device, Boot: p.boot, First: first, Rate: rate, Count: uint32(count),
		TimeUs:         p.at(first).UnixMicro(),
		ArrivalUs:      time.Now().UnixMicro(),
		BatteryPercent: proto.Uint32(p.battery),
	}
	for _, name := range []string{"II", "V1"} {
		lead := &topics.Lead{Name: name, MicrovoltsPerCount: 2.5, Off: p.leadOff}
		last := int32(0)
		for i := range count {
			v := p.wave(float64(first+uint64(i)) / rate)
			if name == "V1" {
				v *= -0.6
			}
			c := int32(math.Round((v + 0.4) * 1000 / 2.5)) // 0.4 mV: an electrode's own voltage
			lead.Deltas = append(lead.Deltas, c-last)
			last = c
		}
		s.Leads = append(s.Leads, lead)
	}
	for i := range count {
		if p.pace > 0 && math.Mod(float64(first+uint64(i))/rate, p.pace) < 1.0/rate {
			s.PacePulses = append(s.PacePulses, uint32(i))
		}
	}
	return &topics.Frame{Patient: p.bed.Patient, Kind: &topics.Frame_Samples{Samples: s}}
}

func (p *patient) second() *topics.Chart {
	second := &topics.Second{Quality: p.quality, Lead: "II", LeadOff: p.leadOff}
	if p.rate > 0 && !p.leadOff {
		second.Rate = &p.rate
	}
	return &topics.Chart{Patient: p.bed.Patient, TimeUs: time.Now().UnixMicro(), Kind: &topics.Chart_Second{Second: second}}
}

func (p *patient) vitals() []*topics.Chart {
	var charts []*topics.Chart
	for loinc, value := range map[string]float64{"59408-5": 94 + float64(p.battery%5), "9279-1": 12 + float64(p.battery%7)} {
		charts = append(charts, &topics.Chart{
			Patient: p.bed.Patient, TimeUs: time.Now().UnixMicro(),
			Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: loinc, Value: value}},
		})
	}
	return charts
}

// bed makes a patient in sinus rhythm.
func bed(n int, alias string, perMinute float64) *patient {
	return &patient{
		bed: &gateway.Bed{
			Patient: fmt.Sprintf("key-%02d", n), Unit: "4 West", Bed: fmt.Sprintf("B%02d", n), Alias: alias,
			Device: fmt.Sprintf("patch-%02d", n),
		},
		wave: sinus(perMinute, float64(n)*0.37), rate: perMinute, battery: uint32(98 - 3*n), quality: 0.95, boot: 1,
	}
}

// sinus is a sum of Gaussians that looks like a beat.
func sinus(perMinute, phase float64) func(float64) float64 {
	rr := 60 / perMinute
	waves := []struct{ at, height, width float64 }{{-0.18, 0.12, 0.025}, {-0.03, -0.1, 0.01}, {0, 1.1, 0.011}, {0.03, -0.25, 0.01}, {0.25, 0.28, 0.045}}
	return func(t float64) float64 {
		x := math.Mod(t+phase, rr) - rr/2
		v := 0.0
		for _, w := range waves {
			v += w.height * math.Exp(-(x-w.at)*(x-w.at)/(2*w.width*w.width))
		}
		return v
	}
}

func tachycardia(t float64) float64 { return 0.9 * math.Sin(2*math.Pi*186/60*t) }
