package chaos_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/test/chaos"
	"heartwire/topics"
)

const partition, epoch = 2, 7

// ward is a minute of two patients, one of whom has an asystole: what their
// patches sent, and the log as it stands when nothing went wrong.
func ward(t *testing.T) (sent []patch.Entry, log chaos.Log) {
	t.Helper()
	log = chaos.Log{}
	var frames []*topics.Frame
	for i, script := range []string{"20s sinus 70; 10s asystole; sinus 75", "sinus 150"} {
		s, err := patch.Parse(script)
		if err != nil {
			t.Fatal(err)
		}
		conf := patch.SynthConfig{Script: s, Rate: 250, Leads: []string{"II"}, MicrovoltsPerCount: 5, Seed: uint64(i)}
		synth, err := patch.NewSynth(conf)
		if err != nil {
			t.Fatal(err)
		}
		for n := range uint64(120) {
			var b patch.Block
			if err := synth.Read(&b, 125); err != nil {
				t.Fatal(err)
			}
			lead := &topics.Lead{Name: "II", MicrovoltsPerCount: 5}
			for k, v := range b.Counts[0] {
				if k > 0 {
					lead.Deltas = append(lead.Deltas, v-b.Counts[0][k-1])
				} else {
					lead.Deltas = append(lead.Deltas, v)
				}
			}
			at := int64(1_800_000_000_000_000) + int64(n)*500_000
			run := &topics.Samples{Device: patch.DeviceName(i), Boot: 1, First: 125 * n, Count: 125, Rate: 250,
				Leads: []*topics.Lead{lead}, TimeUs: at, ArrivalUs: at + 600_000}
			frames = append(frames, &topics.Frame{Patient: fmt.Sprint("p", i), Kind: &topics.Frame_Samples{Samples: run}})
			sent = append(sent, patch.Entry{Device: run.Device, Boot: 1, First: run.First, Count: 125,
				Digest: patch.Digest(run.Leads), Fate: patch.Delivered})
		}
	}
	slices.SortStableFunc(frames, func(a, b *topics.Frame) int {
		return int(a.GetSamples().ArrivalUs - b.GetSamples().ArrivalUs)
	})
	ticked := driver.Ticks(func(yield func(*topics.Frame, error) bool) {
		for _, f := range frames {
			if !yield(f, nil) {
				return
			}
		}
	}, 5*time.Second)
	for r, err := range ticked {
		if err != nil {
			t.Fatal(err)
		}
		write(t, log, topics.Frames, r.Value, topics.Origin{Source: "bridge", Offset: r.Offset})
	}
	say(t, log, beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations)
	say(t, log, rhythm.Stage(), topics.Annotations, topics.Charts)
	say(t, log, alarms.Stage(), topics.Charts, topics.Alarms)
	return sent, log
}

// write appends a record to the log; offsets have holes, as transactions leave them.
func write[T proto.Message](t *testing.T, log chaos.Log, topic topics.Topic[T], v T, origin topics.Origin) {
	t.Helper()
	r, err := kafka.Encode("heartwire", topic, 4, v, origin)
	if err != nil {
		t.Fatal(err)
	}
	if log[topic.Name] == nil {
		log[topic.Name] = map[int32][]*kgo.Record{}
	}
	r.Partition = partition
	r.Offset = int64(3 * len(log[topic.Name][partition]))
	log[topic.Name][partition] = append(log[topic.Name][partition], r)
}

// say writes what a stage says of the log.
func say[S any, PS stages.State[S], In, Out proto.Message](t *testing.T, log chaos.Log, stage stages.Stage[S, In, Out], in topics.Topic[In], out topics.Topic[Out]) {
	t.Helper()
	var records iter.Seq2[topics.Record[In], error] = func(yield func(topics.Record[In], error) bool) {
		for _, r := range log[in.Name][partition] {
			if !yield(kafka.Decode(in, r)) {
				return
			}
		}
	}
	for r, err := range driver.Fold[S, PS](stage, in, out, records) {
		if err != nil {
			t.Fatal(err)
		}
		r.Origin.Partition, r.Origin.Epoch = partition, epoch
		write(t, log, out, r.Value, r.Origin)
	}
}

