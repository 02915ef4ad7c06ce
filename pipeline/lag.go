package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lag is how far a node is behind the ends of the partitions that it reads.
// The ends are asked of the broker, so that it is right also while nothing
// comes: behind a transaction that never ends, say.
type lag struct {
	mu   sync.Mutex
	next map[place]int64 // what is to be read next
}

func newLag() *lag { return &lag{next: map[place]int64{}} }

// read says what is to be read next.
func (l *lag) read(topic string, partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[place{topic, partition}] = next
}

// forget says that partitions are read no longer.
func (l *lag) forget(gone map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, partitions := range gone {
		for _, p := range partitions {
			delete(l.next, place{topic, p})
		}
	}
}

// lagEvery is how often the ends are asked for.
const lagEvery = 2 * time.Second

// watch tells the lag until ctx ends.
func (l *lag) watch(ctx context.Context, env *Env, node string, cl *kgo.Client) {
	for sleep(ctx, lagEvery) {
		if n, err := l.records(ctx, kadm.NewClient(cl)); err == nil { // else what was told last stands
			env.metrics.lag.WithLabelValues(node).Set(float64(n))
		}
	}
}

// records is how many stand in the log and are not read.
func (l *lag) records(ctx context.Context, adm *kadm.Client) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ends := kadm.ListedOffsets{}
	if names := l.topics(); len(names) > 0 {
		if ends, err = adm.ListEndOffsets(ctx, names...); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, next := range l.next {
		if end, ok := ends.Lookup(at.topic, at.partition); ok {
			if end.Err != nil {
				return 0, end.Err
			}
			n += max(end.Offset-next, 0)
		}
	}
	return n, nil
}

func (l *lag) topics() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for at := range l.next {
		if !seen[at.topic] {
			seen[at.topic] = true
			names = append(names, at.topic)
		}
	}
	return names
}
