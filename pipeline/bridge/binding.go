package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// bindings tells whose a device is. It follows settings, which it knows some
// ms after they are written: a binding that holds from before its own writing
// comes too late for the frames in between, which stand under the key that was
// left. Whoever makes bindings lets them begin a moment ahead.
type bindings struct {
	mu      sync.RWMutex
	devices map[string][]*topics.DeviceBinding
	next    int64 // offset to follow settings from
}

// patient is the key to which all of a stretch of sample time belongs, "" when
// that is nobody or cannot be said: a frame that straddles a change of hands,
// and two bindings at a time, are nobody's.
func (b *bindings) patient(device string, from, until int64) string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	found := ""
	for _, bound := range b.devices[device] {
		if bound.UntilUs != 0 && bound.UntilUs <= from || bound.FromUs > until {
			continue
		}
		whole := bound.FromUs <= from && (bound.UntilUs == 0 || bound.UntilUs > until)
		if !whole || found != "" {
			return ""
		}
		found = bound.Patient
	}
	return found
}

// fold takes a record of settings.
func (b *bindings) fold(r *kgo.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = r.Offset + 1
	const prefix = "device/"
	if len(r.Key) <= len(prefix) || string(r.Key[:len(prefix)]) != prefix {
		return nil
	}
	name := string(r.Key[len(prefix):])
	if len(r.Value) == 0 {
		delete(b.devices, name)
		return nil
	}
	s, err := topics.Settings.DecodeValue(r.Value)
	if err != nil {
		// Better nobody's than the wrong patient's.
		delete(b.devices, name)
		return fmt.Errorf("settings at offset %d: %w", r.Offset, err)
	}
	b.devices[name] = s.GetDevice().GetBindings()
	return nil
}

// restoreBindings reads settings up to its end.
func restoreBindings(ctx context.Context, conf kafka.Config, log *slog.Logger) (*bindings, error) {
	b := &bindings{devices: map[string][]*topics.DeviceBinding{}}
	err := kafka.ReadRange(ctx, conf, log, topics.Settings.On(conf.Site), map[int32]int64{0: 0}, nil, func(r *kgo.Record) error {
		if err := b.fold(r); err != nil {
			log.Error("a device is nobody's until it is bound again", "err", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// follow keeps b up to date until ctx ends.
func (b *bindings) follow(ctx context.Context, conf kafka.Config, log *slog.Logger, count kgo.Opt) error {
	cl, err := conf.NewClient(log, count,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			topics.Settings.On(conf.Site): {0: kgo.NewOffset().At(b.next)},
		}))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				log.Warn("settings cannot be followed; trying again", "topic", topic, "err", err)
			}
		})
		fetches.EachRecord(func(r *kgo.Record) {
			if err := b.fold(r); err != nil {
				log.Error("a device is nobody's until it is bound again", "err", err)
			}
		})
	}
}
