package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/topics"
)

type frameStore = pipelinetest.Store[*topics.Frame]

func storeNode(s *frameStore) pipeline.Node {
	return pipeline.Durable("store", pipeline.Every(topics.Frames, s))
}

// keeps waits until a store has n samples of each patient, and checks that
// they are those, in their order, and that nothing came as it must not.
func keeps(t *testing.T, s *frameStore, patients, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d records are stored", patients*n), func() bool { return len(s.Rows()) >= patients*n })
	inOrder(t, s, n)
}

func inOrder(t *testing.T, s *frameStore, n int) {
	t.Helper()
	next := map[topics.Key]uint64{}
	for _, r := range s.Rows() {
		if first := r.Value.GetSamples().GetFirst(); first != next[r.Key] {
			t.Fatalf("%s: number %d is stored after %d were: lost or out of order", r.Key, first, next[r.Key])
		}
		next[r.Key]++
	}
	for key, have := range next {
		if have != uint64(n) {
			t.Errorf("%s: %d records are stored, want %d", key, have, n)
		}
	}
	if wrong := s.Wrong(); len(wrong) > 0 {
		t.Errorf("the contract of sinks is broken: %s", strings.Join(wrong[:min(len(wrong), 5)], "; "))
	}
}

func storesOverRestarts(t *testing.T, conf kafka.Config) {
	var s frameStore
	stop := start(t, conf, "1", storeNode(&s))
	produce(t, conf, 9, 0, 50)
	keeps(t, &s, 9, 50)
	stop()
	produce(t, conf, 9, 50, 50)
	stop = start(t, conf, "1", storeNode(&s))
	keeps(t, &s, 9, 100)
	stop()
	if n := s.Given(); n != 9*100 {
		t.Errorf("%d records were brought, want %d: a drain commits what it has delivered", n, 9*100)
	}
}

// holdsOneAlone makes one partition fail: the others go on, and it goes on
// where it was.
func holdsOneAlone(t *testing.T, conf kafka.Config) {
	const held = 1
	var broken atomic.Bool
	broken.Store(true)
	s := frameStore{Fail: func(_ context.Context, batch []topics.Record[*topics.Frame]) error {
		if batch[0].Partition == held && broken.Load() {
			if batch[0].Offset%2 == 0 {
				panic("the store is broken")
			}
			return errors.New("the store is broken")
		}
		return nil
	}}
	of := 0 // patients of the held partition
	for p := range 9 {
		if topics.Partition(topics.Key(fmt.Sprint("p", p)), conf.Partitions) == held {
			of++
		}
	}
	r, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, storeNode(&s))
	produce(t, conf, 9, 0, 100)
	eventually(t, "the others are stored", func() bool { return len(s.Rows()) >= (9-of)*100 })
	eventually(t, "the partition is held", func() bool { return metric(t, reg, "held_partitions") == 1 })
	produce(t, conf, 9, 100, 100)
	eventually(t, "the others go on", func() bool { return len(s.Rows()) >= (9-of)*200 })
	eventually(t, "it is tried again", func() bool { return metric(t, reg, "delivery_retries_total") >= 3 })
	eventually(t, "the lag is told", func() bool { return metric(t, reg, "lag_records") >= float64(of*100) })
	if !r.Ready() {
		t.Error("a store that is broken makes the sink unready; it is not the sink that is")
	}
	for _, row := range s.Rows() {
		if row.Partition == held {
			t.Fatal("a record of the held partition is stored")
		}
	}
	broken.Store(false)
	keeps(t, &s, 9, 200)
	eventually(t, "nothing is held", func() bool { return metric(t, reg, "held_partitions") == 0 })
	stop()
}

