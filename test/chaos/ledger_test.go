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
	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/registry"
	"heartwire/stages/rhythm"
	"heartwire/test/chaos"
	"heartwire/topics"
)

const partitions, partition, epoch = 4, 2, 7

var siteKey = []byte("a key of a site of 32 bytes .....")

// ward is a minute of two patients, one of whom has an asystole, and a registry
// that is asked for something each second: what was given, and the log as it
// stands when nothing went wrong.
func ward(t *testing.T) (given chaos.Given, log chaos.Log) {
	t.Helper()
	log = chaos.Log{}
	given = chaos.Given{SiteKey: siteKey, Partitions: partitions, Asked: ask(t, log)}
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
			given.Sent = append(given.Sent, patch.Entry{Device: run.Device, Boot: 1, First: run.First, Count: 125,
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
		write(t, log, topics.Frames, r.Value, topics.Origin{Source: "bridge", Offset: r.Offset}, partition)
	}
	say(t, log, beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations)
	say(t, log, rhythm.Stage(), topics.Annotations, topics.Charts)
	say(t, log, alarms.Stage(), topics.Charts, topics.Alarms)
	return given, log
}

// ask lets the registry answer a minute of requests of all kinds.
func ask(t *testing.T, log chaos.Log) (asked []string) {
	t.Helper()
	const began = 1_800_000_000_000_000
	for n := range uint64(60) {
		at := int64(began + n*1_000_000)
		q := &topics.Request{Site: "heartwire", Id: fmt.Sprint("r", n), Author: "test", TimeUs: at}
		patient := fmt.Sprint("q", n/4%5)
		switch n % 4 {
		case 0:
			q.Kind = &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: patient, Bed: fmt.Sprint("B", n), Paced: n%8 == 0}}
		case 1, 2:
			q.Kind = &topics.Request_Bind{Bind: &topics.Bind{Device: fmt.Sprint("d", n%3), Patient: patient}}
		case 3:
			q.Kind = &topics.Request_Unbind{Unbind: &topics.Unbind{Device: fmt.Sprint("d", n%5)}}
		}
		if n%8 == 7 { // a limit of the site's, which a tick takes away again
			q.Reason = "policy"
			q.Kind = &topics.Request_PutLayer{PutLayer: &topics.Layer{Of: topics.LayerSite, Limits: []*topics.Limit{
				{Rule: topics.RuleHRHigh, Value: float64(125 + n%8), DurationS: 3, ExpiresUs: at + 3_000_000},
			}}}
		}
		write(t, log, topics.Requests, q, topics.Origin{Source: "ask", Offset: int64(n)}, 0)
		write(t, log, topics.Requests, topics.Requests.Wrap(&topics.Tick{N: n + 1, Owner: 1, ElapsedUs: 1_000_000, WallUs: at}), topics.Origin{Source: "clock"}, 0)
		asked = append(asked, q.Id)
	}
	stage, err := registry.New(registry.Config{SiteKey: siteKey})
	if err != nil {
		t.Fatal(err)
	}
	part := fold.New[registry.State, *registry.State](stage, topics.Requests, epoch, 0)
	for _, kr := range log[topics.Requests.Name][0] {
		r, err := kafka.Decode(topics.Requests, kr)
		if err == nil {
			err = part.Fold(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		said, _ := part.Take()
		for _, s := range said {
			for _, out := range []topics.Any{topics.Settings, topics.Frames, topics.Charts} {
				if !out.Holds(s.Value) {
					continue
				}
				r, err := kafka.EncodeAny("heartwire", out, partitions, s.Value, s.Origin)
				if err != nil {
					t.Fatal(err)
				}
				add(log, out.About().Name, r)
			}
		}
		part.Commit()
	}
	return asked
}

// write appends a record to a partition of the log.
func write[T proto.Message](t *testing.T, log chaos.Log, topic topics.Topic[T], v T, origin topics.Origin, p int32) {
	t.Helper()
	r, err := kafka.Encode("heartwire", topic, partitions, v, origin)
	if err != nil {
		t.Fatal(err)
	}
	r.Partition = p
	add(log, topic.Name, r)
}

// add appends a record to its partition; offsets have holes, as transactions leave them.
func add(log chaos.Log, topic string, r *kgo.Record) {
	if log[topic] == nil {
		log[topic] = map[int32][]*kgo.Record{}
	}
	r.Offset = int64(3 * len(log[topic][r.Partition]))
	log[topic][r.Partition] = append(log[topic][r.Partition], r)
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
		write(t, log, out, r.Value, r.Origin, partition)
	}
}

