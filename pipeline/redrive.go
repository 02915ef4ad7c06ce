package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Redrive takes rejects back into the flow, after what made them rejects has
// been removed. What it writes, and the note in rejects that it has been
// written, commit together; each record's Origin is the place of its reject.
//
// Only what came from outside is taken back. A frame arrives when it is
// redriven: it is late, so it is folded apart and pages nobody.
type Redrive struct {
	Want  func(topics.Record[*topics.Reject]) bool
	Frame func(*topics.Reject) (*topics.Frame, error) // reads again what a bridge has refused
	Again bool                                        // also what has been redriven before
	Dry   bool                                        // write nothing
}

// Place is where a reject stands.
type Place struct {
	Partition int32
	Offset    int64
}

// String is PARTITION@OFFSET.
func (p Place) String() string { return fmt.Sprintf("%d@%d", p.Partition, p.Offset) }

// Redriven is what became of one reject.
type Redriven struct {
	Place
	Topic string // to which it went, or would
	Err   error  // why it is not taken back
}

// redriven is the reason of the note that a reject was taken back.
const redriven = "redriven"

// RedriveOf reports a record of rejects that is no reject, but the note that
// the one at a place was taken back.
func RedriveOf(r *topics.Reject) (of Place, is bool) {
	if r.GetReason() != redriven {
		return Place{}, false
	}
	o, err := topics.ParseOrigin([]byte(r.GetOrigin()))
	return Place{o.Partition, o.Offset}, err == nil && o.Source == topics.Rejects.Name
}

