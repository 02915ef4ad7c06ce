//go:build real && linux

package servers_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/kafka"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// reader is a client that has read nothing yet of frames.
func reader(t *testing.T, conf kafka.Config) *kgo.Client {
	t.Helper()
	cl, err := conf.NewClient(slog.New(slog.DiscardHandler), kgo.ConsumeTopics(topics.Frames.On(conf.Site)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// site applies the plan of topics and gives a client that reads frames too.
func site(t *testing.T, k *servers.KafkaCluster, copies int16, isr int) (kafka.Config, *kgo.Client) {
	t.Helper()
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Partitions, conf.Replication, conf.MinISR = k.Addrs(), 4, copies, isr
	cl := reader(t, conf)
	changes, err := conf.Plan(t.Context(), cl)
	if err != nil || len(changes) != len(topics.All()) {
		t.Fatalf("plan on an empty cluster: %d changes, %v; want one for each of %d topics", len(changes), err, len(topics.All()))
	}
	if err := conf.Apply(t.Context(), cl, changes); err != nil {
		t.Fatal(err)
	}
	// A broker that is asked at once may not have heard yet of what the
	// controller has decided.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left, err := conf.Plan(t.Context(), cl)
		if err == nil && len(left) == 0 {
			return conf, cl
		}
		if time.Now().After(deadline) {
			t.Fatalf("plan 10 s after apply: %v, %v; want none", left, err)
		}
	}
}

// produce writes n frames with the samples first, first+1, … of one patient,
// and gives the longest time that one took.
func produce(t *testing.T, conf kafka.Config, cl *kgo.Client, first, n int) time.Duration {
	t.Helper()
	var longest time.Duration
	for i := first; i < first+n; i++ {
		v := &topics.Frame{Patient: "p01", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: "patch-01", First: uint64(i)}}}
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, v, topics.Origin{Source: "patch-01", Offset: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err = cl.ProduceSync(ctx, r).FirstErr()
		cancel()
		if err != nil {
			t.Fatalf("produce frame %d: %v", i, err)
		}
		longest = max(longest, time.Since(began))
	}
	return longest
}

// consume reads n frames and wants them in order, each once.
func consume(t *testing.T, cl *kgo.Client, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for next := 0; next < n; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d frames after a minute: %v", next, n, fetches.Err())
		}
		fetches.EachRecord(func(kr *kgo.Record) {
			r, err := kafka.Decode(topics.Frames, kr)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Value.GetSamples().GetFirst(); got != uint64(next) || r.Key != "p01" || r.Origin.Offset != int64(next) {
				t.Fatalf("frame %d (origin %v) where %d was due", got, r.Origin, next)
			}
			next++
		})
	}
}

func TestThreeBrokersOutliveOne(t *testing.T) {
	k := servers.Kafka(t, 3, servers.KafkaOptions{})
	conf, cl := site(t, k, 3, 2)
	produce(t, conf, cl, 0, 50)

	// The broker that leads the patient's partition is the one to lose.
	adm := kadm.NewClient(cl)
	frames := topics.Frames.On(conf.Site)
	there, err := adm.ListTopics(t.Context(), frames)
	if err != nil {
		t.Fatal(err)
	}
	part := there[frames].Partitions[topics.Partition("p01", conf.Partitions)]
	if len(part.ISR) != 3 {
		t.Fatalf("%d copies in sync, want 3", len(part.ISR))
	}
	lost := int(part.Leader) - 1
	k.Kill(lost)
	t.Logf("without the leader: the longest of 50 produces took %.1f s", produce(t, conf, cl, 50, 50).Seconds())
	consume(t, cl, 100)

	k.Start(lost)
	k.Stop((lost + 1) % 3)
	produce(t, conf, cl, 100, 50)
	consume(t, reader(t, conf), 150)
}

func TestControllerApartOutlivesTwoBrokers(t *testing.T) {
	k := servers.Kafka(t, 3, servers.KafkaOptions{Controller: true})
	conf, cl := site(t, k, 3, 1)
	produce(t, conf, cl, 0, 10)
	k.Kill(1)
	k.Kill(2)
	produce(t, conf, cl, 10, 10)
	consume(t, cl, 20)
}

func TestOneBrokerKeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	k := servers.Kafka(t, 1, servers.KafkaOptions{})
	conf, cl := site(t, k, 1, 1)
	produce(t, conf, cl, 0, 20)
	k.Kill(0)
	k.Start(0)
	produce(t, conf, cl, 20, 20)

	k.Pause(0)
	stalled := make(chan time.Duration)
	go func() { stalled <- produce(t, conf, cl, 40, 1) }()
	select {
	case <-stalled:
		t.Fatal("a paused broker has answered")
	case <-time.After(time.Second):
	}
	k.Resume(0)
	if d := <-stalled; d < time.Second {
		t.Fatalf("the produce over a pause of 1 s took %v", d)
	}
	consume(t, cl, 41)
}

