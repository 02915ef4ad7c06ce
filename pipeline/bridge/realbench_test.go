//go:build real

package bridge_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kadm"

	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

// BenchmarkRealBridge measures the bridge's process between mosquitto and the
// in-process Kafka: CPU seconds a million messages, of two leads at 250 Hz,
// 250 ms each, of 100 devices. HEARTWIRE_BENCH_MESSAGES says how many.
func BenchmarkRealBridge(b *testing.B) {
	n := 100_000
	if text := os.Getenv("HEARTWIRE_BENCH_MESSAGES"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	for b.Loop() {
		s := realSite(b)
		s.run().ready(b).stop()
		proc := s.process()
		began := time.Now()
		size := flood(b, s, n)
		adm := kadm.NewClient(pipelinetest.Client(b, s.kafka))
		for total := int64(0); total < int64(n); time.Sleep(20 * time.Millisecond) {
			ends, err := adm.ListEndOffsets(context.Background(), topics.Frames.On(s.kafka.Site))
			if err != nil {
				b.Fatal(err)
			}
			total = 0
			ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
		}
		took := time.Since(began)
		proc.Kill()
		state, err := proc.Wait()
		if err != nil {
			b.Fatal(err)
		}
		cpu := state.UserTime() + state.SystemTime()
		b.ReportMetric(cpu.Seconds()/float64(n)*1e6, "CPU-s/1M")
		b.ReportMetric(float64(n)/took.Seconds(), "messages/s")
		b.ReportMetric(float64(size), "bytes/message")
	}
}

// flood publishes n frames of 100 devices and tells the size of one.
func flood(b *testing.B, s *site, n int) (size int) {
	b.Helper()
	const devices, ahead = 100, 1000
	var clients []paho.Client
	for i := range 4 {
		clients = append(clients, s.patch("load-"+strconv.Itoa(i)).c)
	}
	var waiting []paho.Token
	for i := range n {
		// Each device's newest frame comes first, for where a boot begins is
		// written down whenever it moves, and live frames seldom move it.
		f := frame("patch-"+strconv.Itoa(i%devices), 1, (i/devices+n/devices-1)%(n/devices))
		payload := encode(b, f)
		size = len(payload)
		waiting = append(waiting, clients[i%len(clients)].Publish("heartwire/v1/"+f.Device+"/frames", 1, false, payload))
		if len(waiting) == ahead {
			for _, t := range waiting {
				t.Wait()
			}
			waiting = waiting[:0]
		}
	}
	for _, t := range waiting {
		t.Wait()
	}
	return size
}
