package strips_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks"
	"heartwire/sinks/sinktest"
	"heartwire/sinks/strips"
	"heartwire/topics"
)

// deliver gives the sink a raised alarm, and a tick a second behind it.
func deliver(t *testing.T, target sinks.Sink[*topics.Alarm], s *site, ticks int, alarms ...*topics.Alarm) error {
	t.Helper()
	var batch []topics.Record[*topics.Alarm]
	p := topics.Partition(topics.Key(alarms[0].Patient), s.conf.Partitions)
	for i, a := range alarms {
		batch = append(batch, topics.Record[*topics.Alarm]{Key: topics.Key(a.Patient), Partition: p, Offset: int64(i), Value: a})
	}
	for i := range ticks {
		n := s.tick - uint64(ticks-1-i)
		batch = append(batch, topics.Record[*topics.Alarm]{Partition: p, Offset: int64(len(batch)), Value: topics.Alarms.Wrap(&topics.Tick{N: n, Owner: 1, ElapsedUs: 1e6})})
	}
	return target.Deliver(t.Context(), batch)
}

func one(t *testing.T, s *site) *topics.Strip {
	t.Helper()
	list, _ := written(t, s.conf)
	if len(list) != 1 {
		t.Fatalf("%d strips, want 1", len(list))
	}
	return list[0].Value
}

