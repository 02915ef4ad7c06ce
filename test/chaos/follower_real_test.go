//go:build real

package chaos_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/test/chaos"
	"heartwire/topics"
)

// flow are the topics that samples go through, each made of the one before.
var flow = []string{topics.Frames.Name, topics.Annotations.Name, topics.Charts.Name, topics.Alarms.Name}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// follower reads what is committed, as it comes, and keeps of it how far the
// log has come and how long it was silent.
type follower struct {
	mu   sync.Mutex
	runs map[chaos.Run]bool
	ends map[place]int64 // offset of the last record
	// passed is the offset in the topic before of the last tick that was passed on.
	passed map[place]int64
	last   map[place]time.Time // when something came last; in frames, samples

	silence time.Duration // the longest since hush
	where   place
}

// follow reads all of the flow until the test ends.
func follow(t *testing.T, conf kafka.Config) *follower {
	t.Helper()
	f := &follower{runs: map[chaos.Run]bool{}, ends: map[place]int64{}, passed: map[place]int64{}, last: map[place]time.Time{}}
	from := map[string]map[int32]kgo.Offset{}
	for _, topic := range flow {
		partitions := map[int32]kgo.Offset{}
		for p := range conf.Partitions {
			partitions[p] = kgo.NewOffset().AtStart()
		}
		from[conf.Site+"."+topic] = partitions
	}
	cl, err := conf.NewClient(slog.New(slog.DiscardHandler), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMinBytes(1), kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumePartitions(from))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			fetches := cl.PollFetches(ctx)
			fetches.EachError(func(topic string, p int32, err error) {
				if ctx.Err() == nil {
					t.Errorf("follow %s/%d: %v", topic, p, err)
				}
			})
			f.take(fetches, conf.Site)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		cl.Close()
	})
	return f
}

func (f *follower) take(fetches kgo.Fetches, site string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	fetches.EachRecord(func(r *kgo.Record) {
		at := place{r.Topic[len(site)+1:], r.Partition}
		f.ends[at] = r.Offset
		if at.topic == topics.Frames.Name {
			run, _, ok := chaos.RunOf(r)
			if !ok {
				return // a tick says nothing of a bridge
			}
			f.runs[run] = true
		} else if len(r.Key) == 0 {
			f.passed[at] = kafka.Envelope[struct{}](r).Origin.Offset
		}
		f.heard(at, now)
		f.last[at] = now
	})
}

// heard ends a silence.
func (f *follower) heard(at place, now time.Time) {
	if last, ok := f.last[at]; ok && now.Sub(last) > f.silence {
		f.silence, f.where = now.Sub(last), at
	}
}

// hush begins to measure the longest silence anew.
func (f *follower) hush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silence = 0
}

// longest is the longest time since hush in which a partition that had been
// heard of was silent, and which it was.
func (f *follower) longest() (time.Duration, place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for at := range f.last {
		f.heard(at, now)
	}
	return f.silence, f.where
}

// end is where each partition of a topic of the flow ends now.
func (f *follower) end(topic string) map[int32]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	ends := map[int32]int64{}
	for at, n := range f.ends {
		if at.topic == topic {
			ends[at.partition] = n
		}
	}
	return ends
}

// past reports whether the stage that writes topic has passed on a tick from
// beyond each of these offsets, so that all it says of them has been said.
func (f *follower) past(topic string, ends map[int32]int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, n := range ends {
		if at, ok := f.passed[place{topic, p}]; !ok || at < n {
			return false
		}
	}
	return true
}

// missing reports how many of these frames have not been seen.
func (f *follower) missing(runs []chaos.Run) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range runs {
		if !f.runs[r] {
			n++
		}
	}
	return n
}