func TestALogWithoutFaultsSettles(t *testing.T) {
	given, log := ward(t)
	got := chaos.Settle(given, log)
	if len(got.Problems) > 0 || got.Samples != 2*60*250 || got.Repeats != 0 || got.Said < 500 ||
		got.Answers < 150 || got.Owners != 0 || got.Ignored != 0 {
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

// harms are the ways in which the records of a partition can be wrong at one of them.
var harms = []struct {
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
}

// Each way in which a log can be wrong is found, in each topic, and called by its name.
func TestTheLedgerSeesEachFault(t *testing.T) {
	for _, c := range harms {
		for _, topic := range []string{topics.Annotations.Name, topics.Charts.Name, topics.Alarms.Name} {
			t.Run(c.want+"/"+topic, func(t *testing.T) {
				given, log := ward(t)
				records := log[topic][partition]
				i := slices.IndexFunc(records[len(records)/2:], func(r *kgo.Record) bool { return len(r.Key) > 0 }) + len(records)/2
				log[topic][partition] = c.harm(records, i)
				got := chaos.Settle(given, log)
				if !slices.ContainsFunc(got.Problems, func(p chaos.Problem) bool { return p.What == c.want && p.Where == topic }) {
					t.Errorf("not seen; problems: %v", got.Problems)
				}
			})
		}
	}
}

func TestTheLedgerSeesSamplesThatAreGone(t *testing.T) {
	given, log := ward(t)
	frames := log[topics.Frames.Name][partition]
	i := slices.IndexFunc(frames[100:], func(r *kgo.Record) bool { return len(r.Key) > 0 }) + 100
	run, _, _ := chaos.RunOf(frames[i])
	log[topics.Frames.Name][partition] = slices.Insert(slices.Clone(frames), i, frames[i])
	if got := chaos.Settle(given, log); got.Repeats != 1 || got.Samples != 2*60*250 {
		t.Errorf("a repeat in frames: %d repeats, %d samples", got.Repeats, got.Samples)
	}
	log[topics.Frames.Name][partition] = slices.Delete(slices.Clone(frames), i, i+1)
	got := chaos.Settle(given, log)
	want := chaos.Problem{What: chaos.Lost, Where: topics.Frames.Name, Place: run.String()}
	if !slices.Contains(got.Problems, want) || got.Samples != 2*60*250-125 {
		t.Errorf("a frame is gone: %v, %d samples", got.Problems, got.Samples)
	}
	for k, e := range given.Sent {
		if e.First == run.First && e.Device == run.Device {
			given.Sent[k].Fate = patch.Unknown // nobody was told that it is safe
		}
	}
	if got := chaos.Settle(given, log); slices.Contains(got.Problems, want) {
		t.Error("a frame that was never acknowledged is called lost")
	}
	given.Sent[0].Digest[0]++
	if got := chaos.Settle(given, log); got.Count(chaos.Changed) == 0 {
		t.Error("other samples than were sent are not seen")
	}
}

// What is still to come is not called lost.
func TestTheLedgerEndsWithTheLastTick(t *testing.T) {
	given, log := ward(t)
	said := log[topics.Alarms.Name][partition]
	log[topics.Alarms.Name][partition] = said[:len(said)/2]
	if got := chaos.Settle(given, log); len(got.Problems) > 0 {
		t.Errorf("a stage that is behind: %v", got.Problems)
	}
}

// So it is where the registry speaks, in topics with other partitions than its own.
func TestTheLedgerSeesEachFaultOfTheRegistry(t *testing.T) {
	for _, c := range harms {
		for _, topic := range []string{topics.Settings.Name, topics.Frames.Name, topics.Charts.Name} {
			t.Run(c.want+"/"+topic, func(t *testing.T) {
				given, log := ward(t)
				p, records := int32(0), log[topic][0]
				for q, r := range log[topic] {
					if len(r) > len(records) && q != partition {
						p, records = q, r
					}
				}
				if len(records) < 5 {
					t.Fatalf("the registry has said %d records there: too little to be broken", len(records))
				}
				log[topic][p] = c.harm(records, len(records)/2)
				got := chaos.Settle(given, log)
				if !slices.ContainsFunc(got.Problems, func(p chaos.Problem) bool { return p.What == c.want && p.Where == topic }) {
					t.Errorf("not seen; problems: %v", got.Problems)
				}
			})
		}
	}
}

func TestTheLedgerSeesARequestWithoutAnAnswer(t *testing.T) {
	given, log := ward(t)
	given.Asked = append(given.Asked, "r60")
	if got := chaos.Settle(given, log); got.Count(chaos.Lost) != 1 {
		t.Errorf("a request that is not answered: %v", got.Problems)
	}
}

func TestTheLedgerSeesTimeThatDoesNotRiseTickByTick(t *testing.T) {
	for _, c := range []struct {
		name            string
		want            string // empty: all is well
		tick            *topics.Tick
		writer          int64
		owners, ignored int
	}{
		{name: "the next one", tick: &topics.Tick{N: 61, Owner: 1}},
		{name: "a new owner", tick: &topics.Tick{N: 61, Owner: 2}, writer: 2, owners: 1},
		{name: "one that was replaced", tick: &topics.Tick{N: 61, Owner: 0}, writer: 2, ignored: 1},
		{name: "a repeat", tick: &topics.Tick{N: 60, Owner: 1}, ignored: 1},
		{name: "a hole", want: chaos.Lost, tick: &topics.Tick{N: 62, Owner: 1}},
		{name: "a new owner that has not read the last tick", want: chaos.Lost, tick: &topics.Tick{N: 64, Owner: 2}, writer: 2, owners: 1},
		{name: "far ahead", want: chaos.Unfounded, tick: &topics.Tick{N: 90_000, Owner: 1}, ignored: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			given, log := ward(t)
			write(t, log, topics.Requests, topics.Requests.Wrap(c.tick), topics.Origin{Source: "clock"}, 0)
			requests := log[topics.Requests.Name][0]
			requests[len(requests)-1].ProducerID = c.writer
			got := chaos.Settle(given, log)
			if got.Owners != c.owners || got.Ignored != c.ignored || len(got.Problems) != got.Count(c.want) || (len(got.Problems) > 0) != (c.want != "") {
				t.Errorf("%d new owners, %d ignored, problems %v", got.Owners, got.Ignored, got.Problems)
			}
		})
	}
}

func TestTheLedgerSeesTwoClocksAtATime(t *testing.T) {
	given, log := ward(t)
	for i, r := range log[topics.Requests.Name][0] {
		r.ProducerID = int64(1 + i/10%2)
	}
	if got := chaos.Settle(given, log); got.Count(chaos.Disordered) == 0 {
		t.Error("two clocks that take turns as one owner are not seen")
	}
}
