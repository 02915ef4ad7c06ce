package pipeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// take encodes what the stage has just said.
func (s *stageRun[S, PS, In, Out]) take(t *task[S, PS, In, Out]) error {
	said, bad := t.fold.Take()
	for _, v := range said {
		r, err := s.encode(v.Value, v.Origin)
		if err != nil {
			return err
		}
		t.out = append(t.out, r)
		if topics.Alarms.Holds(v.Value) {
			// A commit that holds an alarm also holds its key's state.
			t.fold.Due(topics.Key(r.Key))
		}
	}
	for _, b := range bad {
		t.out = append(t.out, s.reject(b.Record.Key, b.Record.Raw, topics.Origin{
			Source: s.in.Name, Partition: b.Record.Partition, Epoch: s.epoch, Offset: b.Record.Offset,
		}, "unfoldable", b.Err, b.Stack))
	}
	return nil
}

// encode makes the record of a value in whichever topic holds its type.
func (s *stageRun[S, PS, In, Out]) encode(v proto.Message, origin topics.Origin) (*kgo.Record, error) {
	for _, out := range s.outs {
		if out.Holds(v) {
			return kafka.EncodeAny(s.env.Kafka.Site, out, s.env.Kafka.Partitions, v, origin)
		}
	}
	return nil, fmt.Errorf("stage %s said a %s, and names no topic for it", s.stage.Name, v.ProtoReflect().Descriptor().Name())
}

// forward passes a tick on: what was said before it in this partition is
// everything that will ever be said of the time before it.
func (s *stageRun[S, PS, In, Out]) forward(t *task[S, PS, In, Out], tick *topics.Tick, in *kgo.Record) error {
	v := s.outs[0].WrapTick(tick)
	if v == nil {
		return nil
	}
	r, err := s.encode(v, topics.Origin{Source: s.in.Name, Partition: in.Partition, Epoch: s.epoch, Offset: in.Offset})
	if err != nil {
		return err
	}
	r.Partition = in.Partition
	t.out = append(t.out, r)
	return nil
}

func (s *stageRun[S, PS, In, Out]) reject(key topics.Key, original []byte, origin topics.Origin, reason string, cause error, stack []byte) *kgo.Record {
	s.env.metrics.rejects.WithLabelValues(s.stage.Name).Inc()
	s.env.Log.Warn("a record was rejected", "reason", reason, "origin", origin.String())
	r := &topics.Reject{
		Key: string(key), Reason: reason, Detail: cause.Error(), Source: s.stage.Name,
		Original: original[:min(len(original), 64<<10)], Size: uint64(len(original)),
		TimeUs: time.Now().UnixMicro(), Origin: origin.String(), Stack: string(stack),
	}
	rec, err := kafka.Encode(s.env.Kafka.Site, topics.Rejects, s.env.Kafka.Partitions, r, origin)
	if err != nil {
		panic(err) // a Reject of these fields always encodes
	}
	return rec
}

// commit writes what was said, the checkpoints that are due and the offsets
// that were read, in one transaction. An error means that the outcome is unknown.
func (s *stageRun[S, PS, In, Out]) commit(ctx context.Context, owned []*task[S, PS, In, Out]) (bool, error) {
	if err := s.sess.Begin(); err != nil {
		return false, err
	}
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	for _, t := range owned {
		for _, r := range t.out {
			s.sess.Produce(ctx, r, promise)
		}
		if t.n == 0 && len(t.out) == 0 {
			continue
		}
		if err := s.checkpoints(ctx, t, promise); err != nil {
			return false, err
		}
	}
	// The client commits in spite of a failed produce: look first.
	if err := s.sess.Client().Flush(ctx); err != nil {
		return false, err
	}
	try := kgo.TryCommit
	if err := failed.Load(); err != nil {
		s.env.Log.Warn("a transaction is taken back", "err", *err)
		try = kgo.TryAbort
	}
	return s.sess.End(ctx, try)
}

func (s *stageRun[S, PS, In, Out]) checkpoints(ctx context.Context, t *task[S, PS, In, Out], promise func(*kgo.Record, error)) error {
	var failed error
	err := t.fold.Checkpoints(s.env.Build, func(key topics.Key, cp *topics.Checkpoint) {
		r := &kgo.Record{Topic: s.changelog.On(s.env.Kafka.Site), Partition: t.fold.Index(), Key: []byte(key)}
		if cp != nil {
			b, err := s.changelog.Append(nil, cp)
			if err != nil {
				failed = err
				return
			}
			r.Value = b
			r.Headers = []kgo.RecordHeader{{Key: topics.HeaderSchema, Value: []byte(s.changelog.Header())}}
		}
		s.sess.Produce(ctx, r, promise)
		s.env.metrics.checkpoint.WithLabelValues(s.stage.Name).SetToCurrentTime()
	})
	if err != nil {
		return err
	}
	return failed
}
