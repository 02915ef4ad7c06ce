package bridge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/kafka"
)

// childVar holds the settings of a bridge that runs as a process of its own.
const childVar = "HEARTWIRE_TEST_BRIDGE"

type childConfig struct {
	Bridge bridge.Config
	MQTT   mqtt.Config
	Kafka  kafka.Config
}

// TestMain makes a bridge of the test's own program, so that one can be killed.
func TestMain(m *testing.M) {
	if text := os.Getenv(childVar); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(text string) error {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := mqtt.New(c.MQTT, c.Kafka.Site, log)
	if err != nil {
		return err
	}
	b, err := bridge.New(c.Bridge, c.Kafka, source, log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	return b.Run(context.Background())
}

// process starts a bridge that can be killed.
func (s *site) process() *os.Process {
	s.t.Helper()
	text, err := json.Marshal(childConfig{s.conf, s.mqtt, s.kafka})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVar+"="+string(text))
	cmd.Stderr = s.t.Output()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process
}

// killed kills the bridge again and again under a stream of frames, and
// wants each of them in Kafka. It tells how many came more than once.
func (s *site) killed(times, frames int) (repeats int) {
	s.t.Helper()
	s.run().ready(s.t).stop() // from here the MQTT broker keeps everything
	sent := make(chan struct{})
	p := s.patch("patch-01")
	go func() {
		defer close(sent)
		for i := range frames {
			p.frame(frame("patch-01", 1, i))
			time.Sleep(time.Millisecond)
		}
	}()
	for n := range times {
		proc := s.process()
		everyFrame(s, "patch-01", frames*(n+1)/(times+2)) // it is in the middle of its work
		if err := proc.Kill(); err != nil {
			s.t.Fatal(err)
		}
		proc.Wait()
	}
	s.process()
	<-sent
	everyFrame(s, "patch-01", frames)
	return s.count() - frames
}

func TestBridgeProcessKilled(t *testing.T) {
	s := newSite(t)
	t.Logf("%d frames came twice", s.killed(3, 2000))
}
