package pipeline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// TestReplayOfWhatIsForgottenIsRefused lets the log forget what the states
// before the stretch need.
func TestReplayOfWhatIsForgottenIsRefused(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	day := lived(t, conf)
	forget := func(n int64) {
		adm := kadm.NewClient(pipelinetest.Client(t, conf))
		o := kadm.Offsets{}
		for p := range conf.Partitions {
			o.AddOffset(topics.Frames.On(conf.Site), p, n, -1)
		}
		if res, err := adm.DeleteRecords(context.Background(), o); err != nil || res.Error() != nil {
			t.Fatal(err, res.Error())
		}
	}
	forget(4000)
	r := pipeline.Replay{Kafka: conf, Log: testLog(t), Stage: countNode(), Patients: []topics.Key{"p0"}}
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "name a place at least an hour after its beginning") {
		t.Errorf("replays what has been forgotten: %v", err)
	}
	// Each key has a checkpoint of the hour before, which stands for all that came before it.
	some := pipeline.Replay{From: at(day, 8400)}
	if found := replay(t, conf, &some); len(found) != 0 || some.Progress().Compared == 0 {
		t.Errorf("%d differences of %d", len(found), some.Progress().Compared)
	}
}

// TestReplayFromWithinTheCommitOfAReturn begins where no key has a checkpoint:
// one has left, and the commit that holds its return is not over.
func TestReplayFromWithinTheCommitOfAReturn(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	send := func(devices ...string) {
		cl := pipelinetest.Client(t, conf)
		for i, device := range devices {
			f := &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: uint64(i)}}}
			r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{})
			if err != nil {
				t.Fatal(err)
			}
			if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		stop := start(t, conf, "1", countNode())
		caughtUp(t, conf, "beats", topics.Frames.Spec)
		stop()
	}
	send("d", "d", "d", pipelinetest.Goodbye)
	send("d", "d", "d", "d", "d", "d")
	p := topics.Partition("p0", conf.Partitions)
	for o := range int64(10) {
		r := pipeline.Replay{From: &pipeline.Point{Partition: p, Offset: o}}
		if found := replay(t, conf, &r); len(found) != 0 || r.Progress().Compared == 0 {
			t.Errorf("from %d: %d differences of %d", o, len(found), r.Progress().Compared)
		}
	}
}

// TestReplayFindsWhatWasSaidOfNothing writes what a stage cannot have said: of
// the marker by which a transaction ended.
func TestReplayFindsWhatWasSaidOfNothing(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	cl := pipelinetest.Client(t, conf, kgo.TransactionalID("sender"))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	send := func(r *kgo.Record, err error) {
		if err == nil {
			err = cl.ProduceSync(context.Background(), r).FirstErr()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f := &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: "d"}}}
	send(kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{}))
	if err := cl.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	stop := start(t, conf, "1", countNode())
	said(t, conf, 1, 1)
	stop()
	p := topics.Partition("p0", conf.Partitions)
	o := origin(spoke(t, conf)[p][0])
	if o.Offset != 0 {
		t.Fatalf("the first record is at %d", o.Offset)
	}
	o.Offset = 1 // the marker
	forged := pipelinetest.Client(t, conf)
	r, err := kafka.Encode(conf.Site, topics.Annotations, conf.Partitions, &topics.Annotation{Patient: "p0", Sample: 99}, o)
	if err == nil {
		err = forged.ProduceSync(context.Background(), r).FirstErr()
	}
	if err != nil {
		t.Fatal(err)
	}
	produce(t, conf, 1, 1, 3)
	stop = start(t, conf, "2", countNode())
	caughtUp(t, conf, "beats", topics.Frames.Spec)
	stop()
	for _, to := range []int64{2, 4} { // the last that is said, and not
		found := replay(t, conf, &pipeline.Replay{To: &pipeline.Point{Partition: p, Offset: to}})
		if len(found) != 1 || found[0].What != "lost" || found[0].Origin != o {
			t.Errorf("to %d: %+v, want %s lost", to, found, o)
		}
	}
}
