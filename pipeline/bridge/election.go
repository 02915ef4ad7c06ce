package bridge

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/topics"
)

// group is the consumer group in which sources of one name stand by for each
// other. The name stands in it as it is: two filters in one group would leave
// one of them without a bridge.
func group(site, source string) string {
	return site + ".bridge." + source
}

// election is membership in a group over the one partition of settings: who
// owns it is active. Nothing is read by it and nothing is committed.
type election struct {
	cl *kgo.Client

	mu     sync.Mutex
	active bool
	change chan struct{} // closed at the next change
}

func (b *Bridge) stand() (*election, error) {
	e := &election{change: make(chan struct{})}
	topic := topics.Settings.On(b.kafka.Site)
	set := func(active bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, which map[string][]int32) {
			if len(which[topic]) > 0 {
				e.set(active)
			} else if active && !e.is() {
				b.ready() // another is active, and this one stands by
			}
		}
	}
	session := b.conf.SessionTimeout
	cl, err := b.kafka.NewClient(b.log, b.count,
		kgo.ConsumerGroup(group(b.kafka.Site, b.source.Name())),
		kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), // the active one stays so when another comes
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(session/6),
		kgo.RebalanceTimeout(20*time.Second),
		kgo.OnPartitionsAssigned(set(true)),
		kgo.OnPartitionsRevoked(set(false)),
		kgo.OnPartitionsLost(set(false)),
	)
	if err != nil {
		return nil, err
	}
	cl.PauseFetchTopics(topic)
	e.cl = cl
	return e, nil
}

// poll takes what the group client wants to tell; the partition itself is paused.
func (e *election) poll(ctx context.Context, log *slog.Logger) {
	for ctx.Err() == nil {
		fetches := e.cl.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		if err := fetches.Err(); err != nil && ctx.Err() == nil {
			log.Warn("the group of bridges cannot be reached; trying again", "err", err)
		}
	}
}

func (e *election) set(active bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.active != active {
		e.active = active
		close(e.change)
		e.change = make(chan struct{})
	}
}

func (e *election) is() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active
}

// await returns when this one is active, with a context that ends when it no
// longer is; or when ctx ends, with its error.
func (e *election) await(ctx context.Context) (context.Context, context.CancelFunc, error) {
	for {
		e.mu.Lock()
		active, change := e.active, e.change
		e.mu.Unlock()
		if active {
			term, cancel := context.WithCancel(ctx)
			go func() {
				select {
				case <-change:
					cancel()
				case <-term.Done():
				}
			}()
			return term, cancel, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// leave leaves the group, so that the next one is active at once.
func (e *election) leave() { e.cl.Close() }
