package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/alarms"
	"heartwire/stages/alarms/rules"
	"heartwire/stages/registry"
	"heartwire/topics"
)

// runSite is a site in this process, whose registry, alarms stage and clock of
// requests run until stop.
func runSite(t *testing.T) (conf kafka.Config, stop func()) {
	t.Helper()
	conf, _ = pipelinetest.Cluster(t)
	key := sha256.Sum256([]byte("a site's key"))
	stage, err := registry.New(registry.Config{SiteKey: key[:], CheckRule: rules.Check})
	if err != nil {
		t.Fatal(err)
	}
	r, err := pipeline.NewRunner(pipeline.DefaultConfig(), conf, pipeline.Topology{
		pipeline.Stage(stage, topics.Requests, topics.RegistryCheckpoints, topics.Settings, topics.Frames, topics.Charts),
		pipeline.Stage(alarms.Stage(), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms),
		pipeline.Clock(topics.Requests),
		(&house{conf: Config{Kafka: conf}, log: quiet()}).strips(),
	}, "test", quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return conf, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestSite runs testdata/site/*.txt, sessions beside a site whose registry and
// alarms stage run. `heart PATIENT RATE SECONDS` is what rhythm would say of a
// patient, second by second at once, rate 0 a heart that stands still; `alarm
// NAME RULE` puts an id that alarms ls has just printed into the environment;
// `copied ID` waits for the alarm's strip.
func TestSite(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/site",
		Setup: func(e *testscript.Env) error {
			conf, stop := runSite(t)
			e.Defer(stop)
			e.Setenv("HEARTWIRE_KAFKA_BROKERS", strings.Join(conf.Brokers, ","))
			e.Values["hearts"] = &hearts{conf: conf, cl: pipelinetest.Client(t, conf, kgo.RecordPartitioner(kgo.ManualPartitioner())), now: time.Now().Add(-5 * time.Minute)}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"heart": func(ts *testscript.TestScript, _ bool, args []string) {
				rate, err1 := strconv.ParseFloat(args[1], 64)
				n, err2 := strconv.Atoi(args[2])
				ts.Check(errors.Join(err1, err2))
				ts.Check(ts.Value("hearts").(*hearts).beat(args[0], rate, n))
			},
			"copied": func(ts *testscript.TestScript, _ bool, args []string) { // waits for the strip of an alarm
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				seen := errors.New("seen")
				err := ts.Value("hearts").(*hearts).conf.Tail(ctx, quiet(), topics.Strips, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
					if s, ok := r.Value.(*topics.Strip); ok && strings.HasPrefix(s.GetAlarm(), args[0]) {
						return seen
					}
					return err
				})
				if !errors.Is(err, seen) {
					ts.Fatalf("no strip of %s: %v", args[0], cmp.Or(err, ctx.Err()))
				}
			},
			"alarm": func(ts *testscript.TestScript, _ bool, args []string) {
				id := regexp.MustCompile(`(?m)^([0-9a-f]{12}) .* ` + regexp.QuoteMeta(args[1]) + ` `).FindStringSubmatch(ts.ReadFile("stdout"))
				if id == nil {
					ts.Fatalf("no alarm of %s was listed", args[1])
				}
				ts.Setenv(args[0], id[1])
			},
		},
	})
}

// hearts are what rhythm would say of the patients of a site.
type hearts struct {
	conf kafka.Config
	cl   *kgo.Client
	now  time.Time
	tick topics.Tick
	lone float64 // s since the last beat
}

func (h *hearts) beat(patient string, rate float64, n int) error {
	var recs []*kgo.Record
	for range n {
		h.now = h.now.Add(time.Second)
		s := &topics.Second{Quality: 0.9, Lead: "II", FrameS: 0.25, Device: "patch-" + patient, Boot: 1, Sample: uint64(h.now.Unix()), SampleUs: h.now.UnixMicro()}
		if h.lone++; rate > 0 {
			h.lone = 60 / rate
			s.Rate, s.RateFast, s.RateSlow = &rate, &rate, &rate
		}
		s.SinceBeatS = proto.Float64(h.lone)
		h.tick.N, h.tick.Owner, h.tick.ElapsedUs, h.tick.WallUs = h.tick.N+1, 1, 1e6, h.now.UnixMicro()
		for i, kind := range []*topics.Chart{
			{Patient: patient, TimeUs: h.now.UnixMicro(), Kind: &topics.Chart_Second{Second: s}},
			topics.Charts.Wrap(proto.CloneOf(&h.tick)),
		} {
			r, err := kafka.Encode(h.conf.Site, topics.Charts, h.conf.Partitions, kind, topics.Origin{Source: "hearts", Offset: int64(h.tick.N), Index: int32(i)})
			if err != nil {
				return err
			}
			r.Partition = topics.Partition(topics.Key(patient), h.conf.Partitions)
			recs = append(recs, r)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.cl.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		return err
	}
	seen := errors.New("seen") // the alarms stage has said what it had to say
	err := h.conf.Tail(ctx, quiet(), topics.Alarms, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
		if a, ok := r.Value.(*topics.Alarm); ok && a.GetTick().GetN() == h.tick.N {
			return seen
		}
		return err
	})
	if !errors.Is(err, seen) {
		return fmt.Errorf("the alarms stage has not got to tick %d: %w", h.tick.N, cmp.Or(err, ctx.Err()))
	}
	return nil
}

// A limit is live within 2 s (ALARMS, point 4): from the request until it can
// be read, committed, in the chart of each patient whom it concerns. Beside the
// site's change the registry restates nothing, so what it measures is the way.
func TestALimitIsLiveWithinTwoSeconds(t *testing.T) {
	conf, stop := runSite(t)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := func(asks ...*topics.Request) {
		t.Helper()
		stamp("doctor-3", asks)
		outcomes, err := pipeline.Ask(ctx, conf, quiet(), asks...)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outcomes {
			if !o.Accepted {
				t.Fatal(o.Problem)
			}
		}
	}
	const patients = 200
	var admit []*topics.Request
	for i := range patients {
		admit = append(admit, &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: fmt.Sprintf("p%03d", i), Unit: "4W"}}})
	}
	ask(admit...)
	for _, c := range []struct {
		of    string
		value float64
		want  int // patients
	}{{"patient/p007", 130, 1}, {"site", 125, patients - 1}} {
		live := make(chan time.Time, 1)
		seen, seek := map[topics.Key]bool{}, errors.New("all seen")
		go func() {
			err := conf.Tail(ctx, quiet(), topics.Charts, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
				for _, l := range r.Value.(*topics.Chart).GetLimits().GetLimits() {
					if l.Rule == topics.RuleHRHigh && l.Value == c.value && l.Author == "doctor-3" {
						seen[r.Key] = true
					}
				}
				if len(seen) == c.want {
					live <- time.Now()
					return seek
				}
				return err
			})
			if !errors.Is(err, seek) {
				t.Errorf("%d of %d patients have it: %v", len(seen), c.want, err)
				close(live)
			}
		}()
		asked := time.Now()
		ask(&topics.Request{Reason: "clinical-order", Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{
			Of: c.of, Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: c.value, DurationS: 10, Hysteresis: 2}},
		}}})
		if took := (<-live).Sub(asked); took < 0 || took > 2*time.Second {
			t.Errorf("%s: live after %v", c.of, took)
		} else {
			t.Logf("%s: live for %d after %v", c.of, c.want, took)
		}
	}
}
