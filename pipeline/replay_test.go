package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages"
	"heartwire/topics"
)

// day is when the log of these tests begins; its ticks are a second apart.
func day() time.Time { return time.Now().Add(-6 * time.Hour).Truncate(time.Second) }

// live writes the ticks from first up to, not including, last into every
// partition, and what nine patients send meanwhile: one leaves now and then,
// and some of what another sends cannot be folded.
func live(t *testing.T, conf kafka.Config, day time.Time, first, last int) {
	t.Helper()
	cl := pipelinetest.Client(t, conf, kgo.MaxBufferedRecords(100_000))
	var batch []*kgo.Record
	add := func(n, p int, f *topics.Frame) {
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d", Offset: int64(n)})
		if err != nil {
			t.Fatal(err)
		}
		if f.GetTick() != nil {
			r.Partition = int32(p)
		}
		r.Timestamp = day.Add(time.Duration(n) * time.Second)
		batch = append(batch, r)
	}
	for n := first; n < last; n++ {
		for p := range 9 {
			if (n+p)%7 == 0 && n > 200*p {
				device := "d"
				switch {
				case p == 8 && n%50 == 0:
					device = pipelinetest.Goodbye
				case p == 7 && n%20 == 0:
					device = []string{pipelinetest.Poison, pipelinetest.PanicPoison}[n/20%2]
				}
				add(n, p, &topics.Frame{Patient: fmt.Sprint("p", p), Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: uint64(n)}}})
			}
		}
		for p := range int(conf.Partitions) {
			add(n, p, topics.Frames.Wrap(&topics.Tick{N: uint64(n), Owner: 1, ElapsedUs: 1e6, WallUs: day.Add(time.Duration(n) * time.Second).UnixMicro()}))
		}
	}
	if err := cl.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// caughtUp waits until a stage has committed all that stands in its input.
func caughtUp(t *testing.T, conf kafka.Config, stage string, in topics.Spec) {
	t.Helper()
	adm := kadm.NewClient(pipelinetest.Client(t, conf))
	ctx, topic := context.Background(), in.On(conf.Site)
	eventually(t, stage+" has read all", func() bool {
		committed, err := adm.FetchOffsets(ctx, conf.Site+"."+stage)
		if err != nil {
			return false
		}
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err != nil {
			return false
		}
		all := len(ends[topic]) > 0
		for p, end := range ends[topic] {
			all = all && committed[topic][p].At == end.Offset
		}
		return all
	})
}

// lived is a site with over two hours of log, through which the stage beats was
// restarted five times: so checkpoints do not all stand at its end.
func lived(t *testing.T, conf kafka.Config) (day0 time.Time) {
	t.Helper()
	day0 = day()
	for i := range 6 {
		live(t, conf, day0, max(1, i*1500), (i+1)*1500)
		stop := start(t, conf, fmt.Sprint(i), countNode())
		caughtUp(t, conf, "beats", topics.Frames.Spec)
		stop()
	}
	return day0
}

// replay runs a stage again and gives what it said otherwise.
func replay(t *testing.T, conf kafka.Config, r *pipeline.Replay) (found []pipeline.Difference) {
	t.Helper()
	r.Kafka, r.Log = conf, testLog(t)
	if r.Stage.Name == "" {
		r.Stage = countNode()
	}
	r.Differ = func(d pipeline.Difference) { found = append(found, d) }
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return found
}

