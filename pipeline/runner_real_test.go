//go:build real

package pipeline_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// realSite makes the topics of a site of its own on a cluster of three.
func realSite(t *testing.T, cluster *servers.KafkaCluster, site string) kafka.Config {
	t.Helper()
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Site, conf.Partitions = cluster.Addrs(), site, pipelinetest.Partitions
	pipelinetest.MakeTopics(t, conf)
	return conf
}

func TestOnApacheKafka(t *testing.T) {
	cluster := servers.Kafka(t, 3, servers.KafkaOptions{})
	for name, check := range map[string]func(*testing.T, kafka.Config){
		"restarts": saysEachOnceOverRestarts,
		"moves":    movesPartitionsWithTheirState,
		"poison":   rejectsPoison,
		"clock":    clockGoesOn,
		"dead":     fencesTheDead,
		"history":  mendsFromHistory,
		"log":      mendsFromTheLog,
		"refold":   comparesRefolds,
		"hidden":   comparesWhatIsHidden,
		"static":   keepsPartitionsOverAPlannedRestart,
		"overtaken": func(t *testing.T, conf kafka.Config) {
			tellsWhatWasForgotten(t, conf, func() {})
		},
		"redrive": redrivesPoison,
		"answers": answersPeople,
	} {
		t.Run(name, func(t *testing.T) { check(t, realSite(t, cluster, name)) })
	}
	for name, check := range durableSinks {
		t.Run(name, func(t *testing.T) { check(t, realSite(t, cluster, name)) })
	}
}

// fencesTheDead leaves a transaction of a dead owner open for a minute: a
// reader must see what the next owner says long before.
func fencesTheDead(t *testing.T, conf kafka.Config) {
	dead := pipelinetest.Client(t, conf, kgo.TransactionalID(conf.Site+".beats.dead"), kgo.TransactionTimeout(time.Minute))
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for p := range conf.Partitions {
		v := &topics.Annotation{Patient: "p0", Sample: 1000}
		r, err := kafka.Encode(conf.Site, topics.Annotations, conf.Partitions, v, topics.Origin{Source: "dead"})
		if err != nil {
			t.Fatal(err)
		}
		r.Partition = p
		if err := dead.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	start(t, conf, "next", countNode())
	produce(t, conf, 9, 0, 10)
	said(t, conf, 9, 10)
	took := time.Since(began)
	t.Logf("first said after %s", took.Round(time.Millisecond))
	if took > 20*time.Second {
		t.Fatalf("took %s: the dead owner's transaction was waited for", took)
	}
}
