package pipeline

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Hop is a record on the way from a patch to what was made of it. Its Time is
// when its writer handed it to Kafka, by the writer's clock.
type Hop struct {
	topics.Record[proto.Message]        // without a Value where Gone says why
	Topic                        string // without the site
	Gone                         string
}

// beforeATick is how long before a tick the newest samples are looked for:
// longer than samples may be absent without an alarm.
const beforeATick = 90 * time.Second

// Way is how a record of a patient's came about, the first hop first, itself the
// last: each record's Origin names the one before. What is said each second is
// made with a tick; before a tick of frames then stand the newest samples that
// the patient had. The way begins where an Origin names no topic of the site, or
// where the log has forgotten, which the first hop says.
func Way(ctx context.Context, conf kafka.Config, log *slog.Logger, topic topics.Any, r topics.Record[proto.Message]) ([]Hop, error) {
	key := r.Key
	hops := []Hop{{Record: r, Topic: topic.About().Name}}
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for hops[0].Gone == "" {
		o := hops[0].Origin
		from, ok := topics.Find(o.Source)
		if f, is := hops[0].Value.(*topics.Frame); !ok || is && f.GetSamples().GetDevice() == o.Source {
			break // from outside: of a device, which may be called as a topic is
		}
		h := Hop{Record: topics.Record[proto.Message]{Partition: o.Partition, Offset: o.Offset}, Topic: o.Source}
		epoch, err := incarnation(ctx, cl, from.About().On(conf.Site))
		if err != nil {
			return nil, err
		}
		there := false
		if epoch != o.Epoch {
			h.Gone = "the topic was made anew since"
		} else if h.Record, there, err = conf.At(ctx, log, from, o.Partition, o.Offset); err != nil {
			return nil, err
		} else if !there {
			h.Record = topics.Record[proto.Message]{Partition: o.Partition, Offset: o.Offset}
			h.Gone = "beyond retention"
		}
		hops = slices.Insert(hops, 0, h)
	}
	if first := hops[0]; first.Topic == topics.Frames.Name && first.Gone == "" && topics.Frames.TickOf(first.Value) != nil {
		if h, ok, err := newestSamples(ctx, conf, log, key, first); err != nil {
			return nil, err
		} else if ok {
			hops = slices.Insert(hops, 0, h)
		}
	}
	return hops, nil
}

// newestSamples are those of a key before a place in its partition of frames.
func newestSamples(ctx context.Context, conf kafka.Config, log *slog.Logger, key topics.Key, before Hop) (h Hop, ok bool, err error) {
	s := topics.Stretch{Partition: before.Partition, From: before.Time.Add(-beforeATick), Keys: map[topics.Key]bool{key: true}}
	_, err = NewReader(conf, log, topics.Frames).Read(ctx, s, func(r topics.Record[*topics.Frame]) bool {
		if r.Offset >= before.Offset {
			return false
		}
		if r.Value.GetSamples() != nil {
			h, ok = Hop{Topic: topics.Frames.Name, Record: topics.Record[proto.Message]{
				Key: r.Key, Origin: r.Origin, Partition: r.Partition, Offset: r.Offset, Time: r.Time, Value: r.Value,
			}}, true
		}
		return true
	})
	return h, ok, err
}
