// Package chaos is the fault suite: Heartwire as a hospital runs it, each part
// a process of its own on real servers, while processes and brokers die, stall
// and lose each other. After each fault one ledger is settled: every sample
// that a patch was told is safe stands in the log, each request has its answer,
// time rises tick by tick, and what stages said is, record by record, what the
// same stages say when they are folded over the log that stands there, in one go
// and without a broker.
package chaos

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

// Log is what stands committed in topics, by name without the site and by
// partition, in the order of the offsets.
type Log map[string]map[int32][]*kgo.Record

// What is wrong with a record.
const (
	Lost       = "lost"       // it ought to stand in the log
	Doubled    = "doubled"    // it stands there again
	Changed    = "changed"    // it stands there with other content
	Unfounded  = "unfounded"  // it stands there and nothing gave rise to it
	Disordered = "disordered" // it stands there before what came first
	Condemned  = "condemned"  // a stage could not fold it
)

// Problem is one record of the log that is not as it ought to be.
type Problem struct {
	What  string
	Where string // the topic
	Place string // the run of samples, or the Origin
}

// Tally is what a settled ledger amounts to.
type Tally struct {
	Samples  int // of each lead, that patches were told are safe, and that stand in frames
	Repeats  int // frames that stand there more than once, as the bridge may write them
	Said     int // records of stages that were held against the fold
	Answers  int // those of them that the registry said
	Owners   int // of time: how often a clock took over a partition from another
	Ignored  int // ticks that move nothing: of a clock that was replaced, or repeated
	Problems []Problem
}

// Count is the number of problems of a kind.
func (t Tally) Count(what string) (n int) {
	for _, p := range t.Problems {
		if p.What == what {
			n++
		}
	}
	return n
}

func (t *Tally) add(what, where, place string) {
	t.Problems = append(t.Problems, Problem{what, where, place})
}

// Given is what went into the log, as those know it who put it there.
type Given struct {
	SiteKey    []byte
	Partitions int32 // of patient topics
	Sent       []patch.Entry
	Asked      []string // ids of requests that stand in the log
}

// Settle holds a log against what was given and what stages say of it.
func Settle(given Given, log Log) Tally {
	var t Tally
	t.samples(given.Sent, log)
	t.answers(given, log)
	for _, topic := range []topics.Any{topics.Frames, topics.Requests} {
		t.ticks(topic, log)
	}
	retell(&t, log, beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations)
	retell(&t, log, rhythm.Stage(), topics.Annotations, topics.Charts)
	retell(&t, log, alarms.Stage(), topics.Charts, topics.Alarms)
	for p, records := range log[topics.Rejects.Name] {
		for _, r := range records {
			t.add(Condemned, topics.Rejects.Name, fmt.Sprintf("%d/%d", p, r.Offset))
		}
	}
	return t
}

// Run names the samples of one frame.
type Run struct {
	Device      string
	Boot, First uint64
}

func (r Run) String() string { return fmt.Sprintf("%s/%d/%d", r.Device, r.Boot, r.First) }

// RunOf is the run of samples in a record of frames; false where it holds none.
func RunOf(r *kgo.Record) (Run, *topics.Samples, bool) {
	f, err := topics.Frames.DecodeValue(r.Value)
	if err != nil || f.GetSamples() == nil {
		return Run{}, nil, false
	}
	s := f.GetSamples()
	return Run{s.Device, s.Boot, s.First}, s, true
}

