//go:build real

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/failpoint"
	"heartwire/pipeline/kafka"
	"heartwire/test/chaos"
	"heartwire/test/real"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// TestTimersSurviveAKill kills the alarms stage and the registry, each again and
// again and in mid-transaction, while what lasts for a time is under way: a pause
// of one alarm, a pause of all of a patient's, an acknowledgement, a wait for an
// answer, a standby, a limit that expires. Each ends when it should by the time
// of the log, and is said once. Time is written by hand, faster than it passes.
func TestTimersSurviveAKill(t *testing.T) {
	if !real.Full(t, "timers through kill -9, which takes a minute") {
		return
	}
	luck := rand.New(rand.NewPCG(1, 2))
	b := openBench(t)
	b.until(12) // each has an alarm
	b.act()
	for b.second < 200 {
		for _, name := range []string{"alarms", "registry"} {
			b.revive(name, luck)
		}
		b.until(b.second + 1)
	}
	for name, n := range b.killed {
		t.Logf("%s was killed %d times", name, n)
		if n < 3 {
			t.Errorf("%s was killed %d times, want 3", name, n)
		}
	}
	b.heard()
	b.wantOnce("one", "paused", 0)
	b.wantOnce("one", "sounding", b.at("one", "paused")+60)
	b.wantOnce("all", "pause", 0)
	b.wantOnce("all", "pause over", b.at("all", "pause")+90)
	b.wantOnce("all", "sounding", b.at("all", "pause")+90)
	b.wantOnce("heard", "acknowledged", 0)
	b.wantOnce("heard", "timed-out", b.at("heard", "raised")+60)
	b.wantOnce("heard", "sounding", b.at("heard", "acknowledged")+120)
	b.wantOnce("bath", "standby", 0)
	b.wantOnce("bath", "standby over", b.at("bath", "standby")+100)
	again := b.at("bath", "standby") + 100
	b.want("bath", "raised", 2, span{again, again + 6}) // before it, and what goes on when it is over
	b.wantOnce("lent", "raised", 0)
	// When it has been calm for 10 s by the limit beneath. The registry died as it said that, and was away.
	b.want("lent", "ended", 1, span{lentUntil + 9, lentUntil + 10 + 2*away})
	b.settle()
}

const (
	lentUntil = 140 // the second at which a limit expires
	away      = 5   // seconds of the log for which a process that was killed stays so
)

// bench is the alarms stage and the registry, each one process, with time and
// hearts that are written by hand: a house of two rooms.
type bench struct {
	*house
	cl     *kgo.Client
	base   time.Time
	second int
	killed map[string]int
	dead   map[string]int // the second at which it was found dead

	mu   sync.Mutex
	said map[string][]float64 // by patient and change, the seconds of the log
	ids  map[string]string    // of alarms, by patient
	tick map[int32]uint64     // passed on by alarms, by partition
}

// hearts are the patients and what their rate is from the third second on; 0 is
// a heart that stands still.
var hearts = map[string]float64{"one": 134, "all": 134, "heard": 0, "bath": 134, "lent": 110}

