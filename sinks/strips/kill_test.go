package strips_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks/strips"
	"heartwire/topics"
)

// oneEachThroughKills kills the process that copies, again and again: in the end
// each alarm has one strip, and what stands there twice is equal.
func oneEachThroughKills(t *testing.T, conf kafka.Config) {
	const patients, kills = 20, 3
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	child := func() (end func()) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStripsInAProcessOfTheirOwn$")
		cmd.Env = append(os.Environ(), childVar+"="+string(text))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = cmd.Process.Kill() // SIGKILL
			_ = cmd.Wait()
		}
	}
	names := make([]string, patients)
	for i := range names {
		names[i] = fmt.Sprint("p", i)
	}
	s := newSite(t, conf, began)
	s.run(15, nil, names...)
	alarms := 0
	for i := range kills {
		end := child()
		for range 5 {
			for _, p := range names { // at once, and while others wait
				put(s, topics.Alarms, 0, raise(p, s.now.Add(-4*time.Second), s.now))
				alarms++
			}
			s.run(6, nil, names...)
		}
		before := (i*5 + 3) * patients // all but two of its five, which are not due
		eventually(t, "what is due is copied", func() bool { list, _ := written(t, conf); return len(list) >= before })
		if i%2 == 1 {
			time.Sleep(1500 * time.Millisecond) // until its place is committed
		}
		end()
	}
	end := child()
	defer end()
	s.run(14, nil, names...)
	eventually(t, "each alarm has a strip", func() bool { list, _ := written(t, conf); return len(list) == alarms })
	list, repeats := written(t, conf)
	for _, r := range list {
		if v := r.Value; len(v.Runs) != 40 || len(v.Holes) != 0 {
			t.Fatalf("alarm %s: %d runs, holes %s", v.Alarm, len(v.Runs), inSeconds(v))
		}
		if r.Origin.Source != "alarms" || r.Origin.Partition != r.Partition || r.Origin.Epoch == 0 {
			t.Fatalf("a strip's origin is %s, want the record that raised its alarm", r.Origin)
		}
	}
	t.Logf("%d alarms, %d kills, %d strips came twice", alarms, kills, repeats)
}

const childVar = "HEARTWIRE_TEST_STRIPS"

// TestStripsInAProcessOfTheirOwn is no test where nobody asks for the process.
func TestStripsInAProcessOfTheirOwn(t *testing.T) {
	text := os.Getenv(childVar)
	if text == "" {
		return
	}
	var conf kafka.Config
	if err := json.Unmarshal([]byte(text), &conf); err != nil {
		t.Fatal(err)
	}
	p := pipeline.DefaultConfig()
	p.SessionTimeout = 6 * time.Second
	p.Instance, p.Static = "child", true // so that the next has the partitions at once
	r, err := pipeline.NewRunner(p, conf, pipeline.Topology{node(conf)}, "test", quiet, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Run(context.Background())
}

func TestEachAlarmHasOneStripThroughKills(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	oneEachThroughKills(t, conf)
}

// counted is a reader that counts.
type counted[T proto.Message] struct {
	topics.Reader[T]
	reads, records int
}

func (c *counted[T]) Read(ctx context.Context, s topics.Stretch, each func(topics.Record[T]) bool) (bool, error) {
	c.reads++
	return c.Reader.Read(ctx, s, func(r topics.Record[T]) bool {
		c.records++
		return each(r)
	})
}

// manyAtOnce raises an alarm of each of 500 patients within a second.
func manyAtOnce(t *testing.T, conf kafka.Config) {
	const patients = 500
	names := make([]string, patients)
	for i := range names {
		names[i] = fmt.Sprint("p", i)
	}
	s := newSite(t, conf, began)
	s.run(25, nil, names...)
	var batches = make([][]topics.Record[*topics.Alarm], conf.Partitions)
	for i, name := range names {
		p := topics.Partition(topics.Key(name), conf.Partitions)
		at := s.now.Add(time.Duration(i) * 2 * time.Millisecond)
		batches[p] = append(batches[p], topics.Record[*topics.Alarm]{Key: topics.Key(name), Partition: p, Offset: int64(i), Value: raise(name, at.Add(-4*time.Second), at)})
	}
	for range 13 {
		s.run(1, nil, names...)
		for p := range batches {
			batches[p] = append(batches[p], topics.Record[*topics.Alarm]{Partition: int32(p), Value: topics.Alarms.Wrap(&topics.Tick{N: s.tick, Owner: 1, ElapsedUs: 1e6})})
		}
	}
	frames := &counted[*topics.Frame]{Reader: pipeline.NewReader(conf, quiet, topics.Frames)}
	found := &counted[*topics.Annotation]{Reader: pipeline.NewReader(conf, quiet, topics.Annotations)}
	target := strips.New(frames, found, pipeline.NewDeriver(conf, quiet, topics.Strips, topics.Alarms))
	began := time.Now()
	for _, b := range batches {
		if err := target.Deliver(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	list, _ := written(t, conf)
	if len(list) != patients {
		t.Errorf("%d strips, want %d", len(list), patients)
	}
	for _, r := range list {
		if n := len(r.Value.Runs); n != 40 && n != 41 || len(r.Value.Holes) != 0 {
			t.Fatalf("%s: %d runs, holes %s", r.Key, len(r.Value.Runs), inSeconds(r.Value))
		}
	}
	if frames.reads != len(batches) || found.reads != len(batches) {
		t.Errorf("frames were read %d times and annotations %d times for %d partitions", frames.reads, found.reads, len(batches))
	}
	t.Logf("%d strips in %v, one partition after another: %d frames and %d annotations read", patients, took.Round(time.Millisecond), frames.records, found.records)
}

func TestManyAlarmsAtOnceAreReadForOnce(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	manyAtOnce(t, conf)
}
