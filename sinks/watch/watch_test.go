package watch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// fakeLog is a log that can be away.
type fakeLog struct {
	mu    sync.Mutex
	away  bool
	pages []*topics.Page
	holds map[string]bool
}

var errAway = errors.New("away")

func (l *fakeLog) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func (l *fakeLog) Write(_ context.Context, t topics.Any, values ...proto.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errAway
	}
	for _, v := range values {
		l.pages = append(l.pages, v.(*topics.Page))
	}
	return nil
}

func (l *fakeLog) Reach(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errAway
	}
	return nil
}

func (l *fakeLog) Since(_ context.Context, t topics.Any, _ topics.Key, _ time.Time) (bool, error) {
	return l.holds[t.About().Name], nil
}

func (l *fakeLog) said() []*topics.Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*topics.Page(nil), l.pages...)
}

func newWatch(t *testing.T, log Log, change func(*Config)) *Watch {
	t.Helper()
	conf := DefaultConfig()
	conf.Listen = "127.0.0.1:0"
	if change != nil {
		change(&conf)
	}
	w, err := New(conf, 1, log, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// beat feeds ticks of a site with one partition, a second apart, until ctx ends.
// Before those from n on the clock was away.
func beat(ctx context.Context, w *Watch, first uint64) (last uint64) {
	elapsed := topics.MaxElapsed
	for n := first; ; n++ {
		tick := &topics.Tick{N: n, Owner: 1, ElapsedUs: elapsed.Microseconds(), WallUs: time.Now().UnixMicro()}
		elapsed = time.Second
		err := errors.Join(
			w.Charts().Deliver(context.Background(), []topics.Record[*topics.Chart]{
				{Key: "p1", Value: &topics.Chart{Patient: "p1", TimeUs: time.Now().UnixMicro(), Kind: &topics.Chart_Second{Second: &topics.Second{}}}},
				{Value: topics.Charts.Wrap(tick)},
			}),
			w.Alarms().Deliver(context.Background(), []topics.Record[*topics.Alarm]{{Value: topics.Alarms.Wrap(tick)}}),
		)
		if err != nil {
			panic(err)
		}
		select {
		case <-ctx.Done():
			return n
		case <-time.After(time.Second):
		}
	}
}

// admit is p1 in a bed, with a patch.
func admit(t *testing.T, w *Watch) {
	t.Helper()
	for _, s := range []*topics.Setting{
		{Version: 1, Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: "p1", Unit: "4 West", Bed: "B01"}}},
		{Version: 2, Kind: &topics.Setting_Device{Device: &topics.Device{Device: "d", Bindings: []*topics.DeviceBinding{{Patient: "p1", FromUs: 1}}}}},
	} {
		if err := w.Settings().Deliver(t.Context(), []topics.Record[*topics.Setting]{{Value: s}}); err != nil {
			t.Fatal(err)
		}
	}
}

// ask is what the watcher answers.
func ask(t *testing.T, w *Watch) (int, State) {
	t.Helper()
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/watch", nil))
	var s State
	if err := json.Unmarshal(rec.Body.Bytes(), &s); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	return rec.Code, s
}

// inBubble runs a watcher's loops, but its server, by a clock that waits for nobody.
func inBubble(t *testing.T, w *Watch, f func()) {
	ctx, cancel := context.WithCancel(t.Context())
	w.begin(time.Now())
	var all sync.WaitGroup
	all.Go(func() { _ = each(ctx, lookEvery, func() { w.look(time.Now()) }) })
	all.Go(func() { _ = each(ctx, reachEvery, func() { w.reach(ctx) }) })
	all.Go(func() { _ = w.write(ctx) })
	if w.judge.trial != nil {
		all.Go(func() { _ = each(ctx, reachEvery, func() { w.trace(ctx) }) })
	}
	f()
	cancel()
	all.Wait()
}

// Stages stand still: page, log and address say so, 13.5 to 14 s after the last decision.
func TestStagesStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &fakeLog{}
		w := newWatch(t, log, nil)
		inBubble(t, w, func() {
			if code, s := ask(t, w); code != http.StatusServiceUnavailable || !s.Reading || s.Monitored {
				t.Errorf("before it has read the log it answers %d, %+v", code, s)
			}
			admit(t, w)
			w.CaughtUp()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			n := beat(ctx, w, 1)
			last := time.Now()
			if code, s := ask(t, w); code != http.StatusOK || !s.Monitored || s.Patients != 1 {
				t.Errorf("while all is well it answers %d, %+v", code, s)
			}
			time.Sleep(13 * time.Second)
			if said := log.said(); len(said) > 0 {
				t.Errorf("after 13 s it says %v", said)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			said := log.said()
			if len(said) != 1 || said[0].GetOf() != "site" || topics.MicroTime(said[0].GetTimeUs()).Sub(last) > 14*time.Second {
				t.Fatalf("after 14 s it says %v", said)
			}
			code, s := ask(t, w)
			if code != http.StatusServiceUnavailable || len(s.Stopped) != 1 || s.Stopped[0].Text != "MONITORING STOPPED: all units" ||
				!strings.HasPrefix(s.Stopped[0].Detail, "No decision since ") {
				t.Errorf("it answers %d, %+v", code, s)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			beat(ctx, w, n+1)
			if said := log.said(); len(said) != 2 || !said[1].GetMonitoring().GetResumed() {
				t.Errorf("when it goes on it says %v", said)
			}
			if code, _ := ask(t, w); code != http.StatusOK {
				t.Errorf("when it goes on it answers %d", code)
			}
		})
	})
}

