package pipeline

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Ask writes requests to the registry, in order, and waits until each has been
// answered in settings. The site of the requests is filled in. It returns the
// outcomes, refusals among them, in the order of the requests.
func Ask(ctx context.Context, conf kafka.Config, log *slog.Logger, requests ...*topics.Request) ([]*topics.Outcome, error) {
	a := asked[*topics.Outcome]{
		to: topics.Requests, in: topics.Settings.On(conf.Site), look: "does a registry run?",
		read: func(r *kgo.Record) (string, *topics.Outcome) {
			rec, err := kafka.Decode(topics.Settings, r)
			if err != nil {
				return "", nil
			}
			o := rec.Value.GetOutcome()
			return o.GetRequest(), o
		},
	}
	for _, r := range requests {
		r.Site = conf.Site
		a.ids, a.values = append(a.ids, r.GetId()), append(a.values, r)
	}
	return a.wait(ctx, conf, log, map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()})
}

// Answer writes to chart what people do about the alarms of patients, each an
// Answer or a Standby with an id of its own and the patient's key, and waits
// until the alarms stage has answered each in alarms. It returns the outcomes,
// refusals among them, in the order of the answers.
func Answer(ctx context.Context, conf kafka.Config, log *slog.Logger, answers ...*topics.Chart) ([]*topics.AnswerOutcome, error) {
	a := asked[*topics.AnswerOutcome]{
		to: topics.Charts, in: topics.Alarms.On(conf.Site), look: "does the alarms stage run? heartwire tail alarms --ticks shows whether time goes on there, and heartwire rejects what could not be taken",
		read: func(r *kgo.Record) (string, *topics.AnswerOutcome) {
			rec, err := kafka.Decode(topics.Alarms, r)
			if err != nil {
				return "", nil
			}
			o := rec.Value.GetOutcome()
			return o.GetAnswer(), o
		},
	}
	// By another number of partitions it would come after nothing of the patient's.
	conf, err := conf.Fit(ctx, log)
	if err != nil {
		return nil, err
	}
	for _, c := range answers {
		id := c.GetAnswer().GetId() + c.GetStandby().GetId()
		if id == "" || c.GetPatient() == "" {
			return nil, fmt.Errorf("an answer without an id or a patient: nobody could be told what came of it")
		}
		a.ids, a.values = append(a.ids, id), append(a.values, c)
	}
	from, err := a.ends(ctx, conf, log)
	if err != nil {
		return nil, err
	}
	return a.wait(ctx, conf, log, from)
}

// asked is what somebody asks by records, each of which is answered by one of
// another topic under its id.
type asked[T any] struct {
	ids    []string
	to     topics.Any // the topic of what is asked
	values []proto.Message
	in     string // the topic of the answers
	look   string // where to look when no answer comes
	read   func(*kgo.Record) (id string, answer T)
}

// ends is where the partitions end now in which the answers will stand: of a
// patient's key, as the records'.
func (a *asked[T]) ends(ctx context.Context, conf kafka.Config, log *slog.Logger) (map[int32]kgo.Offset, error) {
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, a.in)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("where %s ends: %w", a.in, err)
	}
	from := map[int32]kgo.Offset{}
	for _, v := range a.values {
		key, err := a.to.KeyOf(v)
		if err != nil {
			return nil, err
		}
		i := topics.Partition(key, conf.Partitions)
		o, ok := ends.Lookup(a.in, i)
		if !ok {
			return nil, fmt.Errorf("%s has no partition %d: is it made as chart is? heartwire topics plan tells", a.in, i)
		}
		from[i] = kgo.NewOffset().At(o.Offset)
	}
	return from, nil
}

// wait writes the records, and waits until all are answered.
func (a *asked[T]) wait(ctx context.Context, conf kafka.Config, log *slog.Logger, from map[int32]kgo.Offset) ([]T, error) {
	cl, err := conf.NewClient(log, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{a.in: from}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	waiting := map[string]int{}
	w := NewWriter(conf, log, "ask")
	w.client = cl // one client for both
	for i, v := range a.values {
		waiting[a.ids[i]] = i
		if err := w.Write(ctx, a.to, v); err != nil {
			return nil, err
		}
	}
	out := make([]T, len(a.values))
	for len(waiting) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return out, fmt.Errorf("%d of %d are not answered yet, and may still be done: %s: %w", len(waiting), len(a.values), a.look, ctx.Err())
		}
		if err := fetches.Err(); err != nil {
			return out, fmt.Errorf("read %s: %w", a.in, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			id, answer := a.read(it.Next())
			if i, ok := waiting[id]; ok {
				out[i] = answer
				delete(waiting, id)
			}
		}
	}
	return out, nil
}
