package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// way tells how an annotation of p0 came about, in a line.
func way(t *testing.T, conf kafka.Config, want func(*topics.Annotation) bool) string {
	t.Helper()
	var of topics.Record[proto.Message]
	eventually(t, "the stage has said it", func() bool {
		err := conf.Scan(context.Background(), testLog(t), topics.Annotations, kafka.Since{Start: true, Of: "p0"}, func(r topics.Record[proto.Message], err error) error {
			if v, ok := r.Value.(*topics.Annotation); ok && r.Key == "p0" && want(v) {
				of = r
			}
			return err
		})
		return err == nil && of.Value != nil
	})
	hops, err := pipeline.Way(t.Context(), conf, testLog(t), topics.Annotations, of)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, h := range hops {
		word := h.Topic
		switch v := h.Value.(type) {
		case nil:
			word += " " + h.Gone
		case *topics.Frame:
			if word += fmt.Sprint(" ", v.GetSamples().GetFirst()); v.GetTick() != nil {
				word = fmt.Sprint("tick ", v.GetTick().GetN())
			}
		}
		if h.Value != nil && time.Since(h.Time).Abs() > time.Minute {
			t.Errorf("%s has the time %v", word, h.Time)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// The way of a record goes by Origins to the samples that it came of, or to the
// tick and the samples before it; what is forgotten or made anew is said.
func TestTheWayOfARecord(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	start(t, conf, "1", countNode())
	produce(t, conf, 2, 0, 20)
	cl := pipelinetest.Client(t, conf)
	at := topics.Partition("p0", conf.Partitions)
	for n := range uint64(10) {
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, topics.Frames.Wrap(&topics.Tick{N: n + 1, Owner: 1, ElapsedUs: 1e6}), topics.Origin{Source: "clock", Offset: int64(n)})
		if err != nil {
			t.Fatal(err)
		}
		r.Partition = at
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, conf, 2, 20, 1) // behind the tick: of no way
	third := func(a *topics.Annotation) bool { return a.Sample == 3 && !a.Late }
	ticked := func(a *topics.Annotation) bool { return a.Sample == 10 && a.Late }
	if got := way(t, conf, third); got != "frames 2, annotations" {
		t.Errorf("way %q", got)
	}
	if got := way(t, conf, ticked); got != "frames 19, tick 10, annotations" {
		t.Errorf("way %q of what a tick made the stage say", got)
	}
	forget(t, conf, at, 5)
	if got := way(t, conf, third); got != "frames beyond retention, annotations" {
		t.Errorf("way %q of what is forgotten", got)
	}
	adm := kadm.NewClient(cl)
	frames := topics.Frames.On(conf.Site)
	if _, err := adm.DeleteTopics(t.Context(), frames); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopics(t.Context(), conf.Partitions, 1, nil, frames); err != nil {
		t.Fatal(err)
	}
	if got := way(t, conf, third); got != "frames the topic was made anew since, annotations" {
		t.Errorf("way %q of what was made anew", got)
	}
}

// A reader gives the wanted records of a stretch and the ticks among them, and
// says when the log may have held more.
func TestAReaderLooksBack(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	produce(t, conf, 9, 0, 10)
	at := topics.Partition("p0", conf.Partitions)
	tick, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, topics.Frames.Wrap(&topics.Tick{N: 1}), topics.Origin{Source: "clock"})
	if err != nil {
		t.Fatal(err)
	}
	tick.Partition = at
	bad := &kgo.Record{Topic: topics.Frames.On(conf.Site), Key: []byte("p0"), Partition: at, Value: []byte{0xff, 1, 2}}
	if err := pipelinetest.Client(t, conf).ProduceSync(t.Context(), tick, bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, conf, 9, 10, 10)
	read := func(from time.Time, until int) (got []string, forgotten bool) {
		t.Helper()
		s := topics.Stretch{Partition: at, From: from, Keys: map[topics.Key]bool{"p0": true}}
		forgotten, err := pipeline.NewReader(conf, testLog(t), topics.Frames).Read(t.Context(), s, func(r topics.Record[*topics.Frame]) bool {
			word := fmt.Sprint(r.Value.GetSamples().GetFirst())
			if r.Value.GetTick() != nil {
				word = "tick"
			} else if r.Key != "p0" {
				t.Errorf("a record of %s", string(r.Key))
			}
			got = append(got, word)
			return len(got) < until
		})
		if err != nil {
			t.Fatal(err)
		}
		return got, forgotten
	}
	all := "0 1 2 3 4 5 6 7 8 9 tick 10 11 12 13 14 15 16 17 18 19"
	if got, forgotten := read(time.Now().Add(-time.Hour), 100); strings.Join(got, " ") != all || forgotten {
		t.Errorf("%v, forgotten %v", got, forgotten)
	}
	if got, _ := read(time.Now().Add(-time.Hour), 3); len(got) != 3 {
		t.Errorf("%v after enough was said", got)
	}
	if got, forgotten := read(time.Now().Add(time.Hour), 3); len(got) != 0 || forgotten {
		t.Errorf("%v of the time to come, forgotten %v", got, forgotten)
	}
	forget(t, conf, at, 1)
	if _, forgotten := read(time.Now().Add(-time.Hour), 100); !forgotten {
		t.Error("it does not say that the log begins later")
	}
	if _, err := pipeline.NewReader(conf, testLog(t), topics.Frames).Read(t.Context(), topics.Stretch{Partition: 99}, nil); err == nil || !strings.Contains(err.Error(), "no partition 99") {
		t.Errorf("no error of a partition that there is not: %v", err)
	}
}
