package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// into is the topic that a replay writes to: one that is nobody's, so that no
// stage or sink of any site can take what is said again for what is.
type into struct {
	ctx    context.Context // of all that is written
	topic  string
	client *kgo.Client
	failed atomic.Pointer[error]
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// foreign is an error for the name of a topic that belongs to a site.
func foreign(site, name string) error {
	if !topicName.MatchString(name) {
		return fmt.Errorf("%q is no name of a topic: letters, digits, dots, dashes and underscores, at most 249", name)
	}
	_, rest, _ := strings.Cut(name, ".")
	_, known := topics.Find(rest)
	if known || strings.HasPrefix(name, site+".") || strings.HasPrefix(name, "__") {
		return fmt.Errorf("the topic %s belongs to a site or to Kafka, and a replay must not be taken for what watches patients: choose another name", name)
	}
	return nil
}

// openInto makes the topic, of a foreign name, when it is missing, with as many partitions as the
// stage's outputs have.
func openInto(ctx context.Context, conf kafka.Config, log *slog.Logger, name string, p *plan) (*into, error) {
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, err
	}
	if err := makeTopic(ctx, kadm.NewClient(cl), name, conf, p.partitions(conf)); err != nil {
		cl.Close()
		return nil, err
	}
	return &into{ctx: ctx, topic: name, client: cl}, nil
}

// partitions is the most that an output of a stage has.
func (p *plan) partitions(conf kafka.Config) int32 {
	for _, out := range p.outs {
		if out.About().Spread == topics.PerSite {
			return conf.Partitions
		}
	}
	return 1
}

func makeTopic(ctx context.Context, adm *kadm.Client, name string, conf kafka.Config, n int32) error {
	_, err := adm.CreateTopic(ctx, n, conf.Replication, nil, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make the topic %s: %w", name, err)
	}
	if err == nil {
		return nil
	}
	there, err := adm.ListTopics(ctx, name)
	if err == nil {
		err = there.Error()
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", name, err)
	}
	if have := len(there[name].Partitions); int32(have) != n {
		return fmt.Errorf("the topic %s has %d partitions, and what the stage says has %d: choose another", name, have, n)
	}
	return nil
}

// write sends a record on its way; an error is that of an earlier one.
func (t *into) write(r *kgo.Record) error {
	if err := t.failed.Load(); err != nil {
		return fmt.Errorf("write to %s: %w", t.topic, *err)
	}
	copied := *r
	copied.Topic = t.topic
	t.client.Produce(t.ctx, &copied, func(_ *kgo.Record, err error) {
		if err != nil {
			t.failed.CompareAndSwap(nil, &err)
		}
	})
	return nil
}

// flush waits until all is written.
func (t *into) flush(ctx context.Context) error {
	err := t.client.Flush(ctx)
	if failed := t.failed.Load(); failed != nil {
		err = *failed
	}
	if err != nil {
		return fmt.Errorf("write to %s: %w", t.topic, err)
	}
	return nil
}

func (t *into) close() { t.client.Close() }
