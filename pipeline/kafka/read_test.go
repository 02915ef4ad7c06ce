package kafka_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// Whoever leads a partition no more tells of an end that has been left behind.
// A range that is known to be committed is read whole or not at all.
func TestReadRangeReadsAllThatItIsAskedForOrFails(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	cl := pipelinetest.Client(t, conf)
	frames := topics.Frames.On(conf.Site)
	for range 10 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: frames, Partition: 1}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from, until map[int32]int64) (n int, err error) {
		err = kafka.ReadRange(t.Context(), conf, slog.New(slog.DiscardHandler), frames, from, until, func(*kgo.Record) error { n++; return nil })
		return n, err
	}
	for _, c := range []struct {
		from, until map[int32]int64
		want        int
		fails       bool
	}{
		{from: map[int32]int64{1: 0}, want: 10},
		{from: map[int32]int64{1: 4}, until: map[int32]int64{1: 9}, want: 5},
		{from: map[int32]int64{1: 4}, until: map[int32]int64{1: 10}, want: 6},
		{from: map[int32]int64{1: 12}, until: map[int32]int64{1: 12}},
		{from: map[int32]int64{1: 4}, until: map[int32]int64{1: 11}, fails: true},
		{from: map[int32]int64{0: 0, 1: 4}, until: map[int32]int64{0: 1}, fails: true},
	} {
		n, err := read(c.from, c.until)
		if c.fails != (err != nil) || n != c.want || err != nil && !strings.Contains(err.Error(), "is to be read up to") {
			t.Errorf("from %v until %v: %d records, %v; want %d and an error %v", c.from, c.until, n, err, c.want, c.fails)
		}
	}
}
