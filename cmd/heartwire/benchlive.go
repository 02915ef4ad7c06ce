package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	engine "heartwire/pipeline/bench"
	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// live runs work while the load is played and what the n-th relay says is
// followed; it ends with work.
func (b *stageBench) live(ctx context.Context, site kafka.Config, n int, each func(int32, *topics.Samples, time.Time), work func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.live4(b.load.Keys).Play(ctx, site, b.log) })
	g.Go(func() error { return engine.Follow(ctx, site, b.log, n, each) })
	g.Go(func() error {
		defer stop()
		return work(ctx)
	})
	return g.Wait()
}

// live4 is the load of a tenth of the keys, each with four records a second.
func (b *stageBench) live4(keys int) engine.Load {
	return engine.Load{Keys: max(keys/10, 1), Size: b.load.Size}
}

// settle is how long a stage is given before it is measured: its group has
// come to rest by then, and its first checkpoints are written.
const settle = 5 * time.Second

// takeover kills one of two processes again and again. What it measures is
// the longest that any partition has been silent since.
func (b *stageBench) takeover(ctx context.Context, site kafka.Config, r *stageReport) error {
	var quiet silence
	var nodes []*benchNode
	defer func() {
		for _, n := range nodes {
			n.end(syscall.SIGTERM)
		}
	}()
	var all []float64
	err := b.live(ctx, site, 1, quiet.hear, func(ctx context.Context) error {
		for len(all) < b.kills {
			for len(nodes) < 2 {
				n, err := b.node(ctx, site, engine.RelayName(1), b.state)
				if err != nil {
					return err
				}
				nodes = append(nodes, n)
			}
			if !pause(ctx, nil, settle) {
				return ctx.Err()
			}
			quiet.begin()
			nodes[0].end(syscall.SIGKILL)
			nodes = nodes[1:]
			longest, err := quiet.over(ctx, site.Partitions)
			if err != nil {
				return err
			}
			b.log.Info("taken over", "after", longest.Round(time.Millisecond))
			all = append(all, longest.Seconds())
		}
		return nil
	})
	if err != nil {
		return err
	}
	sorted := slices.Sorted(slices.Values(all))
	r.Takeover = &takeoverReport{Keys: b.live4(b.load.Keys).Keys, Kills: len(all), P50: sorted[len(sorted)/2], Max: sorted[len(sorted)-1], All: all}
	return nil
}

// silence is how long each partition has said nothing.
type silence struct {
	mu      sync.Mutex
	since   time.Time
	last    map[int32]time.Time
	longest time.Duration
}

func (s *silence) hear(partition int32, _ *topics.Samples, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[partition]; ok {
		s.longest = max(s.longest, at.Sub(last))
	}
	if s.last != nil {
		s.last[partition] = at
	}
}

// begin begins to count: every partition has been heard just now.
func (s *silence) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since, s.last, s.longest = time.Now(), map[int32]time.Time{}, 0
}

// over waits until some partition has been silent for a second or more and all
// have spoken since, and says how long the longest silence was.
func (s *silence) over(ctx context.Context, partitions int32) (time.Duration, error) {
	for {
		if !pause(ctx, nil, 50*time.Millisecond) {
			return 0, ctx.Err()
		}
		s.mu.Lock()
		now, all := time.Now(), true
		for p := range partitions {
			last, heard := s.last[p]
			if !heard {
				last = s.since
				s.longest = max(s.longest, now.Sub(last))
			}
			all = all && now.Sub(last) < 500*time.Millisecond
		}
		longest := s.longest
		s.mu.Unlock()
		if all && longest > time.Second {
			return longest, nil
		}
	}
}

func (b *stageBench) latency(ctx context.Context, site kafka.Config, r *stageReport) error {
	for _, stages := range []int{1, 3} {
		own := site
		own.Site += "-" + engine.RelayName(stages)
		if err := b.topics(ctx, own); err != nil {
			return err
		}
		if err := b.through(ctx, own, stages, r); err != nil {
			return err
		}
	}
	return nil
}

// through measures the time from before a record is written until the client
// of the last stage has it.
func (b *stageBench) through(ctx context.Context, site kafka.Config, stages int, r *stageReport) error {
	var mu sync.Mutex
	var ages []float64 // ms
	var from time.Time
	hear := func(_ int32, s *topics.Samples, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if sent := topics.MicroTime(s.GetArrivalUs()); !from.IsZero() && sent.After(from) {
			ages = append(ages, float64(at.Sub(sent).Microseconds())/1000)
		}
	}
	var nodes []*benchNode
	defer func() {
		for _, n := range nodes {
			n.end(syscall.SIGTERM)
		}
	}()
	err := b.live(ctx, site, stages, hear, func(ctx context.Context) error {
		for i := range stages {
			n, err := b.node(ctx, site, engine.RelayName(i+1), b.state)
			if err != nil {
				return err
			}
			nodes = append(nodes, n)
		}
		if !pause(ctx, nil, settle) {
			return ctx.Err()
		}
		mu.Lock()
		from = time.Now()
		mu.Unlock()
		pause(ctx, nil, b.window)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	n := len(ages)
	if n == 0 {
		return fmt.Errorf("nothing has come through %d stages in %s", stages, b.window)
	}
	slices.Sort(ages)
	keys := b.live4(b.load.Keys).Keys
	r.Latency = append(r.Latency, latencyReport{
		Stages: stages, Rate: 4 * keys, Records: n, P50: ages[n/2], P99: ages[n*99/100], Max: ages[n-1],
	})
	return nil
}