// rejectsTheUndeliverable brings what cannot be read and what the store
// refuses: both are in rejects, once, and all else is stored.
func rejectsTheUndeliverable(t *testing.T, conf kafka.Config) {
	cl := pipelinetest.Client(t, conf)
	at := topics.Partition("p0", conf.Partitions)
	put := func(r *kgo.Record) {
		t.Helper()
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	frame := func(device string, i int) *kgo.Record {
		f := &topics.Frame{Patient: "p0", Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: device, First: uint64(i)}}}
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: device, Offset: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	put(frame("d", 0))
	put(frame("foreign", 0))
	put(&kgo.Record{Topic: topics.Frames.On(conf.Site), Key: []byte("p0"), Partition: at, Value: []byte{0xff, 1, 2}})
	put(frame("d", 1))
	s := frameStore{Bad: func(r topics.Record[*topics.Frame]) bool { return r.Value.GetSamples().GetDevice() == "foreign" }}
	stop := start(t, conf, "1", storeNode(&s))
	keeps(t, &s, 1, 2)
	stop()
	stop = start(t, conf, "1", storeNode(&s)) // it comes back behind them
	put(frame("d", 2))
	keeps(t, &s, 1, 3)
	stop()

	var got []string
	err := conf.Scan(context.Background(), testLog(t), topics.Rejects, kafka.Since{Start: true}, func(rec topics.Record[proto.Message], err error) error {
		if err != nil {
			return err
		}
		r, origin := rec.Value.(*topics.Reject), rec.Origin
		if r.Origin != origin.String() || origin.Source != "frames" || origin.Partition != at || origin.Epoch == 0 {
			t.Errorf("the reject's origin is %s and %s, want the record's place in the log", r.Origin, origin)
		}
		got = append(got, fmt.Sprint(origin.Offset, " ", r.Source, " ", r.Reason, " ", r.Size > 0 && len(r.Original) == int(r.Size)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 store undeliverable true", "2 store undecodable true"}; !slices.Equal(got, want) {
		t.Errorf("rejects %v, want %v", got, want)
	}
}

// stopsWhenOvertaken lets the log forget what was to be delivered next.
func stopsWhenOvertaken(t *testing.T, conf kafka.Config) {
	var s frameStore
	node := storeNode(&s)
	stop := start(t, conf, "1", node)
	produce(t, conf, 9, 0, 20)
	keeps(t, &s, 9, 20)
	stop()
	at := topics.Partition("p0", conf.Partitions)
	before := rowsOf(&s, at)
	produce(t, conf, 9, 20, 20)
	per := before[len(before)-1].Offset + 1 // each 20 samples of its patients
	forget(t, conf, at, per+7)
	elsewhere := 9*20 - int(per) // of each 20

	r, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, node)
	eventually(t, "the others go on", func() bool { return len(s.Rows()) >= 9*20+elsewhere })
	eventually(t, "it is counted", func() bool { return metric(t, reg, "overtaken_total") == 1 && metric(t, reg, "held_partitions") == 1 })
	if r.Ready() {
		t.Error("a sink that stands still before a hole is ready")
	}
	if _, err := node.AcceptLoss(context.Background(), conf, testLog(t)); err == nil || !strings.Contains(err.Error(), "end them first") {
		t.Errorf("the loss was accepted while the sink ran: %v", err)
	}
	produce(t, conf, 9, 40, 5)
	eventually(t, "the others still go on", func() bool { return len(s.Rows()) >= 9*20+elsewhere+elsewhere/4 })
	if now := rowsOf(&s, at); len(now) != len(before) {
		t.Fatalf("%d records behind a hole that nobody has accepted", len(now)-len(before))
	}
	stop()

	holes, err := node.AcceptLoss(context.Background(), conf, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(holes) != 1 || holes[0].Partition != at || holes[0].Next != per || holes[0].First != per+7 || holes[0].Lost() != 7 ||
		time.Since(holes[0].Since).Abs() > time.Minute {
		t.Fatalf("holes %+v, want 7 records of partition %d from %d on", holes, at, per)
	}
	if again, err := node.AcceptLoss(context.Background(), conf, testLog(t)); err != nil || len(again) != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
	r, reg, stop = launch(t, conf, pipeline.Config{Instance: "1"}, node)
	eventually(t, "it goes on behind the hole", func() bool { return len(s.Rows()) == 9*45-7 })
	if now := rowsOf(&s, at); now[len(before)].Offset != per+7 {
		t.Errorf("it went on at %d, want %d", now[len(before)].Offset, per+7)
	}
	if !r.Ready() || metric(t, reg, "held_partitions") != 0 {
		t.Error("it is held though the loss is accepted")
	}
	stop()
}

// overtakenBeforeTheFirst lets the log forget what a sink has never been able
// to deliver: no commit tells of it but the one that it began with.
func overtakenBeforeTheFirst(t *testing.T, conf kafka.Config) {
	s := frameStore{Fail: func(context.Context, []topics.Record[*topics.Frame]) error { return errors.New("not there yet") }}
	produce(t, conf, 1, 0, 20)
	at := topics.Partition("p0", conf.Partitions)
	_, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, storeNode(&s))
	eventually(t, "it has tried", func() bool { return metric(t, reg, "delivery_retries_total") > 0 })
	cl := kadm.NewClient(pipelinetest.Client(t, conf))
	eventually(t, "it has its place", func() bool {
		o, err := cl.FetchOffsets(context.Background(), conf.Site+".store")
		c, there := o.Lookup(topics.Frames.On(conf.Site), at)
		return err == nil && there && c.At == 0
	})
	stop()
	forget(t, conf, at, 5)
	s.Fail = nil
	r, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, storeNode(&s))
	eventually(t, "the hole is found", func() bool { return metric(t, reg, "overtaken_total") == 1 })
	if r.Ready() || len(s.Rows()) > 0 {
		t.Error("it went on over the hole")
	}
	stop()
}

// overtakenWhileHeld lets the log forget the next record of a running sink.
func overtakenWhileHeld(t *testing.T, conf kafka.Config) {
	var broken atomic.Bool
	broken.Store(true)
	s := frameStore{Fail: func(_ context.Context, batch []topics.Record[*topics.Frame]) error {
		if broken.Load() {
			return errors.New("the store is broken")
		}
		return nil
	}}
	r, reg, stop := launch(t, conf, pipeline.Config{Instance: "1"}, storeNode(&s))
	eventually(t, "it is ready", r.Ready)
	// More than a lane holds, so that some is left to be forgotten.
	at := topics.Partition("p0", conf.Partitions)
	end := big(t, conf, "p0", 40)
	eventually(t, "the partition is held", func() bool { return metric(t, reg, "held_partitions") == 1 })
	forget(t, conf, at, end-1)
	broken.Store(false)
	eventually(t, "it is counted", func() bool { return metric(t, reg, "overtaken_total") > 0 })
	eventually(t, "it is not ready", func() bool { return !r.Ready() })
	for _, row := range s.Rows() {
		if row.Offset == end-1 {
			t.Error("the record behind the hole is stored")
		}
	}
	stop()
}

// movesBetweenProcesses lets a second process join and the first leave, with a
// slow store.
func movesBetweenProcesses(t *testing.T, conf kafka.Config) {
	s := frameStore{Fail: func(ctx context.Context, _ []topics.Record[*topics.Frame]) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(30 * time.Millisecond):
			return nil
		}
	}}
	_, regA, stopA := launch(t, conf, pipeline.Config{Instance: "a"}, storeNode(&s))
	produce(t, conf, 9, 0, 20)
	_, regB, stopB := launch(t, conf, pipeline.Config{Instance: "b"}, storeNode(&s))
	n := 20
	for end := time.Now().Add(30 * time.Second); metric(t, regA, "records_total") == 0 || metric(t, regB, "records_total") == 0; n += 5 {
		if time.Now().After(end) {
			t.Fatal("after 30 s not both deliver")
		}
		produce(t, conf, 9, n, 5) // while the group rebalances
	}
	keeps(t, &s, 9, n)
	stopA()
	produce(t, conf, 9, n, 20)
	keeps(t, &s, 9, n+20)
	stopB()
	if given := s.Given(); given != 9*(n+20) {
		t.Errorf("%d records were brought, want %d: what was delivered is committed before a partition goes", given, 9*(n+20))
	}
}

