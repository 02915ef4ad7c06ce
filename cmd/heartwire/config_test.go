package main

import (
	"math"
	"strings"
	"testing"
)

func TestEverySettingCanBeSetByEnvironment(t *testing.T) {
	l := &loaded{Config: defaultConfig()}
	seen := map[string]string{}
	for p := range l.leaves() {
		name := strings.ToUpper(strings.ReplaceAll(p, ".", "_"))
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s have the same variable %s", p, other, name)
		}
		seen[name] = p
	}
	if len(seen) < 40 {
		t.Errorf("only %d settings found", len(seen))
	}
}

func TestDefaultsAreValid(t *testing.T) {
	if err := defaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestListsAndNumbersBySet(t *testing.T) {
	l, err := load("", nil, []string{"kafka.brokers=a:1,b:2", `simulate.scripts=["sinus 70; asystole", "sinus 80"]`, "simulate.speed=2.5"})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Kafka.Brokers) != 2 || l.Kafka.Brokers[1] != "b:2" {
		t.Errorf("brokers %v", l.Kafka.Brokers)
	}
	if len(l.Simulate.Scripts) != 2 || l.Simulate.Scripts[0] != "sinus 70; asystole" {
		t.Errorf("scripts %q", l.Simulate.Scripts)
	}
	if math.Abs(l.Simulate.Speed-2.5) > 1e-9 {
		t.Errorf("speed %g", l.Simulate.Speed)
	}
}

func TestTheExampleConfigurationLoads(t *testing.T) {
	l, err := load("../../deploy/heartwire.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Kafka.Brokers) != 3 || !strings.HasPrefix(l.origins["ops.listen"], "../../deploy/heartwire.yaml:") {
		t.Errorf("brokers %v, ops.listen from %s", l.Kafka.Brokers, l.origins["ops.listen"])
	}
}
