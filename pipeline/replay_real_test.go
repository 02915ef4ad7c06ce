//go:build real

package pipeline_test

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/test/real"
	"heartwire/test/real/servers"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// recorded are the frames of some recordings, as patches would have sent them
// at once, in the order of their arrival.
func recorded(t *testing.T, began time.Time, length time.Duration, names ...string) (out []*topics.Frame) {
	t.Helper()
	for _, name := range names {
		rec, err := wfdb.Open(filepath.Join(real.Data(t), "mitdb", name))
		if err != nil {
			t.Fatal(err)
		}
		for f, err := range rec.Frames(wfdb.FrameOptions{Patient: "p" + name, Device: "d" + name, Boot: 1, Start: began}) {
			if err != nil {
				t.Fatal(err)
			}
			if topics.MicroTime(f.GetSamples().GetArrivalUs()).Sub(began) > length {
				break
			}
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *topics.Frame) int {
		return cmp.Compare(a.GetSamples().GetArrivalUs(), b.GetSamples().GetArrivalUs())
	})
	return out
}

// writeFrames writes what arrived from one second to another, with a clock's ticks between.
func writeFrames(t *testing.T, conf kafka.Config, frames []*topics.Frame, began time.Time, from, to int) {
	t.Helper()
	cl := pipelinetest.Client(t, conf, kgo.MaxBufferedRecords(200_000))
	var batch []*kgo.Record
	add := func(f *topics.Frame, at time.Time, p int32) {
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Timestamp = at; f.GetTick() != nil {
			r.Partition = p
		}
		batch = append(batch, r)
	}
	next := from
	tick := func(until time.Time) {
		for ; next < to && !began.Add(time.Duration(next)*time.Second).After(until); next++ {
			at := began.Add(time.Duration(next) * time.Second)
			for p := range conf.Partitions {
				add(topics.Frames.Wrap(&topics.Tick{N: uint64(next), Owner: 1, ElapsedUs: 1e6, WallUs: at.UnixMicro()}), at, p)
			}
		}
	}
	first, last := began.Add(time.Duration(from)*time.Second), began.Add(time.Duration(to)*time.Second)
	for _, f := range frames {
		if at := topics.MicroTime(f.GetSamples().GetArrivalUs()); !at.Before(first) && at.Before(last) {
			tick(at)
			add(f, at, 0)
		}
	}
	tick(last)
	if err := cl.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// tickCame waits until a tick has come through to every partition of alarms.
func tickCame(t *testing.T, conf kafka.Config, n uint64) {
	t.Helper()
	cl := pipelinetest.Client(t, conf, kgo.ConsumeTopics(topics.Alarms.On(conf.Site)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	for came := map[int32]bool{}; len(came) < int(conf.Partitions); {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("after 4 min tick %d is in %d partitions of %d", n, len(came), conf.Partitions)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			rec, err := kafka.Decode(topics.Alarms, r)
			if err != nil {
				t.Fatal(err)
			}
			if rec.Value.GetTick().GetN() >= n {
				came[r.Partition] = true
			}
		}
	}
}

// TestReplayOnApacheKafka lets recordings through the stages, which are
// restarted on the way, and runs each of them again over all of it and over a
// stretch in the middle: what they say is what they said.
func TestReplayOnApacheKafka(t *testing.T) {
	conf := realSite(t, servers.Kafka(t, 3, servers.KafkaOptions{}), "again")
	const length = 15 * 60 // s
	began := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
	frames := recorded(t, began, length*time.Second, "106", "119", "203", "207")
	nodes := []pipeline.Node{
		pipeline.Stage(beats.New(beats.DefaultConfig()), topics.Frames, topics.BeatsCheckpoints, topics.Annotations),
		pipeline.Stage(rhythm.Stage(), topics.Annotations, topics.RhythmCheckpoints, topics.Charts),
		pipeline.Stage(alarms.Stage(), topics.Charts, topics.AlarmsCheckpoints, topics.Alarms),
	}
	const third = length / 3
	for i := range 3 {
		stop := start(t, conf, fmt.Sprint(i), nodes...)
		writeFrames(t, conf, frames, began, max(1, i*third), (i+1)*third)
		tickCame(t, conf, uint64((i+1)*third-1))
		stop()
	}
	for _, node := range nodes {
		end := endOf(t, conf, node, "p207")
		for name, r := range map[string]*pipeline.Replay{
			"all":    {},
			"one":    {Patients: []topics.Key{"p207"}},
			"middle": {From: &pipeline.Point{Partition: end.Partition, Offset: end.Offset / 3}, To: &pipeline.Point{Partition: end.Partition, Offset: end.Offset * 2 / 3}},
		} {
			t.Run(node.Name+" "+name, func(t *testing.T) {
				r.Stage = node
				began := time.Now()
				found := replay(t, conf, r)
				took, p := time.Since(began), r.Progress()
				t.Logf("%d records in %s, %.0f/s; %d compared", p.Records, took.Round(time.Millisecond), float64(p.Records)/took.Seconds(), p.Compared)
				if len(found) != 0 || p.Compared == 0 {
					t.Errorf("%d differences of %d, the first %+v", len(found), p.Compared, found[:min(1, len(found))])
				}
			})
		}
	}
}

// endOf is the end of what a node reads of a patient.
func endOf(t *testing.T, conf kafka.Config, node pipeline.Node, key topics.Key) pipeline.Point {
	t.Helper()
	topic := node.Reads[0].On(conf.Site)
	ends, err := kadm.NewClient(pipelinetest.Client(t, conf)).ListCommittedOffsets(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	p := topics.Partition(key, conf.Partitions)
	return pipeline.Point{Partition: p, Offset: ends[topic][p].Offset}
}