// storesThroughKills kills a process that delivers into a file, again and again.
func storesThroughKills(t *testing.T, conf kafka.Config) {
	const patients, each, kills = 9, 400, 5
	path := filepath.Join(t.TempDir(), "store")
	text, err := json.Marshal(childSink{Kafka: conf, Path: path})
	if err != nil {
		t.Fatal(err)
	}
	child := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSinkInAProcessOfItsOwn$")
		cmd.Env = append(os.Environ(), childSinkVar+"="+string(text))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	cl := pipelinetest.Client(t, conf)
	seen := 0
	for i := range kills {
		cmd := child()
		produce(t, conf, patients, i*each/kills, each/kills)
		more := seen + patients*each/kills/2
		eventually(t, fmt.Sprintf("%d lines are stored", more), func() bool { seen = len(lines(t, path)); return seen >= more })
		if i%2 == 1 { // some die with nothing to repeat, some with all
			eventually(t, "it is committed", func() bool {
				lag, err := kafka.Lag(context.Background(), cl, conf.Site+".store")
				return err == nil && lag[conf.Site+".store"] == 0
			})
			seen = len(lines(t, path))
		}
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
	}
	cmd := child()
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var repeats int
	eventually(t, "all is stored", func() bool {
		next := map[string]int{}
		repeats = 0
		for _, l := range lines(t, path) {
			var key string
			var first int
			if _, err := fmt.Sscan(l, &key, &first); err != nil {
				continue // what was killed in the middle of a line
			}
			switch {
			case first > next[key]:
				t.Fatalf("%s: number %d is stored after %d: lost", key, first, next[key]-1)
			case first < next[key]:
				repeats++
			default:
				next[key]++
			}
		}
		full := len(next) == patients
		for _, n := range next {
			full = full && n == each
		}
		return full
	})
	t.Logf("%d of %d records came twice", repeats, patients*each)
}