func TestALogWithoutFaultsSettles(t *testing.T) {
	sent, log := ward(t)
	got := chaos.Settle(sent, log)
	if len(got.Problems) > 0 || got.Samples != 2*60*250 || got.Repeats != 0 || got.Said < 500 {
		t.Errorf("%+v", got)
	}
	raised := 0
	for _, r := range log[topics.Alarms.Name][partition] {
		if len(r.Key) > 0 {
			raised++
		}
	}
	if raised < 3 {
		t.Errorf("only %d changes of alarms: the log holds too little to be broken", raised)
	}
}

// Each way in which a log can be wrong is found, in each topic, and called by its name.
func TestTheLedgerSeesEachFault(t *testing.T) {
	for _, c := range []struct {
		want string
		harm func(records []*kgo.Record, i int) []*kgo.Record
	}{
		{chaos.Lost, func(r []*kgo.Record, i int) []*kgo.Record { return slices.Delete(r, i, i+1) }},
		{chaos.Doubled, func(r []*kgo.Record, i int) []*kgo.Record {
			again := *r[i]
			again.Offset++
			return slices.Insert(r, i+1, &again)
		}},
		{chaos.Changed, func(r []*kgo.Record, i int) []*kgo.Record {
			// A field that no version knows is enough.
			r[i].Value = append(slices.Clone(r[i].Value), 0xf8, 0x7f, 1)
			return r
		}},
		{chaos.Unfounded, func(r []*kgo.Record, i int) []*kgo.Record {
			other := *r[i]
			other.Offset++
			o := kafka.Envelope[struct{}](r[i]).Origin
			o.Index += 1000
			other.Headers = []kgo.RecordHeader{{Key: topics.HeaderOrigin, Value: o.Append(nil)}}
			return slices.Insert(r, i+1, &other)
		}},
		{chaos.Disordered, func(r []*kgo.Record, i int) []*kgo.Record {
			r[i], r[i-1] = r[i-1], r[i]
			return r
		}},
	} {
		for _, topic := range []string{topics.Annotations.Name, topics.Charts.Name, topics.Alarms.Name} {
			t.Run(c.want+"/"+topic, func(t *testing.T) {
				sent, log := ward(t)
				records := log[topic][partition]
				i := slices.IndexFunc(records[len(records)/2:], func(r *kgo.Record) bool { return len(r.Key) > 0 }) + len(records)/2
				log[topic][partition] = c.harm(records, i)
				got := chaos.Settle(sent, log)
				if !slices.ContainsFunc(got.Problems, func(p chaos.Problem) bool { return p.What == c.want && p.Where == topic }) {
					t.Errorf("not seen; problems: %v", got.Problems)
				}
			})
		}
	}
}

func TestTheLedgerSeesSamplesThatAreGone(t *testing.T) {
	sent, log := ward(t)
	frames := log[topics.Frames.Name][partition]
	i := slices.IndexFunc(frames[100:], func(r *kgo.Record) bool { return len(r.Key) > 0 }) + 100
	run, _, _ := chaos.RunOf(frames[i])
	log[topics.Frames.Name][partition] = slices.Insert(slices.Clone(frames), i, frames[i])
	if got := chaos.Settle(sent, log); got.Repeats != 1 || got.Samples != 2*60*250 {
		t.Errorf("a repeat in frames: %d repeats, %d samples", got.Repeats, got.Samples)
	}
	log[topics.Frames.Name][partition] = slices.Delete(slices.Clone(frames), i, i+1)
	got := chaos.Settle(sent, log)
	want := chaos.Problem{What: chaos.Lost, Where: topics.Frames.Name, Place: run.String()}
	if !slices.Contains(got.Problems, want) || got.Samples != 2*60*250-125 {
		t.Errorf("a frame is gone: %v, %d samples", got.Problems, got.Samples)
	}
	for k := range sent {
		if sent[k].First == run.First && sent[k].Device == run.Device {
			sent[k].Fate = patch.Unknown // nobody was told that it is safe
		}
	}
	if got := chaos.Settle(sent, log); slices.Contains(got.Problems, want) {
		t.Error("a frame that was never acknowledged is called lost")
	}
	sent[0].Digest[0]++
	if got := chaos.Settle(sent, log); got.Count(chaos.Changed) == 0 {
		t.Error("other samples than were sent are not seen")
	}
}

// What is still to come is not called lost.
func TestTheLedgerEndsWithTheLastTick(t *testing.T) {
	sent, log := ward(t)
	said := log[topics.Alarms.Name][partition]
	log[topics.Alarms.Name][partition] = said[:len(said)/2]
	if got := chaos.Settle(sent, log); len(got.Problems) > 0 {
		t.Errorf("a stage that is behind: %v", got.Problems)
	}
}
