package pipeline_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// stateAt folds all that stands in the log of a key's partition before an
// offset, without checkpoints.
func stateAt(t *testing.T, conf kafka.Config, key topics.Key, until int64) (pipelinetest.CountState, bool) {
	t.Helper()
	i := topics.Partition(key, conf.Partitions)
	part := fold.New[pipelinetest.CountState](pipelinetest.Count("beats"), topics.Frames, 0, i)
	err := kafka.ReadRange(context.Background(), conf, testLog(t), topics.Frames.On(conf.Site), map[int32]int64{i: 0}, map[int32]int64{i: until}, func(r *kgo.Record) error {
		rec, err := kafka.Decode(topics.Frames, r)
		if err == nil {
			err = part.Fold(rec)
		}
		part.Commit()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, known := part.State(key)
	if !known {
		return pipelinetest.CountState{}, false
	}
	return *s, true
}

func TestLookIsTheStateOfARunThatStopsThere(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	ctx := context.Background()
	look := func(key topics.Key, at *pipeline.Point) pipeline.Look {
		t.Helper()
		l, err := pipeline.LookAt(ctx, conf, testLog(t), countNode(), key, at)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	day := day()
	live(t, conf, day, 1, 4000)
	stop := start(t, conf, "1", countNode())
	caughtUp(t, conf, "beats", topics.Frames.Spec)
	stop()
	then := look("p3", nil)
	live(t, conf, day, 4000, 6000)
	stop = start(t, conf, "2", countNode())
	caughtUp(t, conf, "beats", topics.Frames.Spec)
	stop()

	place := &pipeline.Point{Partition: then.Partition, Offset: then.Offset}
	if again := look("p3", place); then.State == nil || !reflect.DeepEqual(again, then) {
		t.Errorf("as of then %+v %+v, and then it was %+v %+v", again, again.State, then, then.State)
	}
	if then.Tick != 3999 || then.Version != 1 || !then.Wall.Equal(day.Add(3999*time.Second)) {
		t.Errorf("%+v", then)
	}
	for _, key := range []topics.Key{"p0", "p3", "p7", "p8"} {
		for _, o := range []int64{1, 40, 300, 1500, 3700, 5100} {
			p := topics.Partition(key, conf.Partitions)
			want, known := stateAt(t, conf, key, o)
			got := look(key, &pipeline.Point{Partition: p, Offset: o})
			if known != (got.State != nil) || known && *got.State.(*pipelinetest.CountState) != want {
				t.Errorf("%s at %d@%d: %+v, want %v %+v", key, p, o, got.State, known, want)
			}
		}
	}
	if l := look("nobody", nil); l.State != nil {
		t.Errorf("knows nobody: %+v", l.State)
	}
	if l := look("p3", at(day, 5000)); l.Tick != 4999 {
		t.Errorf("at 5,000 s the last tick was %d", l.Tick)
	}
	for why, at := range map[string]*pipeline.Point{
		"nothing from before": {Time: day.Add(-time.Hour)},
		"not in":              {Partition: (then.Partition + 1) % conf.Partitions},
	} {
		if _, err := pipeline.LookAt(ctx, conf, testLog(t), countNode(), "p3", at); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want: %s", err, why)
		}
	}
}
