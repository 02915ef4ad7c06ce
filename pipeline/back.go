package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// NewReader gives a sink a look back into a topic of a site. It connects when
// it is asked.
func NewReader[T proto.Message](conf kafka.Config, log *slog.Logger, topic topics.Topic[T]) topics.Reader[T] {
	return &reader[T]{conf, log, topic}
}

type reader[T proto.Message] struct {
	conf  kafka.Config
	log   *slog.Logger
	topic topics.Topic[T]
}

var errEnough = errors.New("enough")

// Read implements topics.Reader. A record that cannot be read is passed over:
// those who fold the topic have it in rejects.
func (r *reader[T]) Read(ctx context.Context, s topics.Stretch, each func(topics.Record[T]) bool) (forgotten bool, err error) {
	name := r.topic.On(r.conf.Site)
	from, forgotten, err := r.begin(ctx, name, s)
	if err != nil {
		return false, err
	}
	err = kafka.ReadRange(ctx, r.conf, r.log, name, map[int32]int64{s.Partition: from}, nil, func(kr *kgo.Record) error {
		if len(kr.Key) > 0 && s.Keys != nil && !s.Keys[topics.Key(kr.Key)] {
			return nil
		}
		if rec, err := kafka.Decode(r.topic, kr); err == nil && !each(rec) {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return forgotten, err
	}
	return forgotten, nil
}

// begin is the offset at which a stretch begins, and whether the log may have
// held more of it.
func (r *reader[T]) begin(ctx context.Context, name string, s topics.Stretch) (from int64, forgotten bool, err error) {
	cl, err := r.conf.NewClient(r.log)
	if err != nil {
		return 0, false, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	at, err := adm.ListOffsetsAfterMilli(ctx, max(s.From.UnixMilli(), 0), name) // below 0 they mean something else
	if err == nil {
		err = at.Error()
	}
	if err != nil {
		return 0, false, fmt.Errorf("offsets of %s at %s: %w", name, s.From.UTC().Format(time.RFC3339), err)
	}
	first, err := adm.ListStartOffsets(ctx, name)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return 0, false, fmt.Errorf("earliest offsets of %s: %w", name, err)
	}
	begin, there := at.Lookup(name, s.Partition)
	earliest, _ := first.Lookup(name, s.Partition)
	if !there {
		return 0, false, fmt.Errorf("%s has no partition %d: do all patient topics have as many? heartwire topics plan tells", name, s.Partition)
	}
	return begin.Offset, earliest.Offset > 0 && begin.Offset <= earliest.Offset, nil
}

// NewDeriver lets a sink write to a topic of a site what it has made of the
// records of another. It connects when it has something to write.
func NewDeriver[T proto.Message](conf kafka.Config, log *slog.Logger, topic topics.Topic[T], of topics.Any) topics.Deriver[T] {
	return &deriver[T]{conf: conf, log: log, topic: topic, of: of}
}

type deriver[T proto.Message] struct {
	conf  kafka.Config
	log   *slog.Logger
	topic topics.Topic[T]
	of    topics.Any

	mu     sync.Mutex
	client *kgo.Client
	epoch  int64 // incarnation of what the values are made of
}

// Write implements topics.Deriver.
func (w *deriver[T]) Write(ctx context.Context, made ...topics.Made[T]) error {
	cl, epoch, err := w.open(ctx)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, len(made))
	for i, m := range made {
		origin := topics.Origin{Source: w.of.About().Name, Partition: m.Partition, Epoch: epoch, Offset: m.Offset}
		if records[i], err = kafka.Encode(w.conf.Site, w.topic, w.conf.Partitions, m.Value, origin); err != nil {
			return err
		}
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", w.topic.Name, err)
	}
	return nil
}

func (w *deriver[T]) open(ctx context.Context) (*kgo.Client, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		return w.client, w.epoch, nil
	}
	cl, err := w.conf.NewClient(w.log)
	if err != nil {
		return nil, 0, err
	}
	if w.epoch, err = incarnation(ctx, cl, w.of.About().On(w.conf.Site)); err != nil {
		cl.Close()
		return nil, 0, err
	}
	w.client = cl
	return cl, w.epoch, nil
}

// Close implements topics.Deriver.
func (w *deriver[T]) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}
