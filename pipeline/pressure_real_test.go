//go:build real

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// A backlog of some 160 MB over 48 partitions, as frames of 3 leads and a second.
const (
	pressurePatients = 96
	pressureEach     = 1500
)

// heapBound is how far the live heap may rise over what it was before: an
// answer of the broker in hand, one that waits and one on its way (24 MiB), the
// first decoded, which makes 5 times of it (40 MiB), and what is said of it and
// the proxy (16 MiB); see "What bounds memory" in DESIGN.md.
const heapBound = 80 << 20

// slow is what a connection to the broker carries while it is slow, and slowly how long it is.
const (
	slow   = 3_000_000 // bytes/s
	slowly = 10 * time.Second
)

// A stage far behind a broker that answers slowly, and then fast again.
func TestMemoryIsBoundedBehindASlowBroker(t *testing.T) {
	cluster := servers.Kafka(t, 1, servers.KafkaOptions{Proxied: true})
	for _, c := range []struct {
		site  string
		node  pipeline.Node
		rest  int64 // what may be left uncommitted
		check func(t *testing.T, conf kafka.Config)
	}{
		{"says", countNode(), 0, func(t *testing.T, conf kafka.Config) { said(t, conf, pressurePatients, pressureEach) }},
		{"mute", muteNode(), 4000, nil}, // 4 MiB: who says nothing ends no transaction for less
		{"sink", pipeline.Durable("beats", pipeline.Every(topics.Frames, forgetful{})), 0, nil},
	} {
		t.Run(c.site, func(t *testing.T) {
			conf := kafka.DefaultConfig()
			conf.Brokers, conf.Site, conf.Partitions, conf.Replication, conf.MinISR = cluster.Addrs(), c.site, 48, 1, 1
			pipelinetest.MakeTopics(t, conf)
			backlog(t, conf, pressurePatients, pressureEach)
			proxy := cluster.Proxy(0)
			heap := pipelinetest.WatchHeap()
			proxy.Throttle(slow)
			defer proxy.Mend()
			stop := start(t, conf, "1", c.node)
			time.Sleep(slowly) // so long it is slow
			const all = pressurePatients * pressureEach
			still := behind(t, conf)
			if still == 0 || still >= all {
				t.Errorf("%d records are left after %s of a slow broker, of %d: it was not slow, or nothing went on", still, slowly, all)
			}
			proxy.Mend()
			began := time.Now()
			for end := began.Add(2 * time.Minute); behind(t, conf) > c.rest; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d records are left 2 min after the broker is fast again", behind(t, conf))
				}
			}
			took, rise := time.Since(began), heap()
			t.Logf("heap at most %.1f MiB over what it was; %d records in %s of it, %d more in %.1f s", float64(rise)/(1<<20), all-still, slowly, still, took.Seconds())
			if rise > heapBound {
				t.Errorf("the live heap rose by %d MiB, want at most %d", rise>>20, heapBound>>20)
			}
			stop()
			if c.check != nil {
				c.check(t, conf)
			}
		})
	}
}

// A sink whose store is broken holds all its partitions, and no more of them
// than a few answers of the broker.
func TestMemoryIsBoundedBeforeABrokenStore(t *testing.T) {
	cluster := servers.Kafka(t, 1, servers.KafkaOptions{})
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Site, conf.Partitions, conf.Replication, conf.MinISR = cluster.Addrs(), "broken", 48, 1, 1
	pipelinetest.MakeTopics(t, conf)
	backlog(t, conf, pressurePatients, pressureEach)
	used := map[int32]bool{}
	for p := range pressurePatients {
		used[topics.Partition(topics.Key(fmt.Sprint("p", p)), conf.Partitions)] = true
	}
	heap := pipelinetest.WatchHeap()
	s := frameStore{Fail: func(context.Context, []topics.Record[*topics.Frame]) error { return errors.New("the store is broken") }}
	_, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, storeNode(&s))
	eventually(t, "all partitions are held", func() bool { return metric(t, reg, "held_partitions") == float64(len(used)) })
	eventually(t, "they are tried again", func() bool { return metric(t, reg, "delivery_retries_total") > float64(6*len(used)) })
	rise := heap()
	t.Logf("heap at most %.1f MiB over what it was", float64(rise)/(1<<20))
	if rise > heapBound {
		t.Errorf("the live heap rose by %d MiB, want at most %d", rise>>20, heapBound>>20)
	}
	stop()
}

// forgetful is a durable sink that keeps nothing.
type forgetful struct{}

func (forgetful) Deliver(context.Context, []topics.Record[*topics.Frame]) error { return nil }
func (forgetful) Close(context.Context) error                                   { return nil }

// muteNode counts and says nothing: nothing but the size of what is folded
// makes it end a transaction.
func muteNode() pipeline.Node {
	s := pipelinetest.Count("beats")
	s.Processor = mute{s.Processor}
	return pipeline.Stage(s, topics.Frames, topics.BeatsCheckpoints, topics.Annotations)
}

type mute struct {
	stages.Processor[pipelinetest.CountState, *topics.Frame, *topics.Annotation]
}

func (m mute) Process(s *pipelinetest.CountState, r topics.Record[*topics.Frame], _ func(*topics.Annotation)) error {
	return m.Processor.Process(s, r, func(*topics.Annotation) {})
}

// behind is how many records of frames the node beats has not committed.
func behind(t *testing.T, conf kafka.Config) int64 {
	t.Helper()
	cl := pipelinetest.Client(t, conf)
	defer cl.Close()
	group := conf.Site + ".beats"
	lag, err := kafka.Lag(context.Background(), cl, group)
	if err != nil {
		return pressurePatients * pressureEach // there is no group yet
	}
	return lag[group]
}

// backlog writes each samples of each patient, as produce does, in batches.
func backlog(t *testing.T, conf kafka.Config, patients, each int) {
	t.Helper()
	cl := pipelinetest.Client(t, conf, kgo.MaxBufferedRecords(10_000))
	deltas := make([]int32, 250)
	for i := range deltas {
		deltas[i] = int32(i*7919%200 - 100)
	}
	var leads []*topics.Lead
	for _, name := range []string{"I", "II", "V"} {
		leads = append(leads, &topics.Lead{Name: name, MicrovoltsPerCount: 5, Deltas: deltas})
	}
	failed := make(chan error, 1)
	size := 0
	for i := range each {
		for p := range patients {
			f := &topics.Frame{Patient: fmt.Sprint("p", p), Kind: &topics.Frame_Samples{Samples: &topics.Samples{
				Device: "d", First: uint64(i), Rate: 250, Count: 250, Leads: leads,
			}}}
			r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d", Offset: int64(i)})
			if err != nil {
				t.Fatal(err)
			}
			size += len(r.Value)
			cl.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
	}
	if err := cl.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	t.Logf("a backlog of %d records, %d MB", patients*each, size/1e6)
	cl.Close()
}
