package kafka_test

import (
	"context"
	"strings"
	"testing"

	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

func TestPlanIsEmptyAfterApplyAndRefusesMorePartitions(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	cl := pipelinetest.Client(t, conf)
	changes, err := conf.Plan(context.Background(), cl)
	if err != nil || len(changes) != 0 {
		t.Fatalf("plan after apply: %v, %v; want none", changes, err)
	}
	conf.Partitions++
	changes, err = conf.Plan(context.Background(), cl)
	if err != nil {
		t.Fatal(err)
	}
	patient := 0
	for _, topic := range topics.All() {
		if topic.About().Spread == topics.PerSite {
			patient++
		}
	}
	if len(changes) != patient {
		t.Fatalf("%d changes, want one for each of %d patient topics: %v", len(changes), patient, changes)
	}
	for _, c := range changes {
		if c.What != "partitions" || !strings.Contains(c.Refused, "order") {
			t.Errorf("%+v: want a refused change of partitions", c)
		}
	}
	if err := conf.Apply(context.Background(), cl, changes); err != nil {
		t.Fatal(err)
	}
	if again, _ := conf.Plan(context.Background(), cl); len(again) != len(changes) {
		t.Fatalf("apply made a refused change: %v", again)
	}
}

func TestPlanSetsRetentionBack(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	cl := pipelinetest.Client(t, conf)
	conf.MinISR = 2 // what a site that grew to three brokers sets
	changes, err := conf.Plan(context.Background(), cl)
	if err != nil || len(changes) != len(topics.All()) {
		t.Fatalf("plan: %v, %v; want min.insync.replicas of each topic", changes, err)
	}
	if err := conf.Apply(context.Background(), cl, changes); err != nil {
		t.Fatal(err)
	}
	if left, err := conf.Plan(context.Background(), cl); err != nil || len(left) != 0 {
		t.Fatalf("after apply: %v, %v", left, err)
	}
}
