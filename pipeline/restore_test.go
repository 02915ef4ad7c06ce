package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// metric is the sum of a metric over its labels.
func metric(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "heartwire_pipeline_"+name {
			continue
		}
		for _, m := range f.Metric {
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				sum += m.Counter.GetValue()
			case dto.MetricType_GAUGE:
				sum += m.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				sum += float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return sum
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 20 s not yet: %s", what)
		}
	}
}

// spoil writes a changed copy of each key's checkpoints into the changelog.
func spoil(t *testing.T, conf kafka.Config, change func(cp *topics.Checkpoint)) {
	t.Helper()
	cl := pipelinetest.Client(t, conf)
	changelog := topics.BeatsCheckpoints.Changelog
	var bad []*kgo.Record
	from := map[int32]int64{}
	for p := range conf.Partitions {
		from[p] = 0
	}
	newest := map[string]*kgo.Record{}
	err := kafka.ReadRange(context.Background(), conf, testLog(t), changelog.On(conf.Site), from, nil, func(r *kgo.Record) error {
		newest[string(r.Key)] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range newest {
		cp, err := changelog.DecodeValue(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		change(cp)
		value, err := proto.Marshal(cp)
		if err != nil {
			t.Fatal(err)
		}
		bad = append(bad, &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: value})
	}
	if len(bad) == 0 {
		t.Fatal("no checkpoints to spoil")
	}
	if err := cl.ProduceSync(context.Background(), bad...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// mendsFromHistory damages the checkpoint of every key: history has the first
// of each, and the log what came after.
func mendsFromHistory(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 50)
	said(t, conf, 9, 50)
	stop()
	spoil(t, conf, func(cp *topics.Checkpoint) { cp.State[0] ^= 1 })
	produce(t, conf, 9, 50, 10)
	reg, stop := run(t, conf, pipeline.Config{Instance: "2"}, countNode())
	said(t, conf, 9, 60)
	if n := metric(t, reg, "checkpoint_repairs_total"); n != 9 {
		t.Errorf("%v checkpoints mended, want 9", n)
	}
	stop()
}

// mendsFromTheLog damages what history holds too.
func mendsFromTheLog(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 50)
	said(t, conf, 9, 50)
	stop()
	spoil(t, conf, func(cp *topics.Checkpoint) { cp.State = append(cp.State, 1) })
	cl := pipelinetest.Client(t, conf)
	for p := range conf.Partitions {
		for i := range 9 {
			r := &kgo.Record{Topic: topics.BeatsCheckpoints.History.On(conf.Site), Partition: p, Key: fmt.Append(nil, "p", i), Value: []byte("garbage")}
			if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(t, conf, 9, 50, 10)
	stop = start(t, conf, "2", countNode())
	said(t, conf, 9, 60)
	stop()
}

// migrates restores what an older version wrote.
func migrates(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 50)
	said(t, conf, 9, 50)
	stop()
	next := pipelinetest.Count("beats")
	next.Version = 2
	node := func() pipeline.Node {
		return pipeline.Stage(next, topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
	}
	produce(t, conf, 9, 50, 10)
	// Without a way up the stage refuses, and nothing is said.
	reg, stop := run(t, conf, pipeline.Config{Instance: "2"}, node())
	eventually(t, "the stage refuses", func() bool { return metric(t, reg, "restarts_total") > 1 })
	stop()
	var asked atomic.Int32 // partitions are restored side by side
	next.Migrate = func(version uint32, state []byte) ([]byte, error) {
		if asked.Add(1); version != 1 {
			return nil, errors.New("no such version")
		}
		return state, nil
	}
	stop = start(t, conf, "3", node())
	said(t, conf, 9, 60)
	if n := asked.Load(); n < 9 {
		t.Errorf("%d states brought up, want 9", n)
	}
	stop()
}

// comparesRefolds restarts a stage twice: as it was, and as one that says
// something else of the same records.
func comparesRefolds(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	// In two commits at least: the first holds checkpoints, which leave nothing to refold.
	produce(t, conf, 9, 0, 10)
	said(t, conf, 9, 10)
	produce(t, conf, 9, 10, 40)
	said(t, conf, 9, 50)
	stop()
	reg, stop := run(t, conf, pipeline.Config{Instance: "2"}, countNode())
	eventually(t, "the refold is compared", func() bool { return metric(t, reg, "refolds_compared_total") > 0 })
	if n := metric(t, reg, "refold_differences_total"); n != 0 {
		t.Errorf("%v differences of one and the same stage", n)
	}
	stop()
	other := pipeline.Stage(pipelinetest.Miscount("beats"), topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
	reg, stop = run(t, conf, pipeline.Config{Instance: "3"}, other)
	eventually(t, "the differences are counted", func() bool { return metric(t, reg, "refold_differences_total") > 0 })
	stop()
}

// comparesWhatIsHidden restarts a stage while somebody's open transaction hides
// what it has said: that is no difference.
func comparesWhatIsHidden(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 10)
	said(t, conf, 9, 10)
	other := pipelinetest.Client(t, conf, kgo.TransactionalID(conf.Site+".other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range conf.Partitions {
		if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: topics.Annotations.On(conf.Site), Partition: p}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, conf, 9, 10, 40)
	adm := kadm.NewClient(pipelinetest.Client(t, conf))
	frames := topics.Frames.On(conf.Site)
	eventually(t, "all is said", func() bool {
		n := int64(0)
		done, err := adm.FetchOffsetsForTopics(t.Context(), conf.Site+".beats", frames)
		if err != nil {
			t.Fatal(err)
		}
		done.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
		return n == 9*50
	})
	stop()
	reg, stop := run(t, conf, pipeline.Config{Instance: "2"}, countNode())
	eventually(t, "the stage is there", func() bool { return metric(t, reg, "partitions") == float64(conf.Partitions) })
	time.Sleep(2 * time.Second) // that nothing is told can only be waited for
	if n, done := metric(t, reg, "refold_differences_total"), metric(t, reg, "refolds_compared_total"); n != 0 || done != 0 {
		t.Errorf("%v differences in %v comparisons while nobody can see what was said", n, done)
	}
	if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the refold is compared", func() bool { return metric(t, reg, "refolds_compared_total") > 0 })
	if n := metric(t, reg, "refold_differences_total"); n != 0 {
		t.Errorf("%v differences of one and the same stage", n)
	}
	stop()
}

// keepsPartitionsOverAPlannedRestart restarts one of two static members: the
// other one's partitions do not move.
func keepsPartitionsOverAPlannedRestart(t *testing.T, conf kafka.Config) {
	reg, stopA := run(t, conf, pipeline.Config{Instance: "a", Static: true}, countNode())
	_, stopB := run(t, conf, pipeline.Config{Instance: "b", Static: true}, countNode())
	half := float64(conf.Partitions / 2)
	produce(t, conf, 9, 0, 20)
	said(t, conf, 9, 20)
	eventually(t, "each has its half", func() bool { return metric(t, reg, "partitions") <= half+1 })
	had, restored := metric(t, reg, "partitions"), metric(t, reg, "restore_seconds")
	stopB()
	// Longer than a heartbeat, by which the other would hear of a rebalance,
	// and shorter than the session: that nothing happens can only be waited for.
	time.Sleep(3 * time.Second)
	_, stopB = run(t, conf, pipeline.Config{Instance: "b", Static: true}, countNode())
	produce(t, conf, 9, 20, 20)
	said(t, conf, 9, 40)
	if now := metric(t, reg, "partitions"); now != had {
		t.Errorf("%v partitions after the other's restart, want %v as before", now, had)
	}
	if n := metric(t, reg, "restore_seconds"); n != restored {
		t.Errorf("partitions moved here while the other was away: %v restores, want %v", n, restored)
	}
	stopB()
	stopA()
}

func TestDamagedCheckpointIsMendedFromHistory(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	mendsFromHistory(t, conf)
}

func TestDamagedCheckpointIsMendedFromTheLog(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	mendsFromTheLog(t, conf)
}

func TestOlderCheckpointIsMigratedOrRefused(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	migrates(t, conf)
}

func TestRefoldIsComparedWithWhatWasSaid(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	comparesRefolds(t, conf)
}

func TestRefoldIsComparedWhenWhatWasSaidShows(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	comparesWhatIsHidden(t, conf)
}

func TestTicksThatStayAwayAreSaid(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	reg, stop := run(t, conf, pipeline.Config{Instance: "1"}, countNode())
	produce(t, conf, 9, 0, 5)
	said(t, conf, 9, 5)
	eventually(t, "time stands still", func() bool { return metric(t, reg, "tick_silence_seconds") > 5 })
	stopClock := start(t, conf, "2", pipeline.Clock(topics.Frames))
	eventually(t, "time moves", func() bool { return metric(t, reg, "tick_silence_seconds") < 3 })
	stopClock()
	stop()
}