func openBench(t *testing.T) *bench {
	t.Helper()
	k := servers.Kafka(t, 1, servers.KafkaOptions{})
	b := &bench{
		house: &house{t: t, bin: build(t), kafka: k, parts: map[string]*part{}, known: map[chaos.Problem]bool{}},
		base:  time.Now().Truncate(time.Second), killed: map[string]int{}, dead: map[string]int{},
		said: map[string][]float64{}, ids: map[string]string{}, tick: map[int32]uint64{},
	}
	b.conf = kafka.DefaultConfig()
	b.conf.Brokers, b.conf.Partitions, b.conf.Replication, b.conf.MinISR = k.Addrs(), partitions, 1, 1
	dir := t.TempDir()
	key := filepath.Join(dir, "site.key")
	b.path = filepath.Join(dir, "heartwire.yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  partitions: %d\n  replication: 1\n  min_isr: 1\nbridge:\n  site_key_file: %s\n", strings.Join(b.conf.Brokers, ", "), partitions, key)
	if err := errors.Join(os.WriteFile(key, siteKey, 0o600), os.WriteFile(b.path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	b.command("topics", "apply")
	var err error
	if b.cl, err = b.conf.NewClient(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.cl.Close)
	for _, name := range []string{"alarms", "registry"} {
		b.add(name, "stage", name).Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		err := b.conf.Tail(ctx, slog.New(slog.DiscardHandler), topics.Alarms, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
			if err == nil {
				b.hear(r)
			}
			return err
		})
		if err != nil && ctx.Err() == nil {
			t.Errorf("read alarms: %v", err)
		}
	}()
	for _, p := range b.parts {
		b.ready(p)
	}
	return b
}

// hear notes what the alarms stage said, by the patient and what happened.
func (b *bench) hear(r topics.Record[proto.Message]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := r.Value.(*topics.Alarm)
	what := a.GetState().GetChange().GetWhat()
	switch {
	case a.GetTick() != nil:
		b.tick[r.Partition] = a.GetTick().GetN()
		return
	case a.GetState() != nil:
		b.ids[a.GetPatient()] = a.GetState().GetId()
	case a.GetSilence().GetStandby():
		what = "standby"
	case a.GetSilence() != nil:
		what = "pause"
	default:
		return
	}
	if ended := a.GetSilence().GetEnded(); ended != "" {
		what += " " + ended
	}
	key := a.GetPatient() + " " + what
	b.said[key] = append(b.said[key], float64(a.GetTimeUs()-b.base.UnixMicro())/1e6)
}

// until writes what hearts and clocks say up to a second of the log.
func (b *bench) until(second int) {
	b.t.Helper()
	for ; b.second < second; time.Sleep(30 * time.Millisecond) {
		b.second++
		us := b.base.Add(time.Duration(b.second) * time.Second).UnixMicro()
		var list []*kgo.Record
		put := func(topic topics.Any, v proto.Message, partition int32) {
			r, err := kafka.EncodeAny(b.conf.Site, topic, partitions, v, topics.Origin{Source: "hearts", Offset: int64(b.second), Index: int32(len(list))})
			if err != nil {
				b.t.Fatal(err)
			}
			if partition >= 0 {
				r.Partition = partition
			}
			list = append(list, r)
		}
		for patient, rate := range hearts {
			s := &topics.Second{Quality: 0.9, Lead: "II", FrameS: 0.25, Device: "patch-" + patient, Boot: 1, Sample: uint64(b.second * 250), SampleUs: us}
			if s.SinceBeatS = proto.Float64(0.4); b.second < 3 {
				rate = 72
			}
			if s.Rate = &rate; rate == 0 {
				s.SinceBeatS = proto.Float64(float64(b.second-3) + 0.4)
			} else {
				s.RateFast, s.RateSlow = &rate, &rate
			}
			put(topics.Charts, &topics.Chart{Patient: patient, TimeUs: us, Kind: &topics.Chart_Second{Second: s}}, -1)
		}
		tick := &topics.Tick{N: uint64(b.second), Owner: 1, ElapsedUs: 1e6, WallUs: us}
		for p := range int32(partitions) {
			put(topics.Charts, topics.Charts.Wrap(tick), p)
		}
		put(topics.Requests, topics.Requests.Wrap(tick), 0)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if err := b.cl.ProduceSync(ctx, list...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		cancel()
	}
}

// act is what people do while all is well.
func (b *bench) act() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	now := b.base.Add(time.Duration(b.second) * time.Second).UnixMicro()
	b.ask(ctx, &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: "lent", Unit: "4W"}}})
	b.ask(ctx, &topics.Request{Reason: "post-procedure", Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{
		Of: "patient/lent", Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 100, ExpiresUs: b.base.Add(lentUntil * time.Second).UnixMicro()}},
	}}})
	b.await(time.Minute, "an alarm of each but one", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.ids) == len(hearts)-1
	})
	var list []*topics.Chart
	for patient, do := range map[string]*topics.Answer{
		"one":   {Action: topics.Action_ACTION_PAUSE, DurationS: 60, Alarm: b.ids["one"]},
		"all":   {Action: topics.Action_ACTION_PAUSE, DurationS: 90},
		"heard": {Action: topics.Action_ACTION_ACKNOWLEDGE, Alarm: b.ids["heard"]},
	} {
		do.Id, do.Person, do.TimeUs = patient, "nurse-1", now
		list = append(list, &topics.Chart{Patient: patient, TimeUs: now, Kind: &topics.Chart_Answer{Answer: do}})
	}
	list = append(list, &topics.Chart{Patient: "bath", TimeUs: now, Kind: &topics.Chart_Standby{Standby: &topics.Standby{
		On: true, Id: "bath", Person: "nurse-1", Reason: "bath", DurationS: 100, TimeUs: now,
	}}})
	outcomes, err := pipeline.Answer(ctx, b.conf, slog.New(slog.DiscardHandler), list...)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o := range outcomes {
		if !o.Accepted {
			b.t.Errorf("%s: %s", o.Answer, o.Problem)
		}
	}
}

