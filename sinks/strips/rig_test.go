package strips_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks/strips"
	"heartwire/topics"
)

var quiet = slog.New(slog.DiscardHandler)

func sink(conf kafka.Config) *strips.Strips {
	return strips.New(
		pipeline.NewReader(conf, quiet, topics.Frames),
		pipeline.NewReader(conf, quiet, topics.Annotations),
		pipeline.NewDeriver(conf, quiet, topics.Strips, topics.Alarms))
}

func node(conf kafka.Config) pipeline.Node {
	return pipeline.Durable("strips", pipeline.Every(topics.Alarms, sink(conf)))
}

// site is a log as bridge, clock, beats and alarms would have written it, each
// record at the time that it is of.
type site struct {
	t    testing.TB
	conf kafka.Config
	cl   *kgo.Client
	now  time.Time
	tick uint64
}

const (
	rate  = 100 // Hz
	frame = 500 * time.Millisecond
)

func newSite(t testing.TB, conf kafka.Config, from time.Time) *site {
	return &site{t: t, conf: conf, cl: pipelinetest.Client(t, conf), now: from.Truncate(time.Second)}
}

// began is when the boot of each patch began, at sample 0.
var began = time.Now().Add(-time.Hour).Truncate(time.Second)

// samples is the run of a patient's patch that ends now.
func (s *site) samples(patient string) *topics.Samples {
	start := s.now.Add(-frame)
	n := int(frame.Seconds() * rate)
	deltas := make([]int32, n)
	for i := range deltas {
		deltas[i] = int32(i % 7)
	}
	return &topics.Samples{
		Device: "patch-" + patient, Boot: 1, First: uint64(start.Sub(began).Seconds()*rate + 0.5), Rate: rate, Count: uint32(n),
		Leads:  []*topics.Lead{{Name: "II", MicrovoltsPerCount: 5, Deltas: deltas}},
		TimeUs: start.UnixMicro(), ArrivalUs: s.now.UnixMicro(),
	}
}

func put[T proto.Message](s *site, t topics.Topic[T], partition int32, v ...T) {
	s.t.Helper()
	var records []*kgo.Record
	for _, v := range v {
		r, err := kafka.Encode(s.conf.Site, t, s.conf.Partitions, v, topics.Origin{Source: "rig", Offset: int64(s.tick)})
		if err != nil {
			s.t.Fatal(err)
		}
		r.Timestamp = s.now
		if len(r.Key) == 0 {
			r.Partition = partition
		}
		records = append(records, r)
	}
	if err := s.cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// run lets the patients' patches send for so many seconds, but those that lost
// reports as lost, with a beat each second, and ticks everywhere.
func (s *site) run(n int, lost func(patient string, at time.Time) bool, patients ...string) {
	s.t.Helper()
	for range n {
		var frames []*topics.Frame
		var beats []*topics.Annotation
		for range int(time.Second / frame) {
			s.now = s.now.Add(frame)
			for _, p := range patients {
				if lost == nil || !lost(p, s.now) {
					frames = append(frames, &topics.Frame{Patient: p, Kind: &topics.Frame_Samples{Samples: s.samples(p)}})
				}
			}
		}
		for _, p := range patients {
			at := s.now.Add(-time.Second / 2)
			beats = append(beats,
				&topics.Annotation{Patient: p, Device: "patch-" + p, Boot: 1, TimeUs: at.UnixMicro(), Kind: &topics.Annotation_Beat{Beat: &topics.Beat{Class: topics.BeatClass_BEAT_CLASS_N}}},
				&topics.Annotation{Patient: p, Device: "patch-" + p, Boot: 1, TimeUs: at.UnixMicro(), Kind: &topics.Annotation_Progress{Progress: &topics.Progress{}}})
		}
		put(s, topics.Frames, 0, frames...)
		put(s, topics.Annotations, 0, beats...)
		s.ticks()
	}
}

func (s *site) ticks() {
	s.t.Helper()
	s.tick++
	t := &topics.Tick{N: s.tick, Owner: 1, ElapsedUs: 1e6, WallUs: s.now.UnixMicro()}
	for p := range s.conf.Partitions {
		put(s, topics.Frames, p, topics.Frames.Wrap(t))
		put(s, topics.Annotations, p, topics.Annotations.Wrap(t))
		put(s, topics.Alarms, p, topics.Alarms.Wrap(t))
	}
}

func raise(patient string, onset, decided time.Time) *topics.Alarm {
	return &topics.Alarm{Patient: patient, TimeUs: decided.UnixMicro(), Kind: &topics.Alarm_State{State: &topics.AlarmState{
		Id: fmt.Sprintf("%s-%d", patient, onset.UnixMicro()), Version: 1, Rule: "asystole", Priority: topics.Priority_PRIORITY_HIGH, Text: "ASYSTOLE 4 s",
		OnsetUs: onset.UnixMicro(), RaisedUs: decided.UnixMicro(), Change: &topics.Change{What: "raised"},
	}}}
}

// written reads all strips, one an alarm, and wants those of one alarm to be equal.
func written(t testing.TB, conf kafka.Config) (out []topics.Record[*topics.Strip], repeats int) {
	t.Helper()
	first := map[string][]byte{}
	err := conf.Scan(context.Background(), quiet, topics.Strips, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
		if err != nil {
			return err
		}
		v := r.Value.(*topics.Strip)
		if b, again := first[v.Alarm]; again {
			repeats++
			if !bytes.Equal(b, r.Raw) {
				t.Errorf("alarm %s has two strips that differ", v.Alarm)
			}
			return nil
		}
		first[v.Alarm] = r.Raw
		out = append(out, topics.Record[*topics.Strip]{Key: r.Key, Origin: r.Origin, Partition: r.Partition, Offset: r.Offset, Value: v})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, repeats
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 30 s not yet: %s", what)
		}
	}
}
