package pipeline

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/stages"
	"heartwire/topics"
)

// part is one partition of a stage, from Kafka records to Kafka records, its
// types inside. The runner puts transactions around it, a replay does not.
type part interface {
	// Read folds a record and appends to out what that made the stage say,
	// the tick passed on, and what was rejected. ticked says that time moved.
	// An error means that the partition is of no more use.
	Read(r *kgo.Record, out []*kgo.Record) (_ []*kgo.Record, ticked bool, err error)
	// Overtaken tells the stage that the log has forgotten lost records
	// before the offset first.
	Overtaken(first, lost int64, out []*kgo.Record) ([]*kgo.Record, error)
	// Keep gives the records of the checkpoints that are due, for a commit.
	Keep(build string, each func(*kgo.Record)) error

	Restore(newest fold.Newest, next int64) (from int64, err error)
	Rewind(from int64)
	Restored()
	Commit()
	Rollback() error
	Clock() fold.Clock
	Len() int
	State(key topics.Key) (any, bool)
}

// plan is a stage as a value: what it reads and says, and how to make a part of it.
type plan struct {
	name        string
	version     uint32 // of the states' encoding
	in          topics.Any
	checkpoints topics.Checkpoints
	outs        []topics.Any
	// open makes an empty part of partition p of incarnation epoch of the
	// stage's input; rejected hears of each record that is rejected.
	open func(conf kafka.Config, epoch int64, p int32, rejected func(reason string, origin topics.Origin)) part
}

// open is plan.open for the types of one stage.
func open[S any, PS stages.State[S], In, Out proto.Message](stage stages.Stage[S, In, Out], in topics.Topic[In], keep topics.Checkpoints, outs []topics.Any) func(kafka.Config, int64, int32, func(string, topics.Origin)) part {
	return func(conf kafka.Config, epoch int64, p int32, rejected func(string, topics.Origin)) part {
		return &partOf[S, PS, In, Out]{
			fold: fold.New[S, PS](stage, in, epoch, p), stage: stage.Name, in: in, decode: in.DecodeValue, keep: keep, outs: outs,
			conf: conf, epoch: epoch, index: p, rejected: rejected,
		}
	}
}

type partOf[S any, PS stages.State[S], In, Out proto.Message] struct {
	fold     *fold.Partition[S, PS, In, Out]
	stage    string
	in       topics.Topic[In]
	decode   func([]byte) (In, error) // in's, without a copy of in a record
	keep     topics.Checkpoints
	outs     []topics.Any
	conf     kafka.Config
	epoch    int64
	index    int32
	rejected func(reason string, origin topics.Origin)
}

func (p *partOf[S, PS, In, Out]) Read(r *kgo.Record, out []*kgo.Record) (_ []*kgo.Record, ticked bool, err error) {
	var rec topics.Record[In] // not p's: it would keep the answer alive that it came in
	key, source := p.fold.Key(r.Key)
	kafka.Open(r, key, source, &rec)
	if rec.Value, err = p.decode(r.Value); err != nil {
		err = kafka.At(r, err)
		return append(out, p.reject(rec.Key, r.Value, p.origin(r.Offset), r.Timestamp, "undecodable", err, nil)), false, nil
	}
	before := p.fold.Clock().N
	if err := p.fold.Fold(rec); err != nil {
		return out, false, err
	}
	if out, err = p.take(out); err != nil {
		return out, false, err
	}
	if p.in.Tick == nil || len(p.outs) == 0 {
		return out, false, nil
	}
	if tick := p.in.Tick(rec.Value); tick != nil {
		ticked = p.fold.Clock().N != before
		out, err = p.forward(tick, r.Offset, out)
	}
	return out, ticked, err
}

func (p *partOf[S, PS, In, Out]) Overtaken(first, lost int64, out []*kgo.Record) ([]*kgo.Record, error) {
	if err := p.fold.Overtaken(first, lost); err != nil {
		return out, err
	}
	return p.take(out)
}

// origin names an input record.
func (p *partOf[S, PS, In, Out]) origin(offset int64) topics.Origin {
	return topics.Origin{Source: p.in.Name, Partition: p.index, Epoch: p.epoch, Offset: offset}
}