func (b *bench) ask(ctx context.Context, r *topics.Request) {
	b.t.Helper()
	b.asked = append(b.asked, fmt.Sprint("wish-", len(b.asked)))
	r.Id, r.Author, r.TimeUs = b.asked[len(b.asked)-1], "doctor-3", b.base.Add(time.Duration(b.second)*time.Second).UnixMicro()
	outcomes, err := pipeline.Ask(ctx, b.conf, slog.New(slog.DiscardHandler), r)
	if err != nil || !outcomes[0].Accepted {
		b.t.Fatal(outcomes, err)
	}
}

// revive kills a process, three times in all, and starts it again when the log
// has gone on for some seconds without it. Once killed, the alarms stage dies by
// itself in mid-transaction, the registry as it says what has expired.
func (b *bench) revive(name string, luck *rand.Rand) {
	b.t.Helper()
	p := b.parts[name]
	switch at, dead := b.dead[name]; {
	case !dead && p.Running() && (b.killed[name] == 0 || name == "registry" && b.killed[name] == 1 && b.second > 60):
		p.Kill()
		b.dead[name] = b.second
		b.killed[name]++
	case !dead && p.Killed():
		b.dead[name] = b.second
		b.killed[name]++
	case dead && b.second >= at+away:
		delete(b.dead, name)
		var env []string
		switch moments := []string{failpoint.StageProduced, failpoint.StageCommitted, failpoint.StageBegun}; {
		case name == "registry" && b.killed[name] == 2:
			env = []string{strike(failpoint.StageProduced, 1, "")}
		case name == "alarms" && b.killed[name] < 3:
			env = []string{strike(moments[luck.IntN(len(moments))], 5+luck.IntN(50), "")}
		}
		p.Start(env...)
		b.await(time.Minute, name+" to be back", func() bool { return b.isReady(p) || p.Killed() })
	}
}

// heard waits until the alarms stage has got to the end of time.
func (b *bench) heard() {
	b.t.Helper()
	for _, p := range b.parts {
		if !p.Running() {
			p.Start()
		}
	}
	b.await(time.Minute, "the alarms stage at the last tick", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for p := range int32(partitions) {
			if b.tick[p] < uint64(b.second) {
				return false
			}
		}
		return true
	})
}

// at is when something was first said of a patient, in seconds of the log.
func (b *bench) at(patient, what string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list := b.said[patient+" "+what]; len(list) > 0 {
		return list[0]
	}
	return -1
}

// span is from one second of the log to another.
type span struct{ from, to float64 }

// wantOnce wants something said once of a patient, and about a second if that is not 0.
func (b *bench) wantOnce(patient, what string, second float64) {
	b.t.Helper()
	in := span{second - 1, second + 2}
	if second == 0 {
		in = span{0, 1e9}
	}
	b.want(patient, what, 1, in)
}

// want wants something said so many times of a patient, and the last time then.
func (b *bench) want(patient, what string, times int, in span) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.said[patient+" "+what]
	if len(list) != times || list[times-1] < in.from || list[times-1] > in.to {
		b.t.Errorf("%s: %s was said at %v, want it %d times, the last within %v", patient, what, list, times, in)
		return
	}
	b.t.Logf("%s: %s at %v", patient, what, list)
}

// settle holds all that was said against what the stages say of the log in one go.
func (b *bench) settle() {
	b.t.Helper()
	tally := chaos.Settle(chaos.Given{SiteKey: siteKey, Partitions: partitions, Asked: b.asked}, b.log())
	b.t.Logf("%d records said, %d of them by the registry", tally.Said, tally.Answers)
	for _, p := range tally.Problems[:min(10, len(tally.Problems))] {
		b.t.Errorf("%s: %s %s", p.Where, p.Place, p.What)
	}
}
