//go:build real

package bridge_test

import (
	"testing"

	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/real/servers"
)

func realSite(t testing.TB) *site {
	kconf, _ := pipelinetest.Cluster(t, quick)
	return siteOn(t, kconf, servers.Mosquitto(t, servers.MosquittoOptions{}).URL())
}

func TestRealBridgeProcessKilled(t *testing.T) {
	s := realSite(t)
	t.Logf("%d frames came twice", s.killed(3, 5000))
}

func TestRealMosquittoRestarted(t *testing.T) {
	kconf, _ := pipelinetest.Cluster(t, quick)
	broker := servers.Mosquitto(t, servers.MosquittoOptions{})
	s := siteOn(t, kconf, broker.URL())
	s.run().ready(t)
	p := s.patch("patch-01")
	for i := range 100 {
		p.frame(frame("patch-01", 1, i))
	}
	broker.Stop()
	broker.Start()
	p = s.patch("patch-01-again")
	for i := 100; i < 200; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 200)
}

// Two active bridges on one session would throw each other out for ever; a
// standby does not connect at all.
func TestRealStandbyDoesNotDisturb(t *testing.T) {
	s := realSite(t)
	first := s.run().ready(t)
	source, err := mqtt.New(s.mqtt, s.kafka.Site, s.log)
	if err != nil {
		t.Fatal(err)
	}
	s.runSource(source)
	waitMembers(s, 2)
	p := s.patch("patch-01")
	for i := range 100 {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 100)
	select {
	case <-source.Subscribed():
		t.Fatal("the standby connected")
	default:
	}
	first.stop()
	<-source.Subscribed()
	for i := 100; i < 200; i++ {
		p.frame(frame("patch-01", 1, i))
	}
	everyFrame(s, "patch-01", 200)
}
