package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Writer implements topics.Writer for a site. It has one producer, which lives
// from the first Write to Close. It is safe for concurrent use.
type Writer struct {
	conf   kafka.Config
	log    *slog.Logger
	source string // of the Origins
	epoch  int64  // two who write at once have two Origins

	mu     sync.Mutex
	client *kgo.Client // nil before the first Write
	next   int64
}

// NewWriter makes a writer; source is in the Origin of what it writes.
func NewWriter(conf kafka.Config, log *slog.Logger, source string) *Writer {
	return &Writer{conf: conf, log: log, source: source, epoch: rand.Int64()}
}

// Write implements topics.Writer.
func (w *Writer) Write(ctx context.Context, t topics.Any, values ...proto.Message) error {
	cl, records, err := w.encode(ctx, t, values)
	if err != nil {
		return err
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", t.About().On(w.conf.Site), err)
	}
	return nil
}

func (w *Writer) encode(ctx context.Context, t topics.Any, values []proto.Message) (*kgo.Client, []*kgo.Record, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client == nil {
		// By another number of partitions it would come after nothing of the key's.
		conf, err := w.conf.Fit(ctx, w.log)
		if err != nil {
			return nil, nil, err
		}
		if w.client, err = conf.NewClient(w.log); err != nil {
			return nil, nil, err
		}
		w.conf = conf
	}
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		r, err := kafka.EncodeAny(w.conf.Site, t, w.conf.Partitions, v, topics.Origin{Source: w.source, Epoch: w.epoch, Offset: w.next})
		if err != nil {
			return nil, nil, err
		}
		records[i] = r
		w.next++
	}
	return w.client, records, nil
}

// Close ends the producer; a Write after it begins another.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}
