package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// NewSession makes a client that reads in a group and writes in transactions.
func NewSession(c Config, log *slog.Logger, opts ...kgo.Opt) (*kgo.GroupTransactSession, error) {
	own, err := c.options(log)
	if err != nil {
		return nil, err
	}
	return kgo.NewGroupTransactSession(append(own, opts...)...)
}

// stuck is how long a bounded read may go without a record before it is given up.
const stuck = 10 * time.Second

// ReadRange reads the committed records of some partitions of a topic, each
// from an offset (or the earliest, if that is later) up to, not including,
// until; up to what is committed now where until has no entry. An until that is
// not committed is an error. It calls each with the records of a partition in
// order, and returns its first error.
func ReadRange(ctx context.Context, c Config, log *slog.Logger, topic string, from, until map[int32]int64, each func(*kgo.Record) error) error {
	cl, err := c.NewClient(log, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := bounds(ctx, kadm.NewClient(cl), topic, from, until)
	if err != nil {
		return err
	}
	start := map[int32]kgo.Offset{}
	for p := range ends {
		start[p] = kgo.NewOffset().At(from[p])
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: start})
	last := time.Now()
	for len(ends) > 0 {
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := cl.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			end, open := ends[r.Partition]
			if !open {
				continue
			}
			if !r.Attrs.IsControl() && r.Offset < end {
				if err := each(r); err != nil {
					return err
				}
			}
			// Control records are kept so that the last offset is seen even
			// when it is the end of a transaction.
			if r.Offset >= end-1 {
				delete(ends, r.Partition)
			}
		}
		if fetches.NumRecords() > 0 {
			last = time.Now() // what each took is not the broker's
		}
		if time.Since(last) > stuck {
			return fmt.Errorf("read %s: no record for %s, %d partitions unfinished", topic, stuck, len(ends))
		}
	}
	return nil
}

// bounds is where each partition ends; those with nothing to read are left
// out. It moves from up to the earliest offset.
func bounds(ctx context.Context, adm *kadm.Client, topic string, from, until map[int32]int64) (map[int32]int64, error) {
	first, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("earliest offsets of %s: %w", topic, err)
	}
	committed, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	for p := range from {
		if o, ok := first.Lookup(topic, p); ok {
			from[p] = max(from[p], o.Offset)
		}
		end, ok := until[p]
		if o, there := committed.Lookup(topic, p); there && !ok {
			end = o.Offset
		} else if there && end > o.Offset && end > from[p] {
			// Who asks for it knows that it is committed. To read less of it in
			// silence would make another past of it.
			return nil, fmt.Errorf("%s/%d ends at %d and is to be read up to %d: a broker says so that leads it no more, or the topic was cut off or made anew; try again",
				topic, p, o.Offset, end)
		}
		if end > from[p] {
			ends[p] = end
		}
	}
	return ends, nil
}
