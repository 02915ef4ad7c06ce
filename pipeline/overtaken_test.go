package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// forgetUnread makes the log forget the n oldest records of each partition of
// frames that the stage has not read yet, and of one partition all: there is
// nothing with which to tell it until more comes. It says how many of each.
func forgetUnread(t *testing.T, conf kafka.Config, n int64) (lost map[int32]int64) {
	t.Helper()
	ctx := context.Background()
	adm := kadm.NewClient(pipelinetest.Client(t, conf))
	committed, err := adm.FetchOffsets(ctx, conf.Site+".beats")
	if err != nil {
		t.Fatal(err)
	}
	topic := topics.Frames.On(conf.Site)
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	lost = map[int32]int64{}
	until := kadm.Offsets{}
	for p := range conf.Partitions {
		c, ok := committed.Lookup(topic, p)
		if end, _ := ends.Lookup(topic, p); ok && c.At+n < end.Offset {
			lost[p] = n
			if p == topics.Partition("p0", conf.Partitions) {
				lost[p] = end.Offset - c.At
			}
			until.Add(kadm.Offset{Topic: topic, Partition: p, At: c.At + lost[p]})
		}
	}
	if len(lost) == 0 {
		t.Fatal("no partition has so many records that are unread")
	}
	deleted, err := adm.DeleteRecords(ctx, until)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return lost
}