// While Kafka is away it can only answer and log; when it is back pages have
// what was, with its true times.
func TestKafkaIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &fakeLog{}
		w := newWatch(t, log, nil)
		inBubble(t, w, func() {
			admit(t, w)
			w.CaughtUp()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			n := beat(ctx, w, 1)
			last := time.Now()
			log.set(true)
			time.Sleep(20 * time.Minute)
			synctest.Wait()
			if code, s := ask(t, w); code != http.StatusServiceUnavailable || len(s.Stopped) != 1 || s.Stopped[0].Reason != reasonKafka || s.Unwritten != 1 {
				t.Errorf("it answers %d, %+v", code, s)
			}
			log.set(false)
			ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			beat(ctx, w, n+1)
			said := log.said()
			if len(said) != 2 || said[0].GetMonitoring().GetResumed() || !said[1].GetMonitoring().GetResumed() {
				t.Fatalf("pages have %v", said)
			}
			if since := topics.MicroTime(said[0].GetTimeUs()).Sub(last); since > 15*time.Second {
				t.Errorf("it was said %s after the last decision", since)
			}
		})
	})
}

// The synthetic patient's alarm does not come: the page tells where it was last seen.
func TestWhereTheSyntheticPatientWasLastSeen(t *testing.T) {
	for want, holds := range map[string]map[string]bool{
		"chart": {"chart": true, "annotations": true, "frames": true}, "annotations": {"annotations": true, "frames": true},
		"frames": {"frames": true}, "mqtt": {}, "patch": {},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &fakeLog{holds: holds}
				w := newWatch(t, log, nil)
				w.Synthetic("synthetic")
				inBubble(t, w, func() {
					w.CaughtUp()
					ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
					defer cancel()
					n := beat(ctx, w, 1)
					if want != "patch" {
						w.Sent(1, 1000, time.Now())
					}
					ctx, cancel = context.WithTimeout(t.Context(), 6*time.Second)
					defer cancel()
					beat(ctx, w, n+1)
					said := log.said()
					if len(said) != 1 || said[0].GetMonitoring().GetReason() != reasonSynthetic || said[0].GetMonitoring().GetLastSeen() != want {
						t.Errorf("it says %v", said)
					}
				})
			})
		})
	}
}

// The server and the questions to nodes, over real sockets.
func TestOverSockets(t *testing.T) {
	ill := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }))
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer ill.Close()
	defer well.Close()
	w := newWatch(t, &fakeLog{}, func(c *Config) { c.Nodes = []string{ill.URL, well.URL, "http://127.0.0.1:1/"} })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	addr, err := w.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var s State
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + addr.String() + "/v1/watch")
		if err != nil {
			t.Fatal(err)
		}
		s = State{}
		err = json.NewDecoder(resp.Body).Decode(&s)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Nodes) == 3 && s.Nodes[0].Problem == "it answers 503 Service Unavailable" && s.Nodes[1].Problem == "" && s.Nodes[2].Problem == "it does not answer" {
			break
		}
	}
	if len(s.Nodes) != 3 || s.Nodes[0].Problem == "" || s.Nodes[1].Problem != "" || s.Nodes[2].Problem == "" {
		t.Errorf("nodes are %+v", s.Nodes)
	}
	for path, want := range map[string]int{"/healthz": 200, "/metrics": 200, "/v1/watch": 503, "/": 404} {
		resp, err := http.Get("http://" + addr.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, resp.StatusCode, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	c := Config{Listen: "0.0.0.0:9465", After: 20 * time.Second, Repeat: time.Second, Nodes: []string{"gw:8080", "http://u:p@gw/", "http://gw/", "http://gw/"}}
	err := c.Validate()
	for _, want := range []string{"not the loopback", "watch.after", "watch.repeat", `"gw:8080" is no address`, "password", "named twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "u:p") {
		t.Errorf("the password is told: %v", err)
	}
}