// take encodes what the stage has just said.
func (p *partOf[S, PS, In, Out]) take(out []*kgo.Record) ([]*kgo.Record, error) {
	said, bad := p.fold.Take()
	for _, v := range said {
		r, err := p.encode(v.Value, v.Origin)
		if err != nil {
			return out, err
		}
		out = append(out, r)
		if topics.Alarms.Holds(v.Value) {
			// A commit that holds an alarm also holds its key's state.
			p.fold.Due(topics.Key(r.Key))
		}
	}
	for _, b := range bad {
		out = append(out, p.reject(b.Record.Key, b.Record.Raw, p.origin(b.Record.Offset), b.Record.Time, "unfoldable", b.Err, b.Stack))
	}
	return out, nil
}

// encode makes the record of a value in whichever topic holds its type.
func (p *partOf[S, PS, In, Out]) encode(v proto.Message, origin topics.Origin) (*kgo.Record, error) {
	for _, out := range p.outs {
		if out.Holds(v) {
			return kafka.EncodeAny(p.conf.Site, out, p.conf.Partitions, v, origin)
		}
	}
	return nil, fmt.Errorf("stage %s said a %s, and names no topic for it", p.stage, v.ProtoReflect().Descriptor().Name())
}

// forward passes a tick on: what was said before it in this partition is
// everything that will ever be said of the time before it.
func (p *partOf[S, PS, In, Out]) forward(tick *topics.Tick, offset int64, out []*kgo.Record) ([]*kgo.Record, error) {
	v := p.outs[0].WrapTick(tick)
	if v == nil {
		return out, nil
	}
	r, err := p.encode(v, p.origin(offset))
	if err != nil {
		return out, err
	}
	r.Partition = p.index
	return append(out, r), nil
}

// reject makes the record of what could not be folded. It is a function of its
// input, like all that a part says.
func (p *partOf[S, PS, In, Out]) reject(key topics.Key, original []byte, origin topics.Origin, at time.Time, reason string, cause error, stack []byte) *kgo.Record {
	p.rejected(reason, origin)
	r := &topics.Reject{
		Key: string(key), Reason: reason, Detail: cause.Error(), Source: p.stage,
		Original: original[:min(len(original), 64<<10)], Size: uint64(len(original)),
		TimeUs: at.UnixMicro(), Origin: origin.String(), Stack: string(stack),
	}
	rec, err := kafka.Encode(p.conf.Site, topics.Rejects, p.conf.Partitions, r, origin)
	if err != nil {
		panic(err) // a Reject of these fields always encodes
	}
	return rec
}

func (p *partOf[S, PS, In, Out]) Keep(build string, each func(*kgo.Record)) error {
	return p.fold.Checkpoints(build, func(k fold.Kept) error {
		var value []byte
		headers := []kgo.RecordHeader{{Key: topics.HeaderSchema, Value: []byte(p.keep.Changelog.Header())}}
		if k.Checkpoint != nil {
			var err error
			if value, err = p.keep.Changelog.Append(nil, k.Checkpoint); err != nil {
				return err
			}
		} else {
			headers = append(headers, kgo.RecordHeader{Key: topics.HeaderThrough, Value: strconv.AppendInt(nil, k.Through, 10)})
		}
		record := func(t topics.Spec) *kgo.Record {
			return &kgo.Record{Topic: t.On(p.conf.Site), Partition: p.index, Key: []byte(k.Key), Value: value, Headers: headers}
		}
		each(record(p.keep.Changelog.Spec))
		if k.History {
			each(record(p.keep.History.Spec))
		}
		return nil
	})
}

func (p *partOf[S, PS, In, Out]) Restore(newest fold.Newest, next int64) (int64, error) {
	return p.fold.Restore(newest, next)
}
func (p *partOf[S, PS, In, Out]) Rewind(from int64) { p.fold.Rewind(from) }
func (p *partOf[S, PS, In, Out]) Restored()         { p.fold.Restored() }
func (p *partOf[S, PS, In, Out]) Commit()           { p.fold.Commit() }
func (p *partOf[S, PS, In, Out]) Rollback() error   { return p.fold.Rollback() }
func (p *partOf[S, PS, In, Out]) Clock() fold.Clock { return p.fold.Clock() }
func (p *partOf[S, PS, In, Out]) Len() int          { return p.fold.Len() }

func (p *partOf[S, PS, In, Out]) State(key topics.Key) (any, bool) { return p.fold.State(key) }
