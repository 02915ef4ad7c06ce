//go:build real

package chaos_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/test/chaos"
	"heartwire/topics"
)

// readFromOutside ends the house, lets Java's own consumer read each topic that
// the ledger looks at, with read_committed and from the beginning, and settles
// the ledger over what it gives: a client that knows nothing of us needs no
// deduplication either. It also gives, record by record, what our readers do.
func (h *house) readFromOutside(t *testing.T) {
	h.t = t
	began := time.Now()
	for _, end := range h.quiet {
		end()
	}
	given := h.given()
	h.caughtUp(time.Minute)
	for _, p := range h.parts {
		p.Stop()
	}
	inside := h.log()
	outside := chaos.Log{}
	var mu sync.Mutex
	var readers sync.WaitGroup
	for _, name := range kept {
		readers.Go(func() {
			records, err := h.kafka.ReadByJava(h.conf.Site + "." + name)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			outside[name] = map[int32][]*kgo.Record{}
			for _, r := range records {
				outside[name][r.Partition] = append(outside[name][r.Partition], r)
			}
		})
	}
	readers.Wait()
	n := 0
	for _, name := range kept {
		for _, p := range partitionsOf(name, partitions) {
			ours, theirs := inside[name][p], outside[name][p]
			if !slices.EqualFunc(ours, theirs, same) {
				t.Errorf("%s/%d: Java's consumer gives %d records, ours gives %d, and they are not the same", name, p, len(theirs), len(ours))
			}
			n += len(theirs)
		}
	}
	tally := chaos.Settle(given, outside)
	for _, p := range tally.Problems[:min(10, len(tally.Problems))] {
		if !h.known[p] {
			t.Errorf("%s: %s %s", p.Where, p.Place, p.What)
		}
	}
	if len(outside[topics.Alarms.Name]) == 0 || tally.Said == 0 {
		t.Error("Java's consumer gives nothing that could be compared")
	}
	t.Logf("Java's consumer gives %d records of %d topics, %d of them of stages, lost %d, doubled %d, otherwise wrong %d, took %.0f s",
		n, len(kept), tally.Said, tally.Count(chaos.Lost), tally.Count(chaos.Doubled),
		len(tally.Problems)-tally.Count(chaos.Lost)-tally.Count(chaos.Doubled), time.Since(began).Seconds())
}

// same reports whether two readers were given one record.
func same(a, b *kgo.Record) bool {
	return a.Offset == b.Offset && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
}
