package pipeline

import (
	"context"
	"hash/crc32"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// echo is what a refold of a stretch of one partition said again, to be held
// against what stands in the log since it was said first.
type echo struct {
	newest     fold.Newest // what the refold began with
	from, next int64       // input offsets
	began      time.Time   // of the first record folded
	said       map[heard]uint32
}

// heard is what makes a record of a topic the same on every replay.
type heard struct {
	key    topics.Key
	origin topics.Origin
}

func hear(r *kgo.Record) (heard, uint32) {
	e := kafka.Envelope[struct{}](r)
	return heard{e.Key, e.Origin}, crc32.ChecksumIEEE(r.Value)
}

// hear takes note of what folding r said in the topic by which refolds are compared.
func (e *echo) hear(r *kgo.Record, said []*kgo.Record, topic string) {
	if e.began.IsZero() {
		e.began = r.Timestamp
	}
	for _, s := range said {
		if s.Topic == topic {
			h, sum := hear(s)
			e.said[h] = sum
		}
	}
}

// spoken is the topic by which refolds are compared: the first that the stage
// names, whose partitions are those of its input.
func (p past) spoken() string { return p.outs[0].About().On(p.conf.Site) }

// A Difference is a record that the log and a refold do not have in common.
// What is lost: the refold does not say it; new: the log does not hold it;
// changed; doubled: the log holds it twice.
type Difference struct {
	Origin topics.Origin
	What   string

	// A replay tells these too.
	Topic     topics.Any
	Key       topics.Key
	Then, Now []byte    // values; nil where there is none
	Time      time.Time // of the input
}

// hidden is how long something that was said may be out of sight: a transaction
// that is decided shows in each partition when its marker has come there, and
// who leads a partition no more shows what it knew.
const hidden = time.Minute

// compare reads what was said of the echoes' stretches, and gives each
// difference. A stage that is deterministic has none.
func (p past) compare(ctx context.Context, echoes map[int32]*echo, each func(Difference)) error {
	var began time.Time
	for _, e := range echoes {
		if !e.began.IsZero() && (began.IsZero() || e.began.Before(began)) {
			began = e.began
		}
	}
	if began.IsZero() {
		return nil
	}
	for first := time.Now(); ; {
		found, err := p.differences(ctx, echoes, began)
		if err != nil {
			return err
		}
		unseen := func(d Difference) bool { return d.What == "new" }
		if len(found) == 0 || !slices.ContainsFunc(found, unseen) || time.Since(first) > hidden {
			for _, d := range found {
				each(d)
			}
			return nil
		}
		if !sleep(ctx, 5*time.Second) {
			return ctx.Err()
		}
	}
}

// differences are what the log, as it can be seen now, and the echoes do not
// have in common. began is the time of the first record folded.
func (p past) differences(ctx context.Context, echoes map[int32]*echo, began time.Time) (found []Difference, err error) {
	topic, from := p.spoken(), map[int32]int64{}
	// What is said of a record is written after it, by clocks that differ a little.
	starts, err := p.at(ctx, topic, began.Add(-time.Minute))
	if err != nil {
		return nil, err
	}
	for i := range echoes {
		from[i] = starts[i]
	}
	met := map[heard]bool{}
	err = kafka.ReadRange(ctx, p.conf, p.log, topic, from, nil, func(r *kgo.Record) error {
		e := echoes[r.Partition]
		h, sum := hear(r)
		if o := h.origin; o.Source != p.in.About().Name || o.Partition != r.Partition || o.Epoch != p.epoch || !e.covers(h.key, o.Offset) {
			return nil
		}
		was, said := e.said[h]
		switch {
		case !said || met[h]:
			found = append(found, Difference{Origin: h.origin, What: "lost"})
		case was != sum:
			found = append(found, Difference{Origin: h.origin, What: "changed"})
		}
		met[h] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, e := range echoes {
		for h := range e.said {
			if !met[h] {
				found = append(found, Difference{Origin: h.origin, What: "new"})
			}
		}
	}
	return found, nil
}

// covers reports whether the refold folded this input record for this key.
func (e *echo) covers(key topics.Key, offset int64) bool {
	if offset < e.from || offset >= e.next {
		return false
	}
	if cp := e.newest.Of[key]; cp != nil && offset <= cp.GetOffset() {
		return false
	}
	through, gone := e.newest.Gone[key]
	return !gone || offset > through
}