// committed reads what is committed in a topic now, in the order of each key.
func committed[T proto.Message](t *testing.T, conf kafka.Config, topic topics.Topic[T]) map[topics.Key][]topics.Record[T] {
	t.Helper()
	from := map[int32]int64{}
	for p := range conf.Partitions {
		from[p] = 0
	}
	all := map[topics.Key][]topics.Record[T]{}
	err := kafka.ReadRange(context.Background(), conf, testLog(t), topic.On(conf.Site), from, nil, func(r *kgo.Record) error {
		rec, err := kafka.Decode(topic, r)
		all[rec.Key] = append(all[rec.Key], rec)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkpointed is the state in the newest checkpoint of each key.
func checkpointed(t *testing.T, conf kafka.Config) map[topics.Key]pipelinetest.CountState {
	t.Helper()
	newest := map[topics.Key]pipelinetest.CountState{}
	for key, all := range committed(t, conf, topics.BeatsCheckpoints.Changelog) {
		var s pipelinetest.CountState
		if err := s.UnmarshalBinary(all[len(all)-1].Value.GetState()); err != nil {
			t.Fatal(err)
		}
		newest[key] = s
	}
	return newest
}

// story is what Count must say, a line each: of the records that it read in
// order; then that some were lost, and of those that the log still holds, with
// the state of its newest checkpoint: what came between that and the loss was
// said, and has been forgotten with it.
func story(t *testing.T, conf kafka.Config, read int, known map[topics.Key]pipelinetest.CountState, lost map[int32]int64) map[topics.Key][]string {
	t.Helper()
	want := map[topics.Key][]string{}
	for key, frames := range committed(t, conf, topics.Frames) {
		var n, hash uint64
		fold := func(first uint64) {
			n, hash = n+1, (hash^first)*1099511628211
			want[key] = append(want[key], fmt.Sprint(n, " ", hash>>1))
		}
		for i := range read {
			fold(uint64(i))
		}
		if l := lost[frames[0].Partition]; l > 0 {
			n, hash = known[key].N, known[key].Hash^uint64(l)
			want[key] = append(want[key], fmt.Sprint(l, " lost"))
		}
		for _, f := range frames {
			if first := f.Value.GetSamples().GetFirst(); first >= uint64(read) {
				fold(first)
			}
		}
	}
	return want
}

// tells waits until as much has been said as the story has, and compares.
func tells(t *testing.T, conf kafka.Config, want map[topics.Key][]string) {
	t.Helper()
	var said map[topics.Key][]topics.Record[*topics.Annotation]
	defer func() { // also where it has not been
		for key, w := range want {
			if got := tellings(said[key]); !slices.Equal(got, w) {
				t.Errorf("of a key is said\n%q\nwant\n%q", got, w)
			}
		}
	}()
	eventually(t, "all has been said", func() bool {
		said = committed(t, conf, topics.Annotations)
		for key, w := range want {
			if len(said[key]) < len(w) {
				return false
			}
		}
		return true
	})
}

// tellings is what is said of a key, as story has it.
func tellings(said []topics.Record[*topics.Annotation]) (list []string) {
	for _, r := range said {
		line := fmt.Sprint(r.Value.Sample, " ", r.Value.TimeUs)
		if r.Value.GetGap().GetCause() == topics.GapCause_GAP_CAUSE_OVERTAKEN {
			line = fmt.Sprint(r.Value.Sample, " lost")
		}
		list = append(list, line)
	}
	return list
}

// tellsWhatWasForgotten runs a stage whose log forgets what it has not read:
// it tells each key once, through whatever hinder does to the telling, and goes
// on with the earliest that there is.
func tellsWhatWasForgotten(t *testing.T, conf kafka.Config, hinder func()) {
	stop := start(t, conf, "1", countNode())
	produce(t, conf, 9, 0, 20)
	said(t, conf, 9, 20)
	stop()
	known := checkpointed(t, conf)
	produce(t, conf, 9, 20, 30)
	lost := forgetUnread(t, conf, 25)
	hinder()
	reg, stop := run(t, conf, pipeline.Config{Instance: "1"}, countNode())
	tells(t, conf, story(t, conf, 20, known, lost))
	if n := metric(t, reg, "overtaken_total"); n < float64(len(lost)) {
		t.Errorf("%v partitions are counted, want %d", n, len(lost))
	}
	produce(t, conf, 9, 50, 5)
	tells(t, conf, story(t, conf, 20, known, lost))
	stop()
	produce(t, conf, 9, 55, 5)
	reg, stop = run(t, conf, pipeline.Config{Instance: "2"}, countNode())
	tells(t, conf, story(t, conf, 20, known, lost))
	eventually(t, "the refold has been compared", func() bool { return metric(t, reg, "refolds_compared_total") > 0 })
	if n := metric(t, reg, "overtaken_total") + metric(t, reg, "refold_differences_total"); n != 0 {
		t.Errorf("after a restart it is overtaken again, or refolds otherwise: %v", n)
	}
	stop()
}

func TestWhatTheLogForgotIsToldOnce(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	tellsWhatWasForgotten(t, conf, func() {})
}

// The transaction that tells it is taken back: a record in it is refused.
func TestWhatTheLogForgotIsToldOnceThroughAnAbort(t *testing.T) {
	conf, cluster := pipelinetest.Cluster(t)
	var refused, aborted bool
	tellsWhatWasForgotten(t, conf, func() {
		cluster.ControlKey(int16(kmsg.Produce), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			refused = true
			return refuse(kreq.(*kmsg.ProduceRequest)), nil, true
		})
		cluster.ControlKey(int16(kmsg.EndTxn), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			aborted = aborted || !kreq.(*kmsg.EndTxnRequest).Commit
			return nil, nil, false
		})
	})
	if !refused || !aborted {
		t.Errorf("refused %v, aborted %v: nothing was hindered", refused, aborted)
	}
}

// refuse answers that each batch is too large, which no client tries again.
func refuse(req *kmsg.ProduceRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewProduceResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			sp := kmsg.NewProduceResponseTopicPartition()
			sp.Partition, sp.ErrorCode = rp.Partition, kerr.MessageTooLarge.Code
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

// The outcome of the transaction that tells it is unknown: the stage's life
// ends as if it had been killed, and the next one begins with what is committed.
func TestWhatTheLogForgotIsToldOnceThroughACrash(t *testing.T) {
	conf, cluster := pipelinetest.Cluster(t)
	crashed := false
	tellsWhatWasForgotten(t, conf, func() {
		cluster.ControlKey(int16(kmsg.EndTxn), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			crashed = true
			resp := kreq.ResponseKind().(*kmsg.EndTxnResponse)
			resp.ErrorCode = kerr.UnknownServerError.Code
			return resp, nil, true
		})
	})
	if !crashed {
		t.Error("nothing was hindered")
	}
}