// Run redrives what is wanted, in the order in which it was rejected. What
// cannot be taken back is left out, and told. An error says that nothing was.
func (r Redrive) Run(ctx context.Context, conf kafka.Config, log *slog.Logger) ([]Redriven, error) {
	cl, err := conf.NewClient(log, kgo.TransactionalID(conf.Site+".redrive"), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if !r.Dry {
		// From here on another one that has begun can commit no more: it
		// fails, or this one sees its notes. None is redriven by both.
		if _, _, err := cl.ProducerID(ctx); err != nil {
			return nil, fmt.Errorf("begin: %w", err)
		}
	}
	epoch, err := incarnation(ctx, cl, topics.Rejects.On(conf.Site))
	if err != nil {
		return nil, err
	}
	rejects, done, err := r.read(ctx, conf, log)
	if err != nil {
		return nil, err
	}
	var out []*kgo.Record
	list := make([]Redriven, 0, len(rejects))
	now := time.Now().UnixMicro()
	for _, reject := range rejects {
		at := Redriven{Place: Place{reject.Partition, reject.Offset}}
		origin := topics.Origin{Source: topics.Rejects.Name, Partition: reject.Partition, Epoch: epoch, Offset: reject.Offset}
		if done[at.Place] && !r.Again {
			at.Err = errors.New("it has been redriven: do so again with --again")
		} else if topic, v, err := r.value(reject.Value, now); err != nil {
			at.Err = err
		} else {
			at.Topic = topic.About().Name
			records, err := redrive(conf, topic, v, reject.Value, origin, now)
			if err != nil {
				return nil, err
			}
			out = append(out, records...)
		}
		list = append(list, at)
	}
	if r.Dry || len(out) == 0 {
		return list, nil
	}
	return list, inTransaction(ctx, cl, out)
}

// read gives the rejects that are wanted, and the places of those that have
// been redriven.
func (r Redrive) read(ctx context.Context, conf kafka.Config, log *slog.Logger) (list []topics.Record[*topics.Reject], done map[Place]bool, err error) {
	from := map[int32]int64{}
	for p := range conf.Partitions {
		from[p] = 0
	}
	done = map[Place]bool{}
	err = kafka.ReadRange(ctx, conf, log, topics.Rejects.On(conf.Site), from, nil, func(kr *kgo.Record) error {
		rec, err := kafka.Decode(topics.Rejects, kr)
		if err != nil {
			return nil // rejects has no rejects
		}
		if of, is := RedriveOf(rec.Value); is {
			done[of] = true
		} else if r.Want(rec) {
			list = append(list, rec)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b topics.Record[*topics.Reject]) int {
		return cmp.Or(cmp.Compare(a.Value.TimeUs, b.Value.TimeUs), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return list, done, err
}

// value is what a reject becomes, and where it goes; or why it is not taken back.
func (r Redrive) value(reject *topics.Reject, now int64) (topics.Any, proto.Message, error) {
	if n := uint64(len(reject.GetOriginal())); n < reject.GetSize() || n == 0 {
		return nil, nil, fmt.Errorf("only %d of its %d bytes were kept", n, reject.GetSize())
	}
	if reject.GetOrigin() == "" {
		f, err := r.Frame(reject)
		if err != nil {
			return nil, nil, err
		}
		f.GetSamples().ArrivalUs = now
		return topics.Frames, f, nil
	}
	origin, err := topics.ParseOrigin([]byte(reject.GetOrigin()))
	if err != nil {
		return nil, nil, err
	}
	switch from := [2]string{origin.Source, reject.GetSource()}; from {
	case [2]string{topics.Frames.Name, "beats"}:
		f, err := topics.Frames.DecodeValue(reject.GetOriginal())
		if err != nil {
			return nil, nil, fmt.Errorf("this build cannot read it either: %w", err)
		}
		if f.GetSamples() == nil {
			return nil, nil, errors.New("it holds no samples: ticks, bindings and presence are of their moment, and what holds is said again")
		}
		f.GetSamples().ArrivalUs = now
		return topics.Frames, f, sameKey(f.GetPatient(), reject)
	case [2]string{topics.Requests.Name, "registry"}:
		q, err := topics.Requests.DecodeValue(reject.GetOriginal())
		if err != nil {
			return nil, nil, fmt.Errorf("this build cannot read it either: %w", err)
		}
		if q.GetTick() != nil {
			return nil, nil, errors.New("it is a tick: the clock goes on by itself")
		}
		return topics.Requests, q, sameKey(q.GetSite(), reject)
	default:
		if origin.Source == topics.Frames.Name || origin.Source == topics.Requests.Name {
			return nil, nil, fmt.Errorf("%s rejected it, and others have read it: what came from outside is taken back for the stage alone that folds it", from[1])
		}
		return nil, nil, fmt.Errorf("it is of %s, which a stage made: run that stage again with `heartwire replay`", origin.Source)
	}
}

func sameKey(key string, reject *topics.Reject) error {
	if key == "" || key != reject.GetKey() {
		return errors.New("it stood under another key than the one that it names")
	}
	return nil
}

// redrive makes the record that goes back, and the note of it.
func redrive(conf kafka.Config, topic topics.Any, v proto.Message, reject *topics.Reject, origin topics.Origin, now int64) ([]*kgo.Record, error) {
	back, err := kafka.EncodeAny(conf.Site, topic, conf.Partitions, v, origin)
	if err != nil {
		return nil, err
	}
	note, err := kafka.Encode(conf.Site, topics.Rejects, conf.Partitions, &topics.Reject{
		Key: reject.GetKey(), Reason: redriven, Detail: "taken back into " + topic.About().Name, Source: "redrive",
		TimeUs: now, Origin: origin.String(),
	}, origin)
	return []*kgo.Record{back, note}, err
}

// inTransaction writes records, all or none.
func inTransaction(ctx context.Context, cl *kgo.Client, records []*kgo.Record) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	err := cl.ProduceSync(ctx, records...).FirstErr()
	try := kgo.TryCommit
	if err != nil {
		try = kgo.TryAbort
	}
	if end := cl.EndTransaction(context.WithoutCancel(ctx), try); end != nil || err != nil {
		return fmt.Errorf("nothing was redriven, unless the outcome is unknown (does another redrive run? `heartwire rejects ls` tells): %w", errors.Join(err, end))
	}
	return nil
}
