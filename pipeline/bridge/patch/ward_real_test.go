//go:build real

package patch

import (
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"google.golang.org/protobuf/proto"

	"heartwire/test/real"
	"heartwire/test/real/servers"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Real recordings through a real broker, with the connection torn, frames sent
// twice and out of order: each sample arrives as it stands in the record.
func TestRecordsThroughMosquitto(t *testing.T) {
	data := real.Data(t)
	addr := servers.Mosquitto(t, servers.MosquittoOptions{}).Addr()
	frames := make(chan *topics.PatchFrame, 100_000)
	var connected sync.WaitGroup
	connected.Add(1)
	sub := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("reader").SetOnConnectHandler(func(c paho.Client) {
		c.Subscribe("ward7/v1/+/frames", 1, func(_ paho.Client, m paho.Message) {
			f := new(topics.PatchFrame)
			if err := proto.Unmarshal(m.Payload(), f); err != nil {
				t.Error(err)
			}
			frames <- f
		}).Wait()
		connected.Done()
	}))
	if token := sub.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer sub.Disconnect(100)
	connected.Wait()

	c := DefaultConfig()
	c.Broker, c.Site, c.Patients, c.Speed, c.For = "tcp://"+addr, "ward7", 2, 100, 10*time.Minute
	c.Scripts, c.Records = nil, []string{filepath.Join(data, "mitdb", "119"), filepath.Join(data, "mitdb", "208")}
	c.Behaviour = Behaviour{Duplicate: 0.05, Reorder: 0.05, GapEvery: 2 * time.Minute, GapFor: 20 * time.Second, Battery: 80}
	w, err := New(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := w.Stats(); s.Lost+s.Dropped+s.Unknown != 0 || s.Delivered != 2*2400 || s.Connects < 6 {
		t.Errorf("%+v, want 4800 frames delivered over several connections", s)
	}
	got := make([]map[uint64][]int32, 2)
	for i := range got {
		got[i] = make(map[uint64][]int32)
	}
	for quiet := false; !quiet; {
		select {
		case f := <-frames:
			i := slices.Index([]string{"patch-01", "patch-02"}, f.Device)
			values := make([]int32, len(f.Leads))
			for n := range f.Leads[0].Deltas {
				for k, l := range f.Leads {
					values[k] += l.Deltas[n]
				}
				got[i][f.First+uint64(n)] = slices.Clone(values)
			}
		case <-time.After(time.Second):
			quiet = true
		}
	}
	for i, path := range c.Records {
		rec, err := wfdb.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		at := uint64(0)
		for row, err := range rec.Rows() {
			if err != nil {
				t.Fatal(err)
			}
			if at == 600*360 {
				break
			}
			v := got[i][at]
			for k, s := range rec.Signals {
				if len(v) != len(row) || v[k] != row[k]-int32(s.Baseline) {
					t.Fatalf("%s, sample %d: %v, the record has %v", path, at, v, row)
				}
			}
			at++
		}
		if len(got[i]) != 600*360 {
			t.Errorf("%s: %d samples came, want %d", path, len(got[i]), 600*360)
		}
	}
}
