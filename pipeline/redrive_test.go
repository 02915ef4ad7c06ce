package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages"
	"heartwire/topics"
)

// mended is Count as a later build might be: it folds what Count failed on.
type mended struct {
	stages.Processor[pipelinetest.CountState, *topics.Frame, *topics.Annotation]
}

func (m mended) Process(s *pipelinetest.CountState, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	r.Value.GetSamples().Device = "d"
	return m.Processor.Process(s, r, emit)
}

func mendedNode() pipeline.Node {
	stage := pipelinetest.Count("beats")
	stage.Processor = mended{stage.Processor}
	return pipeline.Stage(stage, topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
}

// put writes values of a topic.
func put[T proto.Message](t *testing.T, conf kafka.Config, topic topics.Topic[T], values ...T) {
	t.Helper()
	cl := pipelinetest.Client(t, conf)
	for _, v := range values {
		r, err := kafka.Encode(conf.Site, topic, conf.Partitions, v, topics.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func sample(device string, first uint64) *topics.Frame {
	return &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: first}}}
}

// all of a topic, in any order of keys.
func all[T proto.Message](t *testing.T, conf kafka.Config, topic topics.Topic[T]) (list []topics.Record[T]) {
	t.Helper()
	for _, of := range committed(t, conf, topic) {
		list = append(list, of...)
	}
	return list
}

func every(topics.Record[*topics.Reject]) bool { return true }

func noBridge(*topics.Reject) (*topics.Frame, error) { return nil, errors.New("no bridge here") }

// drive redrives what is wanted, and says what became of each: the topic, or why not.
func drive(t *testing.T, conf kafka.Config, r pipeline.Redrive) (fates []string) {
	t.Helper()
	if r.Want == nil {
		r.Want = every
	}
	if r.Frame == nil {
		r.Frame = noBridge
	}
	list, err := r.Run(context.Background(), conf, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Err != nil {
			fates = append(fates, v.Err.Error())
		} else {
			fates = append(fates, v.Topic)
		}
	}
	return fates
}

func wantFates(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rejects: %q, want %d", len(got), got, len(want))
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			t.Errorf("reject %d: %q, want %q", i, got[i], w)
		}
	}
}

// redrivesPoison takes back what a stage failed on once a build folds it.
func redrivesPoison(t *testing.T, conf kafka.Config) {
	put(t, conf, topics.Frames, sample("d", 0), sample(pipelinetest.Poison, 7), sample("d", 1))
	stop := start(t, conf, "1", countNode())
	said(t, conf, 1, 2)
	stop()
	wantFates(t, drive(t, conf, pipeline.Redrive{Dry: true}), "frames")
	if n := len(all(t, conf, topics.Frames)); n != 3 {
		t.Fatalf("a dry run leaves %d frames, want 3", n)
	}
	before := time.Now().UnixMicro()
	wantFates(t, drive(t, conf, pipeline.Redrive{}), "frames")
	stop = start(t, conf, "1", mendedNode())
	eventually(t, "the frame is folded", func() bool { return len(all(t, conf, topics.Annotations)) == 3 })
	stop()

	frames := all(t, conf, topics.Frames)
	if len(frames) != 4 {
		t.Fatalf("%d frames, want 4", len(frames))
	}
	back := frames[3]
	if o := back.Origin; o.Source != "rejects" || o.Offset != 0 || o.Partition != topics.Partition("p0", conf.Partitions) || o.Epoch == 0 {
		t.Errorf("its origin is %s, want the place of the reject", o)
	}
	if s := back.Value.GetSamples(); back.Key != "p0" || s.GetFirst() != 7 || s.GetArrivalUs() < before {
		t.Errorf("what went back is %v under %q", s, string(back.Key))
	}
	if folded := all(t, conf, topics.Annotations)[2]; folded.Value.GetSample() != 3 || folded.Origin.Offset != back.Offset {
		t.Errorf("it is folded as %v of %s", folded.Value, folded.Origin)
	}
	wantFates(t, drive(t, conf, pipeline.Redrive{}), "--again")
	if n := len(all(t, conf, topics.Frames)); n != 4 {
		t.Errorf("it was redriven twice: %d frames", n)
	}
	wantFates(t, drive(t, conf, pipeline.Redrive{Again: true}), "frames")
	// A transaction has ended before every partition shows it.
	eventually(t, "with Again there are 5 frames", func() bool { return len(all(t, conf, topics.Frames)) == 5 })
}

func TestPoisonIsRedrivenOnce(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	redrivesPoison(t, conf)
}

