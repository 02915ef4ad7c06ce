package e2e_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"heartwire/pipeline/bridge/patch"
	"heartwire/test/e2e"
)

// TestUp runs everything in one process as its user does: patches of our own
// publish to it, a client watches, the process is ended and started again.
func TestUp(t *testing.T) {
	data := t.TempDir()
	args := []string{"up", "--no-patients", "--data", data, "--listen", "127.0.0.1:0", "--kafka-port", "0", "--mqtt-port", "0"}
	up := e2e.Start(t, args...)
	page := up.Await(`page +http://(\S+)`, 30*time.Second)
	broker := up.Await(`MQTT +(tcp://\S+)`, time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := e2e.Watch(ctx, t, "ws://"+page+"/v1/live")
	var ledger e2e.Ledger
	conf := patch.DefaultConfig()
	conf.Broker, conf.Patients, conf.For = broker, 3, 25*time.Second
	conf.Scripts = []string{"8s sinus 70; asystole", "sinus 150", "sinus 75"}
	conf.Behaviour.Duplicate, conf.Behaviour.Reorder = 0.02, 0.02
	conf.StateDir = t.TempDir()
	conf.Entries = ledger.Enter
	patches, err := patch.New(conf, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := patches.Run(ctx); err != nil {
		t.Fatal(err)
	}
	samples := ledger.Settle(t, client, 10*time.Second)
	t.Logf("%d samples a lead in, and out", samples)
	if samples < 3*20*250 {
		t.Errorf("only %d samples were sent", samples)
	}
	if a := client.Alarm("asystole"); a == nil || a.Text == "" {
		t.Errorf("no asystole was raised: %v", a)
	}
	if a := client.Alarm("hr.high"); a == nil {
		t.Error("no high rate was raised")
	}
	cancel()
	if took := up.End(); took > 5*time.Second {
		t.Errorf("ending took %s, want less than 5 s", took)
	}

	again := e2e.Start(t, args...)
	again.Await(`page +http://(\S+)`, 30*time.Second)
	if took := again.End(); took > 5*time.Second {
		t.Errorf("ending took %s, want less than 5 s", took)
	}
}