// inSeconds are a strip's holes in seconds from its onset.
func inSeconds(v *topics.Strip) string {
	var b strings.Builder
	for _, h := range v.Holes {
		fmt.Fprintf(&b, "%.2f to %.2f %s; ", float64(h.FromUs-v.OnsetUs)/1e6, float64(h.ToUs-v.OnsetUs)/1e6, h.Why)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestAStripHoldsTheSamplesAboutTheOnset(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	s := newSite(t, conf, began)
	target := sink(conf)
	s.run(30, nil, "p1", "p2")
	onset := s.now.Add(-4 * time.Second)
	a := raise("p1", onset, s.now)
	// It is due when ticks have told of 10 s after the onset, and 2 s for what
	// comes out of order; the first tick may tell of time before the alarm.
	s.run(8, nil, "p1", "p2")
	var held *sinks.HoldError
	if err := deliver(t, target, s, 8, a); !errors.As(err, &held) || held.From != 0 {
		t.Fatalf("Deliver returned %v before the samples were known, want that it holds from record 0 on", err)
	}
	s.run(1, nil, "p1", "p2")
	if err := deliver(t, target, s, 9, a); err != nil {
		t.Fatal(err)
	}
	s.run(5, nil, "p1", "p2") // what comes later changes nothing
	if err := deliver(t, target, s, 9+5, a); err != nil {
		t.Fatal(err)
	}
	v := one(t, s)
	if v.Patient != "p1" || v.Alarm != a.GetState().Id || v.Rule != "asystole" || v.Priority != topics.Priority_PRIORITY_HIGH || v.Text != "ASYSTOLE 4 s" ||
		v.OnsetUs != onset.UnixMicro() || v.ToUs-v.FromUs != 20e6 || v.Tick != s.tick-5 {
		t.Errorf("strip %v %v %v %v, onset %d, tick %d", v.Patient, v.Alarm, v.Rule, v.Priority, v.OnsetUs, v.Tick)
	}
	if len(v.Runs) != 40 || len(v.Holes) != 0 {
		t.Fatalf("%d runs, holes %v; want 40 of half a second and none", len(v.Runs), inSeconds(v))
	}
	s.now = topics.MicroTime(v.FromUs)
	for i, r := range v.Runs {
		s.now = s.now.Add(frame)
		if want := s.samples("p1"); !proto.Equal(r, want) {
			t.Fatalf("run %d is %v, want it as it stands in frames: %v", i, r, want)
		}
	}
	if len(v.Annotations) != 20 || v.Annotations[0].GetBeat() == nil {
		t.Errorf("%d annotations, want 20 beats", len(v.Annotations))
	}
}

func TestAStripSaysWhatItLacks(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	s := newSite(t, conf, began)
	begin := s.now
	onset := begin.Add(20 * time.Second)
	late := s.samples("p1") // made below, when it is late
	s.run(33, func(_ string, at time.Time) bool {
		d := at.Sub(onset)
		if d == -time.Second+frame { // half of this one is missing in the patch already
			half := s.samples("p1")
			half.Missing = []byte{0xff, 0xff, 0xff, 1} // 25 of 50
			put(s, topics.Frames, 0, &topics.Frame{Patient: "p1", Kind: &topics.Frame_Samples{Samples: half}})
			return true
		}
		if d == 3*time.Second {
			late = s.samples("p1")
		}
		if d == 7*time.Second { // twice
			put(s, topics.Frames, 0, &topics.Frame{Patient: "p1", Kind: &topics.Frame_Samples{Samples: s.samples("p1")}})
		}
		return d > 2*time.Second && d <= 4*time.Second
	}, "p1")
	a := raise("p1", onset, onset)
	target := sink(conf)
	put(s, topics.Frames, 0, &topics.Frame{Patient: "p1", Kind: &topics.Frame_Samples{Samples: late}}) // too late: behind the tick
	if err := deliver(t, target, s, 13, a); err != nil {
		t.Fatal(err)
	}
	v := one(t, s)
	if got, want := inSeconds(v), "-1.00 to -0.75 missing; 2.00 to 4.00 missing"; got != want {
		t.Errorf("holes %q, want %q", got, want)
	}
	if len(v.Runs) != 40-4 {
		t.Errorf("%d runs, want 36: a repeat is there once", len(v.Runs))
	}
}

func TestAStripOfWhatIsForgottenSaysSo(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	s := newSite(t, conf, began)
	s.run(40, nil, "p1")
	forget := func(before int64) {
		var o kadm.Offsets
		o.AddOffset(topics.Frames.On(conf.Site), topics.Partition("p1", conf.Partitions), before, -1)
		if res, err := kadm.NewClient(s.cl).DeleteRecords(t.Context(), o); err != nil || res.Error() != nil {
			t.Fatal(err, res.Error())
		}
	}
	forget(3 * 15) // two runs and a tick a second
	if err := deliver(t, sink(conf), s, 13, raise("p1", began.Add(20*time.Second), began.Add(24*time.Second))); err != nil {
		t.Fatal(err)
	}
	if err := deliver(t, sink(conf), s, 13, raise("p1", began.Add(2*time.Second), began.Add(4*time.Second))); err != nil {
		t.Fatal(err)
	}
	list, _ := written(t, conf)
	if len(list) != 2 {
		t.Fatalf("%d strips, want 2", len(list))
	}
	if got := inSeconds(list[0].Value); got != "-10.00 to -5.00 forgotten" {
		t.Errorf("holes %q", got)
	}
	if v := list[1].Value; inSeconds(v) != "-10.00 to 10.00 forgotten" || len(v.Runs) != 0 || len(v.Annotations) == 0 {
		t.Errorf("holes %q, %d runs, %d annotations; want all forgotten but what was found", inSeconds(v), len(v.Runs), len(v.Annotations))
	}
}

// Strips are many, and one of many samples still fits into a record.
func TestAStripTooLargeIsCutAboutItsOnset(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	s := newSite(t, conf, began)
	var frames []*topics.Frame
	for i := range 30 {
		leads := make([]*topics.Lead, 12)
		for l := range leads {
			leads[l] = &topics.Lead{Name: fmt.Sprint("V", l), MicrovoltsPerCount: 1, Deltas: slices.Repeat([]int32{100, -100}, 2500)}
		}
		s.now = s.now.Add(time.Second)
		frames = append(frames, &topics.Frame{Patient: "p1", Kind: &topics.Frame_Samples{Samples: &topics.Samples{
			Device: "d", Boot: 1, First: uint64(i * 5000), Rate: 5000, Count: 5000, Leads: leads, TimeUs: s.now.Add(-time.Second).UnixMicro(),
		}}})
	}
	for _, f := range frames {
		put(s, topics.Frames, 0, f)
	}
	s.run(1, nil)
	if err := deliver(t, sink(conf), s, 0, raise("p1", began.Add(15*time.Second), began.Add(30*time.Second))); err == nil {
		t.Fatal("a strip without a tick")
	}
	s.run(3, nil)
	if err := deliver(t, sink(conf), s, 3, raise("p1", began.Add(15*time.Second), began.Add(30*time.Second))); err != nil {
		t.Fatal(err)
	}
	v := one(t, s)
	if n := proto.Size(v); n > 2<<20 || n < 1<<20 {
		t.Errorf("%d bytes", n)
	}
	if len(v.Holes) != 2 || v.Holes[0].Why != topics.HoleSize || v.Holes[1].Why != topics.HoleSize || v.Runs[0].TimeUs > v.OnsetUs || v.Runs[len(v.Runs)-1].TimeUs < v.OnsetUs {
		t.Errorf("holes %v of %d runs", inSeconds(v), len(v.Runs))
	}
}

func TestContract(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	names := map[int32]string{} // a patient of each partition
	for i := 0; len(names) < sinktest.Partitions; i++ {
		name := fmt.Sprint("p", i)
		names[topics.Partition(topics.Key(name), conf.Partitions)] = name
	}
	const span = 15 // s between two alarms
	s := newSite(t, conf, began)
	for range 30 {
		s.run(span, nil, names[0], names[1], names[2], names[3])
	}
	good := func(p int32, i int) topics.Record[*topics.Alarm] {
		onset := began.Add(time.Duration(i*span+20) * time.Second)
		return topics.Record[*topics.Alarm]{
			Key: topics.Key(names[p]), Partition: p, Offset: int64(i * 100), Value: raise(names[p], onset, onset),
			Origin: topics.Origin{Source: "chart", Partition: p, Offset: int64(i * 10)},
		}
	}
	sites := 0
	sinktest.Run(t, sinktest.Case[*topics.Alarm]{
		Good: good,
		Rest: func(p int32, n int) (out []topics.Record[*topics.Alarm]) {
			for i := range 14 {
				tick := uint64((n-1)*span + 20 + i)
				out = append(out, topics.Record[*topics.Alarm]{Partition: p, Offset: int64(n*100 + i), Value: topics.Alarms.Wrap(&topics.Tick{N: tick, Owner: 1, ElapsedUs: 1e6})})
			}
			return out
		},
		Bad: map[string]topics.Record[*topics.Alarm]{
			"no value": {},
			"no id":    {Key: "p1", Value: &topics.Alarm{Patient: "p1", Kind: &topics.Alarm_State{State: &topics.AlarmState{Change: &topics.Change{What: "raised"}}}}},
		},
		New: func(t *testing.T) sinktest.Target[*topics.Alarm] {
			of := map[string]topics.Origin{} // by alarm
			for p := range int32(sinktest.Partitions) {
				for i := range 25 {
					r := good(p, i)
					of[r.Value.GetState().Id] = r.Origin
				}
			}
			sites++
			own := conf // frames are the same for all, strips are of a test alone
			own.Site = fmt.Sprint("contract", sites)
			pipelinetest.MakeTopics(t, own)
			return sinktest.Target[*topics.Alarm]{
				Sink: strips.New(pipeline.NewReader(conf, quiet, topics.Frames), pipeline.NewReader(conf, quiet, topics.Annotations),
					pipeline.NewDeriver(own, quiet, topics.Strips, topics.Alarms)),
				Effects: func(t *testing.T, _ int) (out []topics.Origin) {
					// Repeats are not equal here: what follows an alarm is not the
					// same in each batch, as it is in a log.
					seen := map[string]bool{}
					err := own.Scan(t.Context(), quiet, topics.Strips, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
						if id := r.Value.(*topics.Strip).Alarm; !seen[id] {
							seen[id] = true
							out = append(out, of[id])
						}
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
					return out
				},
			}
		},
	})
}