func encoded(t *testing.T, v proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsTakenBackAndWhatIsNot(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	var rejects []*topics.Reject
	var want []string
	reject := func(source, origin, key string, original []byte, fate string) {
		if origin != "" {
			origin = fmt.Sprintf("%s/0/1/%d/0", origin, len(want))
		}
		rejects = append(rejects, &topics.Reject{
			Key: key, Reason: "unfoldable", Source: source, Origin: origin, Original: original, Size: uint64(len(original)), TimeUs: int64(len(want) + 1),
		})
		want = append(want, fate)
	}
	frame := encoded(t, sample("d", 1))
	ask := encoded(t, &topics.Request{Site: conf.Site, Id: "q1", Kind: &topics.Request_Unbind{Unbind: &topics.Unbind{Device: "d"}}})
	reject("beats", "frames", "p0", frame, "frames")
	reject("registry", "requests", conf.Site, ask, "requests")
	reject("heartwire/v1/d/frames", "", "d", []byte("a frame of a bridge"), "frames")
	reject("heartwire/v1/d/frames", "", "d", []byte("no frame"), "not this one")
	reject("rhythm", "annotations", "p0", encoded(t, &topics.Annotation{Patient: "p0"}), "heartwire replay")
	reject("alarms", "chart", "p0", encoded(t, &topics.Chart{Patient: "p0"}), "heartwire replay")
	reject("influx", "frames", "p0", frame, "others have read it")
	reject("beats", "frames", "p0", []byte{0xff, 1, 2}, "cannot read it either")
	reject("beats", "frames", "", encoded(t, topics.Frames.Wrap(&topics.Tick{N: 1})), "no samples")
	reject("beats", "frames", "p0", encoded(t, &topics.Frame{Patient: "p0", Kind: &topics.Frame_Binding{Binding: &topics.Binding{Device: "d"}}}), "no samples")
	reject("beats", "frames", "p1", frame, "another key")
	reject("registry", "requests", "", encoded(t, topics.Requests.Wrap(&topics.Tick{N: 1})), "tick")
	reject("beats", "frames", "p0", nil, "0 of its 0 bytes")
	reject("beats", "frames", "p0", frame, "of its 70000 bytes")
	rejects[len(rejects)-1].Size = 70000
	put(t, conf, topics.Rejects, rejects...)

	read := func(r *topics.Reject) (*topics.Frame, error) {
		if string(r.Original) != "a frame of a bridge" {
			return nil, errors.New("not this one")
		}
		return sample("d", 2), nil
	}
	before := time.Now().UnixMicro()
	wantFates(t, drive(t, conf, pipeline.Redrive{Frame: read}), want...)
	frames := all(t, conf, topics.Frames)
	if len(frames) != 2 {
		t.Errorf("%d frames were written, want 2", len(frames))
	}
	for _, f := range frames {
		if at := f.Value.GetSamples().GetArrivalUs(); at < before {
			t.Errorf("a frame arrived at %d, before it was redriven", at)
		}
	}
	asked := all(t, conf, topics.Requests)
	if len(asked) != 1 || asked[0].Value.GetId() != "q1" || string(asked[0].Key) != conf.Site || asked[0].Origin.Source != "rejects" {
		t.Errorf("the requests are %v", asked)
	}
	notes := 0
	for _, r := range all(t, conf, topics.Rejects) {
		if _, is := pipeline.RedriveOf(r.Value); is {
			notes++
		}
	}
	if notes != 3 {
		t.Errorf("%d notes, want 3", notes)
	}
}

// Of two that redrive at a time, one does, and the other fails or sees it.
func TestTwoDoNotRedriveTheSame(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	put(t, conf, topics.Rejects, &topics.Reject{
		Key: "p0", Reason: "unfoldable", Source: "beats", Origin: "frames/0/1/5/0", Original: encoded(t, sample("d", 1)), Size: uint64(len(encoded(t, sample("d", 1)))),
	})
	inner := false
	_, err := pipeline.Redrive{Frame: noBridge, Want: func(topics.Record[*topics.Reject]) bool {
		if !inner {
			inner = true
			wantFates(t, drive(t, conf, pipeline.Redrive{}), "frames")
		}
		return true
	}}.Run(context.Background(), conf, testLog(t))
	if err == nil {
		t.Error("both have redriven it")
	}
	if n := len(all(t, conf, topics.Frames)); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
}

// What cannot be written leaves nothing behind: no frame and no note.
func TestARedriveIsAllOrNothing(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	size := 10
	for i := range 3 {
		put(t, conf, topics.Rejects, &topics.Reject{
			Key: "d", Reason: "undecodable", Source: "heartwire/v1/d/frames", Original: []byte("x"), Size: 1, TimeUs: int64(i),
		})
	}
	read := func(r *topics.Reject) (*topics.Frame, error) {
		f := sample("d", uint64(r.TimeUs))
		if r.TimeUs == 1 {
			f.GetSamples().Missing = make([]byte, size)
		}
		return f, nil
	}
	size = 3 << 20 // more than a record may have
	if _, err := (pipeline.Redrive{Want: every, Frame: read}).Run(context.Background(), conf, testLog(t)); err == nil {
		t.Fatal("nothing was refused")
	}
	if frames, rejects := len(all(t, conf, topics.Frames)), len(all(t, conf, topics.Rejects)); frames != 0 || rejects != 3 {
		t.Errorf("%d frames and %d records in rejects, want 0 and 3", frames, rejects)
	}
	size = 10
	wantFates(t, drive(t, conf, pipeline.Redrive{Frame: read}), "frames", "frames", "frames")
}
