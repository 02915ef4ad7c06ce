package topics_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

func TestTopicsAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, topic := range topics.All() {
		s := topic.About()
		if s.Name == "" || s.Doc == "" || s.Key == "" || s.Schema < 1 {
			t.Errorf("%+v: a topic needs a name, words, a key and a schema", s)
		}
		if names[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		names[s.Name] = true
		if !s.Compact && s.Retention < 24*time.Hour {
			t.Errorf("%s is kept for %v", s.Name, s.Retention)
		}
		found, ok := topics.Find(s.Name)
		if !ok || found.Header() != topic.Header() {
			t.Errorf("Find(%q) is %v, %v", s.Name, found, ok)
		}
		if got := s.On("ward"); got != "ward."+s.Name {
			t.Errorf("%s in the site ward is %s", s.Name, got)
		}
	}
	if _, ok := topics.Find("nowhere"); ok {
		t.Error("found a topic that is none")
	}
	for _, topic := range topics.All() {
		name, _, _ := strings.Cut(topic.Header(), "/")
		if text, err := topics.Schema(topic); err != nil || !strings.Contains(text, "message "+name+" {") {
			t.Errorf("the schema of %s is %.40q, %v", topic.About().Name, text, err)
		}
	}
}

// roundTrip wants a value to come back from its bytes, and equal values to be equal bytes.
func roundTrip[T proto.Message](t *testing.T, topic topics.Topic[T]) {
	t.Helper()
	for _, v := range full(topic.New()) {
		b, err := topic.Append([]byte("before"), v.(T))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.TrimPrefix(b, []byte("before"))
		got, err := topic.DecodeValue(b)
		if err != nil || !proto.Equal(got, v) {
			t.Errorf("%s: %v, %v; want %v", topic.Name, got, err, v)
		}
		again, err := topic.Append(nil, got)
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("%s: equal values have other bytes (%v)", topic.Name, err)
		}
		key, err := topic.KeyOf(v)
		if err != nil || key != topic.Key(v.(T)) || key == "" {
			t.Errorf("%s: key %q, %v", topic.Name, string(key), err)
		}
		if _, err := topic.KeyOf(&topics.PatchFrame{}); err == nil {
			t.Errorf("%s has a key for a value of another type", topic.Name)
		}
		if _, err := topic.DecodeValue(b[:len(b)-1]); err == nil {
			t.Errorf("%s: a value that is cut off is decoded", topic.Name)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	roundTrip(t, topics.Frames)
	roundTrip(t, topics.Annotations)
	roundTrip(t, topics.Charts)
	roundTrip(t, topics.Alarms)
	roundTrip(t, topics.Requests)
	roundTrip(t, topics.Settings)
	roundTrip(t, topics.Rejects)
	roundTrip(t, topics.BridgeChangelog)
	roundTrip(t, topics.BeatsCheckpoints.Changelog)
}

func ticks[T proto.Message](t *testing.T, topic topics.Topic[T]) {
	t.Helper()
	tick := &topics.Tick{N: 7, Owner: 2, ElapsedUs: 1_000_000}
	v := topic.Wrap(tick)
	if got := topic.TickOf(v); !proto.Equal(got, tick) {
		t.Errorf("%s: the tick is %v after it was wrapped", topic.Name, got)
	}
	if topic.Key(v) != "" {
		t.Errorf("%s: a tick has the key %q", topic.Name, string(topic.Key(v)))
	}
	if topic.TickOf(topic.New()) != nil {
		t.Errorf("%s: an empty value has a tick", topic.Name)
	}
}

func TestTicks(t *testing.T) {
	ticks(t, topics.Frames)
	ticks(t, topics.Annotations)
	ticks(t, topics.Charts)
	ticks(t, topics.Alarms)
	ticks(t, topics.Requests)
	if topics.Settings.TickOf(&topics.Setting{}) != nil || topics.Settings.TickOf(&topics.Frame{}) != nil {
		t.Error("settings have a tick")
	}
}

func TestTickMovesTimeOnceAndNotFar(t *testing.T) {
	for us, want := range map[int64]time.Duration{
		-1: 0, 0: 0, 1_000_000: time.Second, 5_000_001: topics.MaxElapsed, 1 << 62: topics.MaxElapsed, -1 << 63: 0,
	} {
		if got := (&topics.Tick{ElapsedUs: us}).Elapsed(); got != want {
			t.Errorf("a tick of %d µs moves time by %v, want %v", us, got, want)
		}
	}
	for _, c := range []struct {
		n, owner uint64
		want     bool
	}{{11, 3, true}, {10, 3, false}, {9, 4, false}, {11, 4, true}, {12, 2, false}} {
		if got := (&topics.Tick{N: c.n, Owner: c.owner}).Follows(10, 3); got != c.want {
			t.Errorf("tick %d of owner %d follows tick 10 of owner 3: %v", c.n, c.owner, got)
		}
	}
}

// The partitions must be those of Java's default partitioner, or a join by
// Kafka Streams would find nothing. The hashes are those of murmur2 in
// UtilsTest of Apache Kafka, and what its jar says of the last two.
func TestPartitionIsJavas(t *testing.T) {
	for key, hash := range map[topics.Key]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc":    479470107,
		"p01":    -1968562797,
		"Zürich": -1551140815, // as UTF-8
	} {
		for _, n := range []int32{1, 12, 48, 4096, 1<<31 - 1} {
			if got, want := topics.Partition(key, n), (hash&0x7fffffff)%n; got != want {
				t.Errorf("Partition(%q, %d) = %d, want %d", string(key), n, got, want)
			}
		}
	}
}

