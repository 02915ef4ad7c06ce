package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// What a topic takes can be written: a site's registry keeps its state in one record.
func TestTheLargestRecordCanBeWritten(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cl := pipelinetest.Client(t, conf)
	for _, c := range []struct {
		bytes int
		fits  bool
	}{{kafka.MaxRecordBytes - 256, true}, {kafka.MaxRecordBytes + 1, false}} {
		r := &kgo.Record{Topic: topics.RegistryCheckpoints.Changelog.On(conf.Site), Value: make([]byte, c.bytes)}
		if err := cl.ProduceSync(ctx, r).FirstErr(); (err == nil) != c.fits {
			t.Errorf("a record of %d bytes: %v", c.bytes, err)
		}
	}
}