// What Java's consumer gives is what stands in the log, byte by byte.
func TestJavaReadsWhatIsThere(t *testing.T) {
	k := servers.Kafka(t, 1, servers.KafkaOptions{})
	conf, cl := site(t, k, 1, 1)
	produce(t, conf, cl, 0, 20)
	frames := topics.Frames.On(conf.Site)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, r := range []*kgo.Record{
		{Topic: frames, Partition: 1, Value: every},
		{Topic: frames, Partition: 1, Key: every},
		{Topic: frames, Partition: 2, Key: []byte("null"), Value: []byte("\t\n\\"),
			Headers: []kgo.RecordHeader{{Key: "a", Value: every}, {Key: "b", Value: []byte("x:y,z")}}},
	} {
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := k.ReadByJava(frames)
	if err != nil {
		t.Fatal(err)
	}
	printed := func(r *kgo.Record) string {
		return fmt.Sprintf("%d/%d %#v %#v %v", r.Partition, r.Offset, r.Key, r.Value, r.Headers)
	}
	there := map[string]bool{}
	for _, r := range got {
		there[printed(r)] = true
	}
	want := 0
	err = kafka.ReadRange(t.Context(), conf, slog.New(slog.DiscardHandler), frames, map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0}, nil, func(r *kgo.Record) error {
		if want++; !there[printed(r)] {
			t.Errorf("not given by Java's consumer: %s", printed(r))
		}
		return nil
	})
	if err != nil || want != 23 || len(got) != want {
		t.Errorf("%d records from Java's consumer, and %d of 23 stand there (%v)", len(got), want, err)
	}
}

func connect(t *testing.T, url, id string, set func(*mqtt.ClientOptions)) mqtt.Client {
	t.Helper()
	opt := mqtt.NewClientOptions().AddBroker(url).SetClientID(id).SetCleanSession(false).
		SetConnectTimeout(5 * time.Second).SetMaxReconnectInterval(200 * time.Millisecond)
	if set != nil {
		set(opt)
	}
	c := mqtt.NewClient(opt)
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connect to %s: %v", url, tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

func publish(t *testing.T, c mqtt.Client, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		tok := c.Publish("heartwire/v1/patch-01/frames", 1, false, fmt.Sprint(i))
		if !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatalf("publish %d: %v", i, tok.Error())
		}
	}
}

func TestMosquittoKeepsASessionOverAStop(t *testing.T) {
	m := servers.Mosquitto(t, servers.MosquittoOptions{})
	seen := map[string]bool{}
	got := make(chan string, 1000)
	hear := func(o *mqtt.ClientOptions) {
		o.SetDefaultPublishHandler(func(_ mqtt.Client, msg mqtt.Message) { got <- string(msg.Payload()) })
	}
	sub := connect(t, m.URL(), "bridge", hear)
	if tok := sub.Subscribe("heartwire/v1/+/frames", 1, nil); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("subscribe: %v", tok.Error())
	}
	sub.Disconnect(100)
	pub := connect(t, m.URL(), "patch-01", nil)
	publish(t, pub, 0, 100)
	m.Stop()
	m.Start()
	publish(t, pub, 100, 100)
	connect(t, m.URL(), "bridge", hear)
	for deadline := time.After(20 * time.Second); len(seen) < 200; {
		select {
		case v := <-got:
			seen[v] = true
		case <-deadline:
			t.Fatalf("%d of 200 messages", len(seen))
		}
	}
}

func TestProxyBreaksAndMends(t *testing.T) {
	m := servers.Mosquitto(t, servers.MosquittoOptions{})
	p := servers.Toxiproxy(t, m.Addr())
	lost := make(chan struct{}, 10)
	c := connect(t, "tcp://"+p.Addr(), "patch-01", func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(mqtt.Client, error) { lost <- struct{}{} })
	})
	publish(t, c, 0, 1)
	p.Delay(300 * time.Millisecond)
	began := time.Now()
	publish(t, c, 1, 1)
	if d := time.Since(began); d < 500*time.Millisecond {
		t.Errorf("a publish and its acknowledgement over 2 × 300 ms took %v", d)
	}
	p.Mend()
	p.Cut()
	<-lost
	if _, err := net.DialTimeout("tcp", p.Addr(), time.Second); err == nil {
		t.Error("a cut proxy accepts connections")
	}
	p.Mend()
	publish(t, c, 2, 1)
	p.Freeze()
	tok := c.Publish("heartwire/v1/patch-01/frames", 1, false, "3")
	if tok.WaitTimeout(500 * time.Millisecond) {
		t.Error("a frozen connection has carried an acknowledgement")
	}
	p.Mend()
	if !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
		t.Errorf("a publish over a freeze: %v", tok.Error())
	}
}

func TestChromiumIsABrowser(t *testing.T) {
	out, err := exec.Command(servers.Chromium(t), "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out)
}