// spoke is all that stands in annotations, by partition.
func spoke(t *testing.T, conf kafka.Config) map[int32][]*kgo.Record {
	t.Helper()
	out, from := map[int32][]*kgo.Record{}, map[int32]int64{}
	for p := range conf.Partitions {
		from[p] = 0
	}
	err := kafka.ReadRange(context.Background(), conf, testLog(t), topics.Annotations.On(conf.Site), from, nil, func(r *kgo.Record) error {
		out[r.Partition] = append(out[r.Partition], r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func origin(r *kgo.Record) topics.Origin { return kafka.Envelope[struct{}](r).Origin }

func TestReplay(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	day := lived(t, conf)
	all := 0
	for _, said := range spoke(t, conf) {
		all += len(said)
	}

	t.Run("all of it is as it was", func(t *testing.T) {
		var r pipeline.Replay
		if found := replay(t, conf, &r); len(found) != 0 {
			t.Fatalf("%d differences, the first %+v", len(found), found[0])
		}
		if p := r.Progress(); p.Compared != int64(all) || p.Share != 1 || p.Rejected == 0 || p.Patients != 9 && p.Patients != 8 {
			t.Errorf("%+v, want all %d compared", p, all)
		}
	})
	t.Run("an hour of it is", func(t *testing.T) {
		r := pipeline.Replay{From: at(day, 5000), To: at(day, 8600)}
		if found := replay(t, conf, &r); len(found) != 0 {
			t.Fatalf("%d differences, the first %+v", len(found), found[0])
		}
		// A tick a partition and second, and more of the nine.
		if p := r.Progress(); p.Compared < 3600*pipelinetest.Partitions+9*3600/7 || p.Records > int64(all) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("from any place it is", func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 12 {
			p := rnd.Int32N(conf.Partitions)
			from := rnd.Int64N(9000)
			r := pipeline.Replay{From: &pipeline.Point{Partition: p, Offset: from}, To: &pipeline.Point{Partition: p, Offset: from + 100}}
			if found := replay(t, conf, &r); len(found) != 0 {
				t.Errorf("from %d@%d: %d differences, the first %+v", p, from, len(found), found[0])
			}
		}
	})
	t.Run("another stage differs", func(t *testing.T) { differs(t, conf) })
	t.Run("of some patients", func(t *testing.T) { givesSome(t, conf, day) })
	t.Run("into a topic", func(t *testing.T) { writesInto(t, conf) })
	t.Run("places that are none", func(t *testing.T) { refusesPlaces(t, conf, day) })
	t.Run("at the speed of then", func(t *testing.T) { paces(t, conf, day) })
	t.Run("what is not said yet", func(t *testing.T) {
		live(t, conf, day, 9000, 9100)
		var r pipeline.Replay
		if found := replay(t, conf, &r); len(found) != 0 || r.Progress().Compared != int64(all) {
			t.Errorf("%d differences of %d compared, want none of %d", len(found), r.Progress().Compared, all)
		}
	})
	t.Run("what stands twice", func(t *testing.T) { findsDoubles(t, conf) }) // spoils the log
}

func at(day time.Time, n int) *pipeline.Point {
	return &pipeline.Point{Time: day.Add(time.Duration(n) * time.Second)}
}

// differs replays stages that say something else, nothing, and more.
func differs(t *testing.T, conf kafka.Config) {
	const p = 1
	said := spoke(t, conf)[p]
	i := slices.IndexFunc(said, func(r *kgo.Record) bool {
		v, err := topics.Annotations.DecodeValue(r.Value)
		return err == nil && v.GetTick() == nil && !v.Late && v.Sample%5 == 0
	})
	first := said[i]
	from := &pipeline.Point{Partition: p}
	other := pipeline.Stage(pipelinetest.Miscount("beats"), topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
	found := replay(t, conf, &pipeline.Replay{Stage: other, From: from})
	if len(found) == 0 {
		t.Fatal("no difference of a stage that counts otherwise")
	}
	d := found[0]
	if d.What != "changed" || d.Origin != origin(first) || d.Topic.About().Name != "annotations" || string(d.Key) != string(first.Key) || string(d.Then) != string(first.Value) || string(d.Now) == string(d.Then) {
		t.Errorf("the first difference is %+v, want that of %s", d, origin(first))
	}
	for what, keep := range map[string]func(*topics.Annotation) int{
		"lost": func(a *topics.Annotation) int { return int(a.Sample % 2) },
		"new":  func(a *topics.Annotation) int { return 1 + int(a.Sample+1)%2 },
	} {
		found := replay(t, conf, &pipeline.Replay{Stage: repeating(keep), From: from})
		if len(found) == 0 || slices.ContainsFunc(found, func(d pipeline.Difference) bool { return d.What != what || (d.Then == nil) != (what == "new") }) {
			t.Errorf("%d differences, want some, all %s; the first %+v", len(found), what, found[:min(1, len(found))])
		}
	}
}

// repeating says what Count does as often as times wants it.
func repeating(times func(*topics.Annotation) int) pipeline.Node {
	stage := pipelinetest.Count("beats")
	stage.Processor = repeat{stage.Processor, times}
	return pipeline.Stage(stage, topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
}

func givesSome(t *testing.T, conf kafka.Config, day time.Time) {
	want := map[string]int{}
	for _, said := range spoke(t, conf) {
		for _, r := range said {
			if k := string(r.Key); k == "p3" || k == "p4" {
				want[k+" "+origin(r).String()+" "+string(r.Value)]++
			}
		}
	}
	r := pipeline.Replay{
		Patients: []topics.Key{"p3", "p4"},
		Say: func(topic topics.Any, r topics.Record[proto.Message]) error {
			b, err := topic.Encode(nil, r.Value)
			want[string(r.Key)+" "+r.Origin.String()+" "+string(b)]--
			if r.Time.Before(day) || r.Time.After(day.Add(3*time.Hour)) {
				t.Errorf("of %s", r.Time)
			}
			return err
		},
	}
	if found := replay(t, conf, &r); len(found) != 0 {
		t.Errorf("%d differences", len(found))
	}
	if len(want) == 0 || r.Progress().Said != int64(len(want)) {
		t.Errorf("%d said, want %d", r.Progress().Said, len(want))
	}
	for k, n := range want {
		if n != 0 {
			t.Fatalf("%q is given %d times too few", k, n)
		}
	}
}

func writesInto(t *testing.T, conf kafka.Config) {
	for _, name := range []string{conf.Site + ".annotations", conf.Site + ".mine", "west.chart", "west.beats-changelog", "__consumer_offsets", "a/b"} {
		r := pipeline.Replay{Kafka: conf, Log: testLog(t), Stage: countNode(), Into: name}
		if err := r.Run(context.Background()); err == nil {
			t.Errorf("writes into %q", name)
		}
	}
	before := spoke(t, conf)
	for range 2 { // made, and found
		replay(t, conf, &pipeline.Replay{Into: "study.beats", From: &pipeline.Point{Partition: 2, Offset: 1000}, To: &pipeline.Point{Partition: 2, Offset: 5500}})
	}
	var want, got []string
	for _, r := range before[2] {
		if o := origin(r); o.Offset >= 1000 && o.Offset < 5500 {
			want = append(want, string(r.Key)+o.String()+string(r.Value))
		}
	}
	err := kafka.ReadRange(context.Background(), conf, testLog(t), "study.beats", map[int32]int64{2: 0}, nil, func(r *kgo.Record) error {
		got = append(got, string(r.Key)+origin(r).String()+string(r.Value))
		return nil
	})
	if err != nil || len(want) == 0 || !slices.Equal(got, slices.Concat(want, want)) {
		t.Errorf("%d records and %v, want twice the same %d", len(got), err, len(want))
	}
	if after := spoke(t, conf); len(after[2]) != len(before[2]) {
		t.Error("a replay wrote to the site")
	}
	cl := pipelinetest.Client(t, conf)
	if _, err := kadm.NewClient(cl).CreateTopic(context.Background(), conf.Partitions+1, 1, nil, "study.other"); err != nil {
		t.Fatal(err)
	}
	r := pipeline.Replay{Kafka: conf, Log: testLog(t), Stage: countNode(), Into: "study.other"}
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "partitions") {
		t.Errorf("into a topic of other partitions: %v", err)
	}
	tiny := "20"
	if _, err := kadm.NewClient(cl).CreateTopic(context.Background(), conf.Partitions, 1, map[string]*string{"max.message.bytes": &tiny}, "study.tiny"); err != nil {
		t.Fatal(err)
	}
	r = pipeline.Replay{Kafka: conf, Log: testLog(t), Stage: countNode(), Into: "study.tiny", From: &pipeline.Point{}, To: &pipeline.Point{Offset: 1}}
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "write to study.tiny") {
		t.Errorf("into a topic that takes nothing: %v", err)
	}
	groups, err := kadm.NewClient(cl).ListGroups(context.Background())
	if err != nil || len(groups) != 1 {
		t.Errorf("groups %v, %v; want that of the stage alone", groups.Groups(), err)
	}
}

func refusesPlaces(t *testing.T, conf kafka.Config, day time.Time) {
	for why, r := range map[string]*pipeline.Replay{
		"no partition 9": {From: &pipeline.Point{Partition: 9}},
		"is behind it":   {From: &pipeline.Point{Offset: 1 << 40}},
		"is before it":   {From: &pipeline.Point{Offset: -1}},
		"nothing stands": {From: at(day, 20_000)},
	} {
		r.Kafka, r.Log, r.Stage = conf, testLog(t), countNode()
		if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want: %s", err, why)
		}
	}
	r := pipeline.Replay{Kafka: conf, Log: testLog(t), Stage: pipeline.Clock(topics.Frames)}
	if err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "no stage") {
		t.Errorf("a clock is replayed: %v", err)
	}
}

func paces(t *testing.T, conf kafka.Config, day time.Time) {
	began := time.Now()
	replay(t, conf, &pipeline.Replay{From: at(day, 6000), To: at(day, 6101), Speed: 100})
	if took := time.Since(began); took < time.Second || took > 15*time.Second {
		t.Errorf("100 s at a hundred times their speed took %s", took)
	}
}

// findsDoubles writes what was said a second time, as no stage may.
func findsDoubles(t *testing.T, conf kafka.Config) {
	cl := pipelinetest.Client(t, conf)
	said := spoke(t, conf)[0]
	again := *said[len(said)/2]
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: again.Topic, Key: again.Key, Value: again.Value, Headers: again.Headers}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	found := replay(t, conf, &pipeline.Replay{})
	if len(found) != 1 || found[0].What != "doubled" || found[0].Origin != origin(&again) {
		t.Errorf("%+v, want %s doubled", found, origin(&again))
	}
}

type repeat struct {
	stages.Processor[pipelinetest.CountState, *topics.Frame, *topics.Annotation]
	times func(*topics.Annotation) int
}

func (r repeat) Process(s *pipelinetest.CountState, rec topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	return r.Processor.Process(s, rec, func(a *topics.Annotation) {
		for range r.times(a) {
			emit(a)
		}
	})
}