func FuzzPartition(f *testing.F) {
	f.Add("p01", int32(48))
	f.Add("", int32(1))
	f.Fuzz(func(t *testing.T, key string, n int32) {
		if n < 1 {
			return
		}
		if p := topics.Partition(topics.Key(key), n); p < 0 || p >= n {
			t.Errorf("Partition(%q, %d) = %d", key, n, p)
		}
	})
}

func TestOrigin(t *testing.T) {
	o := topics.Origin{Source: "frames", Partition: 3, Epoch: 1, Offset: 1 << 40, Index: 2}
	if got, want := o.String(), "frames/3/1/1099511627776/2"; got != want {
		t.Errorf("origin is written as %s, want %s", got, want)
	}
	for _, bad := range []string{"", "frames", "frames/3/1/5", "frames/3/1/5/2/", "frames/x/1/5/2", "frames/3000000000/1/5/2", "frames/3/1/5/", "frames/3/1/5/2/7", "//3/1/5/2"} {
		if got, err := topics.ParseOrigin([]byte(bad)); err == nil {
			t.Errorf("ParseOrigin(%q) = %v", bad, got)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("frames/3/1/1099511627776/2")
	f.Add("patch-01/0/-1/0/0")
	f.Add("/////")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := topics.ParseOrigin([]byte(s))
		if err != nil {
			if o != (topics.Origin{}) {
				t.Errorf("ParseOrigin(%q) = %v with an error", s, o)
			}
			return
		}
		again, err := topics.ParseOrigin(o.Append(nil))
		if err != nil || again != o {
			t.Errorf("%q is %v, and read again %v, %v", s, o, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	all := topics.All()
	for i, topic := range all {
		empty, err := topic.Decode(nil)
		if err != nil {
			f.Fatal(err)
		}
		b, err := proto.Marshal(fill(empty.ProtoReflect().New(), nil).Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, b)
	}
	f.Fuzz(func(t *testing.T, i int, b []byte) {
		if i < 0 || i >= len(all) {
			return
		}
		v, err := all[i].Decode(b)
		if err != nil {
			return
		}
		if _, err := all[i].KeyOf(v); err != nil {
			t.Error(err)
		}
		_ = all[i].TickOf(v).Elapsed()
	})
}

func TestKeysAreNotLogged(t *testing.T) {
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("beat", "patient", topics.Key("p01-secret"))
	if strings.Contains(b.String(), "secret") || !strings.Contains(b.String(), "***") {
		t.Errorf("the log says %s", b.String())
	}
}
