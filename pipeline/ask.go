package pipeline

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Ask writes requests to the registry, in order, and waits until each has been
// answered in settings. The site of the requests is filled in. It returns the
// outcomes, refusals among them, in the order of the requests.
func Ask(ctx context.Context, conf kafka.Config, log *slog.Logger, requests ...*topics.Request) ([]*topics.Outcome, error) {
	settings := topics.Settings.On(conf.Site)
	cl, err := conf.NewClient(log, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		settings: {0: kgo.NewOffset().AtStart()},
	}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	waiting := map[string]int{}
	for i, r := range requests {
		r.Site = conf.Site
		waiting[r.Id] = i
		rec, err := kafka.Encode(conf.Site, topics.Requests, conf.Partitions, r, topics.Origin{Source: "ask", Offset: int64(i)})
		if err != nil {
			return nil, err
		}
		if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return nil, fmt.Errorf("write a request: %w", err)
		}
	}
	out := make([]*topics.Outcome, len(requests))
	for len(waiting) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return out, fmt.Errorf("%d requests are not answered yet: does a registry run? %w", len(waiting), ctx.Err())
		}
		if err := fetches.Err(); err != nil {
			return out, fmt.Errorf("read %s: %w", settings, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec, err := kafka.Decode(topics.Settings, it.Next())
			if err != nil {
				continue
			}
			if o := rec.Value.GetOutcome(); o != nil {
				if i, ok := waiting[o.Request]; ok {
					out[i] = o
					delete(waiting, o.Request)
				}
			}
		}
	}
	return out, nil
}
