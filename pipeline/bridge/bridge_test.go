package bridge_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/local"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

var siteKey = []byte("0123456789abcdef0123456789abcdef")

const patience = 20 * time.Second

// quick lets a group notice a dead member in a second.
var quick = kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "1000"})

// site is a Kafka, an MQTT broker and what a bridge needs to work between them.
type site struct {
	t     testing.TB
	kafka kafka.Config
	mqtt  mqtt.Config
	conf  bridge.Config
	log   *slog.Logger
}

func newSite(t testing.TB) *site {
	t.Helper()
	kconf, _ := pipelinetest.Cluster(t, quick)
	broker, err := local.StartMQTT(t.TempDir(), "127.0.0.1:0", quiet(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	return siteOn(t, kconf, "tcp://"+broker.Addr())
}

func siteOn(t testing.TB, kconf kafka.Config, broker string) *site {
	t.Helper()
	s := &site{t: t, kafka: kconf, mqtt: mqtt.DefaultConfig(), conf: bridge.DefaultConfig(), log: quiet(t)}
	s.mqtt.Broker = broker
	s.conf.SessionTimeout = time.Second
	s.conf.SiteKeyFile = filepath.Join(t.TempDir(), "site.key")
	if err := os.WriteFile(s.conf.SiteKeyFile, siteKey, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// quiet prints what is logged only with HEARTWIRE_TEST_LOG set.
func quiet(t testing.TB) *slog.Logger {
	if os.Getenv("HEARTWIRE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// running is a bridge at work.
type running struct {
	*bridge.Bridge
	stop       func() // returns when it has ended
	subscribed <-chan struct{}
}

func (s *site) run() *running {
	s.t.Helper()
	source, err := mqtt.New(s.mqtt, s.kafka.Site, s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.runSource(source)
	r.subscribed = source.Subscribed()
	return r
}

// ready waits until the MQTT broker keeps messages for the bridge.
func (r *running) ready(t testing.TB) *running {
	t.Helper()
	select {
	case <-r.subscribed:
	case <-time.After(patience):
		t.Fatal("the bridge did not subscribe")
	}
	return r
}

func (s *site) runSource(source bridge.Source) *running {
	s.t.Helper()
	b, err := bridge.New(s.conf, s.kafka, source, s.log, prometheus.NewRegistry())
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("the bridge ended with %v", err)
			}
		case <-time.After(patience):
			s.t.Error("the bridge did not end")
		}
	})
	s.t.Cleanup(stop)
	return &running{Bridge: b, stop: stop}
}

// patch is a client that publishes.
type patch struct {
	t testing.TB
	c paho.Client
}

func (s *site) patch(id string) *patch {
	s.t.Helper()
	opts := paho.NewClientOptions().AddBroker(s.mqtt.Broker).SetClientID(id).SetAutoReconnect(true)
	p := &patch{s.t, paho.NewClient(opts)}
	p.wait(p.c.Connect())
	s.t.Cleanup(func() { p.c.Disconnect(50) })
	return p
}

func (p *patch) wait(token paho.Token) {
	p.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		p.t.Fatalf("the MQTT broker did not answer: %v", token.Error())
	}
}

func (p *patch) send(topic string, payload []byte) {
	p.t.Helper()
	p.wait(p.c.Publish(topic, 1, false, payload))
}

func (p *patch) frame(f *topics.PatchFrame) {
	p.t.Helper()
	p.send("heartwire/v1/"+f.Device+"/frames", encode(p.t, f))
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frame is the nth quarter of a second of a boot of a device, at 250 Hz.
func frame(device string, boot uint64, n int) *topics.PatchFrame {
	const count = 62
	f := &topics.PatchFrame{Device: device, Boot: boot, First: uint64(n * count), Rate: 250}
	for _, name := range []string{"I", "II"} {
		l := &topics.Lead{Name: name, MicrovoltsPerCount: 2.5}
		for i := range count {
			l.Deltas = append(l.Deltas, int32((n*31+i*i)%19-9))
		}
		f.Leads = append(f.Leads, l)
	}
	return f
}

// read gives all records of a topic that satisfy, each decoded, once there are
// at least n of them.
func read[T proto.Message](s *site, topic topics.Topic[T], n int, satisfies func(topics.Record[T]) bool) []topics.Record[T] {
	s.t.Helper()
	cl := pipelinetest.Client(s.t, s.kafka, kgo.ConsumeTopics(topic.On(s.kafka.Site)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []topics.Record[T]
	for len(got) < n {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%d of %d records of %s in %s", len(got), n, topic.Name, patience)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			rec, err := kafka.Decode(topic, r)
			if err != nil {
				s.t.Fatal(err)
			}
			if rec.Key != "" && rec.Partition != topics.Partition(rec.Key, s.kafka.Partitions) {
				s.t.Errorf("a record of key %q is in partition %d", string(rec.Key), rec.Partition)
			}
			if satisfies == nil || satisfies(rec) {
				got = append(got, rec)
			}
		})
	}
	return got
}

func ofDevice(name string) func(topics.Record[*topics.Frame]) bool {
	return func(r topics.Record[*topics.Frame]) bool { return r.Value.GetSamples().GetDevice() == name }
}

// bind writes a setting, as the registry does.
func (s *site) bind(device string, version uint64, bindings ...*topics.DeviceBinding) {
	s.t.Helper()
	cl := pipelinetest.Client(s.t, s.kafka)
	r, err := kafka.Encode(s.kafka.Site, topics.Settings, 1, &topics.Setting{
		Object: "device/" + device, Version: version,
		Kind: &topics.Setting_Device{Device: &topics.Device{Device: device, Bindings: bindings}},
	}, topics.Origin{Source: "requests", Offset: int64(version)})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// same compares what a patch sent with what is in Kafka, byte by byte.
func same(t testing.TB, sent *topics.PatchFrame, got *topics.Samples) {
	t.Helper()
	want := &topics.Samples{
		Device: sent.Device, Boot: sent.Boot, First: sent.First, Rate: sent.Rate,
		Count: uint32(len(sent.Leads[0].Deltas)), Leads: sent.Leads, Missing: sent.Missing,
		PacePulses: sent.PacePulses, DeviceTimeUs: sent.DeviceTimeUs, BatteryPercent: sent.BatteryPercent,
		TimeUs: got.TimeUs, ArrivalUs: got.ArrivalUs,
	}
	if !bytes.Equal(encode(t, want), encode(t, got)) {
		t.Fatalf("sent %v\ngot %v", want, got)
	}
}

func TestFramesArriveByteByByteUnderTheirPatient(t *testing.T) {
	s := newSite(t)
	s.bind("patch-01", 1, &topics.DeviceBinding{Patient: "p01"})
	s.run().ready(t)
	p := s.patch("patch-01")
	const n = 40
	for i := range n {
		p.frame(frame("patch-01", 3, i))
		p.frame(frame("patch-02", 1, i)) // bound to nobody
	}
	got := read(s, topics.Frames, n, ofDevice("patch-01"))
	for i, r := range got {
		if r.Key != "p01" || r.Value.Patient != "p01" {
			t.Fatalf("frame %d stands under %q", i, string(r.Key))
		}
		if want := (topics.Origin{Source: "patch-01", Epoch: 3, Offset: int64(i * 62)}); r.Origin != want {
			t.Fatalf("origin %v, want %v", r.Origin, want)
		}
		same(t, frame("patch-01", 3, i), r.Value.GetSamples())
	}
	for i, r := range read(s, topics.Frames, n, ofDevice("patch-02")) {
		if r.Key != topics.Unassigned(siteKey, "patch-02") {
			t.Fatalf("frame %d of a device bound to nobody stands under %q", i, string(r.Key))
		}
	}
}

func TestBindingIsFollowed(t *testing.T) {
	s := newSite(t)
	s.run().ready(t)
	p := s.patch("patch-01")
	p.frame(frame("patch-01", 1, 0))
	read(s, topics.Frames, 1, nil)
	s.bind("patch-01", 2, &topics.DeviceBinding{Patient: "p07", FromUs: time.Now().Add(-time.Second).UnixMicro()})
	for i := 1; ; i++ {
		p.frame(frame("patch-01", 1, i))
		got := read(s, topics.Frames, i+1, nil)
		if got[i].Key == "p07" || slices.ContainsFunc(got, func(r topics.Record[*topics.Frame]) bool { return r.Key == "p07" }) {
			return
		}
		if i > 100 {
			t.Fatal("the device's frames never came under its patient")
		}
	}
}

func TestVitalsAndPresence(t *testing.T) {
	s := newSite(t)
	s.bind("patch-01", 1, &topics.DeviceBinding{Patient: "p01"})
	p := s.patch("patch-01")
	p.wait(p.c.Publish("heartwire/v1/patch-01/status", 1, true, []byte(`{"device":"patch-01","boot":"4","online":true}`)))
	s.run().ready(t) // a retained status is told to whoever comes later
	got := read(s, topics.Frames, 1, func(r topics.Record[*topics.Frame]) bool { return r.Value.GetPresence() != nil })
	if pr := got[0].Value.GetPresence(); got[0].Key != "p01" || !pr.Online || pr.Boot != 4 || pr.ArrivalUs == 0 {
		t.Fatalf("presence %v under %q", pr, string(got[0].Key))
	}
	p.wait(p.c.Publish("heartwire/v1/patch-01/status", 1, true, []byte{})) // takes the retained one away: nothing is said
	p.send("heartwire/v1/patch-01/vitals", []byte(`{"device":"patch-01","boot":4,"vitals":[{"loinc":"59408-5","value":97,"ucum":"%"},{"loinc":"9279-1","value":14,"ucum":"/min"}]}`))
	for i, r := range read(s, topics.Charts, 2, nil) {
		if r.Key != "p01" || r.Value.TimeUs == 0 || r.Origin.Index != int32(i) {
			t.Errorf("vital %d: %v, origin %v", i, r.Value, r.Origin)
		}
	}
}

// After whatever end, another bridge goes on and no sample is lost.
func TestBridgeKilledAndReplacedLosesNothing(t *testing.T) {
	s := newSite(t)
	s.run().ready(t).stop() // from here the MQTT broker keeps everything
	sent := make(chan int)
	p := s.patch("patch-01")
	const n = 300
	go func() {
		defer close(sent)
		for i := range n {
			p.frame(frame("patch-01", 1, i))
		}
	}()
	for range 3 {
		b := s.run()
		read(s, topics.Frames, 1, nil)
		time.Sleep(30 * time.Millisecond)
		b.stop()
	}
	s.run()
	<-sent
	everyFrame(s, "patch-01", n)
}

// everyFrame waits until all n frames of a device are in Kafka.
func everyFrame(s *site, device string, n int) []*topics.Samples {
	s.t.Helper()
	found := map[uint64]*topics.Samples{}
	read(s, topics.Frames, n, func(r topics.Record[*topics.Frame]) bool {
		v := r.Value.GetSamples()
		if v.GetDevice() != device || found[v.First] != nil {
			return false
		}
		same(s.t, frame(device, v.Boot, int(v.First/62)), v)
		found[v.First] = v
		return true
	})
	var all []*topics.Samples
	for i := range n {
		all = append(all, found[uint64(i*62)])
	}
	return all
}

// The newest frame says where the boot begins in time; what is sent before it
// or after it, to this bridge or the next, lies on one line with it.
func TestSampleTimeGoesOnAfterARestart(t *testing.T) {
	s := newSite(t)
	p := s.patch("patch-01")
	b := s.run().ready(t)
	p.frame(frame("patch-01", 1, 40))
	read(s, topics.Frames, 1, nil)
	b.stop()
	s.run()
	for i := range 40 {
		p.frame(frame("patch-01", 1, i))
	}
	all := everyFrame(s, "patch-01", 41)
	for i := range 40 {
		want := all[40].TimeUs - int64(40-i)*248_000
		// The anchor may rise by 200 ppm of the time since.
		if d := all[i].TimeUs - want; d < -1 || d > 1000 {
			t.Errorf("frame %d is %d µs off the line", i, d)
		}
	}
}

func TestStandbyTakesOver(t *testing.T) {
	s := newSite(t)
	first := s.run().ready(t)
	p := s.patch("patch-01")
	p.frame(frame("patch-01", 1, 0))
	everyFrame(s, "patch-01", 1)
	s.run()
	waitMembers(s, 2)
	p.frame(frame("patch-01", 1, 1))
	everyFrame(s, "patch-01", 2)
	first.stop()
	for i := 2; i < 20; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 20)
}

func waitMembers(s *site, n int) {
	s.t.Helper()
	adm := kadm.NewClient(pipelinetest.Client(s.t, s.kafka))
	for range 200 {
		groups, err := adm.DescribeGroups(context.Background(), "heartwire.bridge.heartwire/v1/+/+")
		if err == nil {
			for _, g := range groups {
				if len(g.Members) == n && g.State == "Stable" {
					return
				}
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("the group never had %d members", n)
}

func TestWrongPartitionsEndTheBridge(t *testing.T) {
	s := newSite(t)
	s.kafka.Partitions++
	source, err := mqtt.New(s.mqtt, s.kafka.Site, s.log)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.New(s.conf, s.kafka, source, s.log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Run(ctx); err == nil {
		t.Fatal("keys would go to other partitions than those of the site, and nothing was said")
	} else if want := fmt.Sprintf("has %d partitions", pipelinetest.Partitions); !bytes.Contains([]byte(err.Error()), []byte(want)) {
		t.Fatalf("%v does not say that the topic %s", err, want)
	}
}

// count is how many runs of samples stand in frames.
func (s *site) count() int {
	s.t.Helper()
	from := map[int32]int64{}
	for p := range s.kafka.Partitions {
		from[p] = 0
	}
	n := 0
	err := kafka.ReadRange(context.Background(), s.kafka, s.log, topics.Frames.On(s.kafka.Site), from, nil, func(r *kgo.Record) error {
		rec, err := kafka.Decode(topics.Frames, r)
		if rec.Value.GetSamples() != nil {
			n++
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