// samples wants each frame that was delivered in the log, with its own content.
func (t *Tally) samples(sent []patch.Entry, log Log) {
	type frame struct {
		count  int
		digest [32]byte
	}
	in := map[Run]frame{}
	for _, records := range log[topics.Frames.Name] {
		for _, r := range records {
			run, s, ok := RunOf(r)
			if !ok {
				continue
			}
			f := frame{int(s.Count), patch.Digest(s.Leads)}
			switch before, again := in[run]; {
			case again && before != f:
				t.add(Changed, topics.Frames.Name, run.String())
			case again:
				t.Repeats++
			}
			in[run] = f
		}
	}
	for _, e := range sent {
		if e.Fate != patch.Delivered {
			continue
		}
		run := Run{e.Device, e.Boot, e.First}
		f, ok := in[run]
		switch {
		case !ok:
			t.add(Lost, topics.Frames.Name, run.String())
		case f != frame{e.Count, e.Digest}:
			t.add(Changed, topics.Frames.Name, run.String())
		default:
			t.Samples += e.Count
		}
	}
}

// record is one that a stage says: what names it on every replay, and its bytes.
type record struct {
	key    topics.Key
	origin topics.Origin
	value  []byte
}

// retell folds each partition of in that a stage has read and holds what that
// says, in order, against what the stage said into out. It has read up to the
// last tick that it passed on: of the time before nothing comes later.
func retell[S any, PS stages.State[S], In, Out proto.Message](
	t *Tally, log Log, stage stages.Stage[S, In, Out], in topics.Topic[In], out topics.Topic[Out],
) {
	for p, input := range log[in.Name] {
		said, last := sayings(log[out.Name][p], in.Name)
		from := topics.Origin{Source: in.Name, Partition: p}
		if len(said) > 0 {
			from.Epoch = said[0].origin.Epoch // of a topic that has been made once
		}
		var told []record
		for r, err := range driver.Fold[S, PS](stage, in, out, decoded(in, input, last)) {
			if err != nil {
				t.add(Condemned, in.Name, err.Error())
				continue
			}
			value, err := out.Append(nil, r.Value)
			if err != nil {
				t.add(Condemned, in.Name, err.Error())
				continue
			}
			from.Offset, from.Index = r.Origin.Offset, r.Origin.Index
			told = append(told, record{r.Key, from, value})
		}
		t.compare(out.Name, said, told, last)
	}
}

// sayings are the records that a stage made of topic in, without those of
// other writers, and the offset in it of the last tick that it passed on.
func sayings(records []*kgo.Record, in string) (said []record, last int64) {
	last = -1
	for _, r := range records {
		e := kafka.Envelope[struct{}](r)
		if e.Origin.Source != in {
			continue
		}
		said = append(said, record{e.Key, e.Origin, r.Value})
		if e.Key == "" { // as ticks alone have none
			last = e.Origin.Offset
		}
	}
	return said, last
}

// decoded are the records of a partition up to an offset.
func decoded[In proto.Message](in topics.Topic[In], records []*kgo.Record, last int64) iter.Seq2[topics.Record[In], error] {
	return func(yield func(topics.Record[In], error) bool) {
		for _, r := range records {
			if r.Offset > last || !yield(kafka.Decode(in, r)) {
				return
			}
		}
	}
}

// compare finds each record that was said and not told, and the other way round.
func (t *Tally) compare(topic string, said, told []record, last int64) {
	type telling struct {
		n     int // in order
		value []byte
	}
	left := map[string]telling{}
	name := func(r record) string { return string(r.key) + " " + r.origin.String() }
	for i, r := range told {
		left[name(r)] = telling{i, r.value}
	}
	seen, next := map[string]bool{}, 0
	for _, r := range said {
		id := name(r)
		place := r.origin.String()
		if seen[id] {
			t.add(Doubled, topic, place)
			continue
		}
		seen[id] = true
		if r.origin.Offset > last {
			continue // more of it is to come
		}
		t.Said++
		ought, ok := left[id]
		switch {
		case !ok:
			t.add(Unfounded, topic, place)
			continue
		case !bytes.Equal(ought.value, r.value):
			t.add(Changed, topic, place)
		case ought.n < next:
			t.add(Disordered, topic, place)
		}
		next = ought.n + 1
		delete(left, id)
	}
	for _, r := range told {
		if _, ok := left[name(r)]; ok {
			t.add(Lost, topic, r.origin.String())
		}
	}
}
