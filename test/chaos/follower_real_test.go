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

// followed are all topics that are followed: those of the flow, and the registry's.
var followed = append([]string{topics.Requests.Name, topics.Settings.Name}, flow...)

// partitionsOf are the partitions of a topic, with the site's number for patient topics.
func partitionsOf(name string, n int32) []int32 {
	all := []int32{0}
	if t, ok := topics.Find(name); ok && t.About().Spread == topics.PerSite {
		for p := int32(1); p < n; p++ {
			all = append(all, p)
		}
	}
	return all
}

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
	last   map[place]time.Time    // when something came last; in frames, samples; in "ticks of" a topic, those that move time
	ticks  map[place]*topics.Tick // the last that moved time
	// answered are the requests whose outcomes have been seen.
	answered map[string]bool

	silence time.Duration // the longest since hush
	where   place
}

// follow reads all of the flow until the test ends.
func follow(t *testing.T, conf kafka.Config) *follower {
	t.Helper()
	f := &follower{runs: map[chaos.Run]bool{}, ends: map[place]int64{}, passed: map[place]int64{}, last: map[place]time.Time{},
		ticks: map[place]*topics.Tick{}, answered: map[string]bool{}}
	from := map[string]map[int32]kgo.Offset{}
	for _, topic := range followed {
		partitions := map[int32]kgo.Offset{}
		for _, p := range partitionsOf(topic, conf.Partitions) {
			partitions[p] = kgo.NewOffset().AtStart()
		}
		from[conf.Site+"."+topic] = partitions
	}
	cl, err := conf.NewClient(slog.New(slog.DiscardHandler), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A client that passes over control records does not see in which epoch they stand, and takes
		// a leader whose first record is one for a loss of data.
		kgo.KeepControlRecords(),
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
		if r.Attrs.IsControl() {
			return
		}
		at := place{r.Topic[len(site)+1:], r.Partition}
		f.ends[at] = r.Offset
		switch {
		case at.topic == topics.Frames.Name || at.topic == topics.Requests.Name:
			if len(r.Key) == 0 {
				f.tick(at, r, now)
				return // a tick says nothing of a bridge
			}
			run, _, ok := chaos.RunOf(r)
			if !ok || at.topic == topics.Requests.Name {
				return
			}
			f.runs[run] = true
		case at.topic == topics.Settings.Name:
			if s, err := topics.Settings.DecodeValue(r.Value); err == nil && s.GetOutcome() != nil {
				f.answered[s.GetOutcome().Request] = true
			}
		case len(r.Key) == 0:
			f.passed[at] = kafka.Envelope[struct{}](r).Origin.Offset
		}
		f.heard(at, now)
		f.last[at] = now
	})
}

// tick takes a clock's tick; those that readers pass over say nothing.
func (f *follower) tick(at place, r *kgo.Record, now time.Time) {
	t, _ := topics.Find(at.topic)
	v, err := t.Decode(r.Value)
	if err != nil || t.TickOf(v) == nil {
		return
	}
	tick, last := t.TickOf(v), f.ticks[at]
	if !tick.Follows(last.GetN(), last.GetOwner()) {
		return
	}
	f.ticks[at] = tick
	of := place{"ticks of " + at.topic, at.partition}
	f.heard(of, now)
	f.last[of] = now
}

// owners are the owners of time, by partition, and when each ticked last.
func (f *follower) owners() (owner map[place]uint64, at map[place]time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	owner, at = map[place]uint64{}, map[place]time.Time{}
	for p, t := range f.ticks {
		owner[p], at[p] = t.Owner, f.last[place{"ticks of " + p.topic, p.partition}]
	}
	return owner, at
}

// unanswered reports how many of these requests have no outcome yet.
func (f *follower) unanswered(ids []string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		if !f.answered[id] {
			n++
		}
	}
	return n
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