func lines(t *testing.T, path string) (out []string) {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		out = append(out, sc.Text())
	}
	return out
}

// childSinkVar holds the settings of a sink that runs as a process of its own.
const childSinkVar = "HEARTWIRE_TEST_SINK"

type childSink struct {
	Kafka kafka.Config
	Path  string
}

// TestSinkInAProcessOfItsOwn is no test where nobody asks for the process.
func TestSinkInAProcessOfItsOwn(t *testing.T) {
	text := os.Getenv(childSinkVar)
	if text == "" {
		return
	}
	var c childSink
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	conf := pipeline.DefaultConfig()
	conf.SessionTimeout = 6 * time.Second
	conf.Instance, conf.Static = "child", true // so that the next has the partitions at once
	node := pipeline.Durable("store", pipeline.Every(topics.Frames, fileSink(c.Path)))
	r, err := pipeline.NewRunner(conf, c.Kafka, pipeline.Topology{node}, "test", testLog(t), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Run(context.Background())
}

// fileSink appends a line for each record: good enough for a death of the
// process, not of the machine.
type fileSink string

func (path fileSink) Deliver(_ context.Context, batch []topics.Record[*topics.Frame]) error {
	var b strings.Builder
	for _, r := range batch {
		fmt.Fprintf(&b, "%s %d .\n", r.Key, r.Value.GetSamples().GetFirst())
	}
	f, err := os.OpenFile(string(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(b.String())
	time.Sleep(10 * time.Millisecond) // between the effect and its commit there is time to be killed
	return errors.Join(err, f.Close())
}

func (fileSink) Close(context.Context) error { return nil }

func rowsOf(s *frameStore, partition int32) (out []topics.Record[*topics.Frame]) {
	for _, r := range s.Rows() {
		if r.Partition == partition {
			out = append(out, r)
		}
	}
	return out
}

// forget makes the log of frames begin at an offset.
func forget(t *testing.T, conf kafka.Config, partition int32, before int64) {
	t.Helper()
	var o kadm.Offsets
	o.AddOffset(topics.Frames.On(conf.Site), partition, before, -1)
	res, err := kadm.NewClient(pipelinetest.Client(t, conf)).DeleteRecords(context.Background(), o)
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// big writes n frames of 100 kB each, and gives the end of their partition.
func big(t *testing.T, conf kafka.Config, patient string, n int) (end int64) {
	t.Helper()
	cl := pipelinetest.Client(t, conf)
	for i := range n {
		f := &topics.Frame{Patient: patient, Kind: &topics.Frame_Samples{Samples: &topics.Samples{Device: strings.Repeat("d", 100_000), First: uint64(i)}}}
		r, err := kafka.Encode(conf.Site, topics.Frames, conf.Partitions, f, topics.Origin{Source: "d", Offset: int64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		end = r.Offset + 1
	}
	return end
}

// durableSinks are the promises of a durable sink, for every kind of broker.
var durableSinks = map[string]func(*testing.T, kafka.Config){
	"store-restarts": storesOverRestarts,
	"store-held":     holdsOneAlone,
	"store-rejects":  rejectsTheUndeliverable,
	"store-hole":     stopsWhenOvertaken,
	"store-first":    overtakenBeforeTheFirst,
	"store-while":    overtakenWhileHeld,
	"store-moves":    movesBetweenProcesses,
	"store-kills":    storesThroughKills,
	"store-holds":    holdsTheEnd,
}

func TestDurableSink(t *testing.T) {
	for name, check := range durableSinks {
		t.Run(name, func(t *testing.T) {
			conf, _ := pipelinetest.Cluster(t)
			check(t, conf)
		})
	}
}
