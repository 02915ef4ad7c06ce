package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

func testLog(t *testing.T) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// start runs a topology until stop is called, which waits for the drain.
func start(t *testing.T, conf kafka.Config, instance string, nodes ...pipeline.Node) (stop func()) {
	t.Helper()
	_, stop = run(t, conf, pipeline.Config{Instance: instance}, nodes...)
	return stop
}

// run is start with more of the Config, and the metrics.
func run(t *testing.T, conf kafka.Config, want pipeline.Config, nodes ...pipeline.Node) (reg *prometheus.Registry, stop func()) {
	t.Helper()
	_, reg, stop = launch(t, conf, want, nodes...)
	return reg, stop
}

// launch is run with the Runner.
func launch(t *testing.T, conf kafka.Config, want pipeline.Config, nodes ...pipeline.Node) (r *pipeline.Runner, reg *prometheus.Registry, stop func()) {
	t.Helper()
	pconf := pipeline.DefaultConfig()
	pconf.Instance, pconf.Static = want.Instance, want.Static
	reg = prometheus.NewRegistry()
	r, err := pipeline.NewRunner(pconf, conf, nodes, "test", testLog(t), reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("did not drain in 10 s")
		}
	})
	t.Cleanup(stop)
	return r, reg, stop
}

func countNode() pipeline.Node {
	return pipeline.Stage(pipelinetest.Count("beats"), topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
}

// produce writes n samples of each patient, interleaved, beginning with number first.
func produce(t *testing.T, conf kafka.Config, patients, first, n int) {
	t.Helper()
	cl := pipelinetest.Client(t, conf)
	for i := first; i < first+n; i++ {
		var batch []*kgo.Record
		for p := range patients {
			f := &topics.Frame{Patient: fmt.Sprint("p", p), Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: "d", First: uint64(i)}}}
			r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d", Offset: int64(i)})
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, r)
		}
		if err := cl.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// said reads what stands committed in annotations until each patient has n, and checks the chain.
func said(t *testing.T, conf kafka.Config, patients, n int) {
	t.Helper()
	cl := pipelinetest.Client(t, conf, kgo.ConsumeTopics(topics.Annotations.On(conf.Site)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	got := map[string][]uint64{}
	hash := map[string]uint64{}
	full := func() bool {
		k := 0
		for _, v := range got {
			if len(v) >= n {
				k++
			}
		}
		return k == patients
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for !full() {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("after 30 s: %d patients of %d, %v", len(got), patients, lengths(got))
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec, err := kafka.Decode(topics.Annotations, it.Next())
			if err != nil {
				t.Fatal(err)
			}
			if v := rec.Value; v.GetTick() == nil && !v.Late {
				want := uint64(len(got[v.Patient]) + 1)
				if v.Sample != want {
					t.Fatalf("%s says number %d, want %d: lost or doubled", v.Patient, v.Sample, want)
				}
				hash[v.Patient] = (hash[v.Patient] ^ (want - 1)) * 1099511628211
				if v.TimeUs != int64(hash[v.Patient]>>1) {
					t.Fatalf("%s number %d: its memory of what came before differs", v.Patient, want)
				}
				got[v.Patient] = append(got[v.Patient], v.Sample)
			}
		}
	}
}

func lengths(m map[string][]uint64) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprint(k, ":", len(m[k])))
	}
	return out
}

func saysEachOnceOverRestarts(t *testing.T, conf kafka.Config) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 50)
	said(t, conf, 9, 50)
	stop()
	produce(t, conf, 9, 50, 50)
	stop = start(t, conf, "1", countNode())
	said(t, conf, 9, 100)
	stop()
}

func movesPartitionsWithTheirState(t *testing.T, conf kafka.Config) {
	stopA := start(t, conf, "a", countNode(), pipeline.Clock(topics.Frames, topics.Requests))
	produce(t, conf, 9, 0, 20)
	said(t, conf, 9, 20)
	stopB := start(t, conf, "b", countNode())
	produce(t, conf, 9, 20, 100) // while the group rebalances
	said(t, conf, 9, 120)
	stopA()
	produce(t, conf, 9, 120, 20)
	said(t, conf, 9, 140)
	stopB()
}

func rejectsPoison(t *testing.T, conf kafka.Config) {
	cl := pipelinetest.Client(t, conf)
	for i, device := range []string{"d", pipelinetest.Poison, "d", pipelinetest.PanicPoison, "d"} {
		f := &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: uint64(i / 2)}}}
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	garbage := &kgo.Record{Topic: topics.Frames.On(conf.Site), Key: []byte("p0"), Partition: topics.Partition("p0", conf.Partitions), Value: []byte{0xff, 1, 2}}
	if err := cl.ProduceSync(context.Background(), garbage).FirstErr(); err != nil {
		t.Fatal(err)
	}
	start(t, conf, "1", countNode())
	said(t, conf, 1, 3)
	rejects := pipelinetest.Client(t, conf, kgo.ConsumeTopics(topics.Rejects.On(conf.Site)), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for len(got) < 3 && ctx.Err() == nil {
		for it := rejects.PollFetches(ctx).RecordIter(); !it.Done(); {
			rec, err := kafka.Decode(topics.Rejects, it.Next())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(rec.Value.Reason, " ", rec.Value.Stack != "", " ", len(rec.Value.Original) > 0))
		}
	}
	slices.Sort(got)
	if want := []string{"undecodable false true", "unfoldable false true", "unfoldable true true"}; !slices.Equal(got, want) {
		t.Fatalf("rejects %v, want %v", got, want)
	}
}

func clockGoesOn(t *testing.T, conf kafka.Config) {
	last := map[int32]*topics.Tick{}
	cl := pipelinetest.Client(t, conf, kgo.ConsumeTopics(topics.Frames.On(conf.Site)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for owner := range uint64(2) {
		stop := start(t, conf, fmt.Sprint(owner), pipeline.Clock(topics.Frames))
		seen := 0
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		for seen < 2*int(conf.Partitions) {
			fetches := cl.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("only %d ticks in 20 s", seen)
			}
			for it := fetches.RecordIter(); !it.Done(); {
				r := it.Next()
				rec, err := kafka.Decode(topics.Frames, r)
				if err != nil {
					t.Fatal(err)
				}
				tick := rec.Value.GetTick()
				if tick == nil {
					t.Fatalf("no tick: %v", rec.Value)
				}
				if before := last[r.Partition]; before != nil && tick.N != before.N+1 {
					t.Fatalf("partition %d: tick %d after %d", r.Partition, tick.N, before.N)
				}
				if e := tick.Elapsed(); last[r.Partition] != nil && e < 500*time.Millisecond {
					t.Fatalf("a tick of %s", e)
				}
				last[r.Partition] = tick
				if tick.Owner == owner+1 {
					seen++
				}
			}
		}
		cancel()
		stop()
	}
}

func TestStageSaysEachOnceOverRestarts(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	saysEachOnceOverRestarts(t, conf)
}

func TestPartitionsMoveWithTheirState(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	movesPartitionsWithTheirState(t, conf)
}

func TestPoisonGoesToRejectsAndTheRestGoesOn(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	rejectsPoison(t, conf)
}

func TestClockGoesOnWhereTheLastOwnerEnded(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	clockGoesOn(t, conf)
}
