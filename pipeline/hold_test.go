package pipeline_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks"
	"heartwire/topics"
)

// threeBehind is a sink that has delivered a record when three more are behind it.
type threeBehind struct{ *frameStore }

func (s threeBehind) Deliver(ctx context.Context, batch []topics.Record[*topics.Frame]) error {
	n := max(len(batch)-3, 0)
	if err := s.frameStore.Deliver(ctx, batch[:n]); err != nil || n == len(batch) {
		return err
	}
	return &sinks.HoldError{From: n}
}

// holdsTheEnd lets a sink hold the end of each batch: it comes again with what is
// behind it, in this life and in the next, and nothing else does.
func holdsTheEnd(t *testing.T, conf kafka.Config) {
	const patients = 9
	var s frameStore
	node := pipeline.Durable("store", pipeline.Every(topics.Frames, threeBehind{&s}))
	of := map[int32]bool{} // partitions that have patients
	for p := range patients {
		of[topics.Partition(topics.Key(fmt.Sprint("p", p)), conf.Partitions)] = true
	}
	_, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, node)
	produce(t, conf, patients, 0, 50)
	all := patients*50 - 3*len(of)
	eventually(t, "all but the end is stored", func() bool { return len(s.Rows()) == all })
	// What is held and cannot be read is in rejects when it is held no more.
	at := topics.Partition("p0", conf.Partitions)
	cl := pipelinetest.Client(t, conf)
	poison := &kgo.Record{Topic: topics.Frames.On(conf.Site), Key: []byte("p0"), Partition: at, Value: []byte{0xff, 1, 2}}
	if err := cl.ProduceSync(t.Context(), poison).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, conf, patients, 50, 1)
	all += patients
	eventually(t, "it goes on", func() bool { return len(s.Rows()) == all })
	if metric(t, reg, "held_partitions") != 0 || metric(t, reg, "delivery_retries_total") != 0 {
		t.Error("what a sink holds counts as if it had failed")
	}
	time.Sleep(50 * time.Millisecond) // it does not come to more
	if n := len(s.Rows()); n != all {
		t.Errorf("%d records are stored, want %d: three behind", n, all)
	}
	stop()
	stop = start(t, conf, "1", node)
	produce(t, conf, patients, 51, 49)
	all = patients*100 - 3*len(of)
	eventually(t, "the next life goes on", func() bool { return len(s.Rows()) == all })
	stop()
	if n := s.Given(); n != all {
		t.Errorf("%d records were delivered, want %d: what is committed ends where it was held", n, all)
	}
	next := map[topics.Key]uint64{}
	for _, r := range s.Rows() {
		if first := r.Value.GetSamples().GetFirst(); first != next[r.Key] {
			t.Fatalf("%s: number %d is stored after %d were: lost or out of order", r.Key, first, next[r.Key])
		}
		next[r.Key]++
	}
	rejects := 0
	err := conf.Scan(t.Context(), testLog(t), topics.Rejects, kafka.Since{Start: true}, func(topics.Record[proto.Message], error) error {
		rejects++
		return nil
	})
	if err != nil || rejects != 1 {
		t.Errorf("%d rejects, %v; want the one that cannot be read, once", rejects, err)
	}
}
