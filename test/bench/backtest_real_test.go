//go:build real

package bench

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/test/e2e"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// BenchmarkBacktest runs `heartwire backtest` over 24 h of 100 patients on one
// broker of Apache Kafka, and prints its wall and CPU time. The chart is what the
// stages make of two hours of each of the eight patients of `heartwire up`, again
// and again. HEARTWIRE_BENCH_HOURS and HEARTWIRE_BENCH_PATIENTS say how much else.
func BenchmarkBacktest(b *testing.B) {
	bin, err := e2e.Build()
	if err != nil {
		b.Fatal(err)
	}
	hours, patients := number("HEARTWIRE_BENCH_HOURS", 24), number("HEARTWIRE_BENCH_PATIENTS", 100)
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Partitions, conf.Replication, conf.MinISR = servers.Kafka(b, 1, servers.KafkaOptions{}).Addrs(), 12, 1, 1
	pipelinetest.MakeTopics(b, conf)
	n := fill(b, conf, hours, patients)
	rules := filepath.Join(b.TempDir(), "ward.yaml")
	text := "limits:\n  - {rule: hr.high, value: 130, duration: 10s}\n  - {rule: pvc, value: 6}\n"
	if err := os.WriteFile(rules, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, with := range [][]string{{"--rules", rules}, {"--rules", rules}} {
		args := append([]string{"backtest", "--from", fmt.Sprint(hours+1, "h"), "--json", "--html", filepath.Join(b.TempDir(), "r.html"), "--set", "kafka.brokers=" + strings.Join(conf.Brokers, ",")}, with...)
		cmd := exec.Command(bin, args...)
		cmd.Stderr = os.Stderr
		began := time.Now()
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		u := cmd.ProcessState
		fmt.Printf("%d records of %d h × %d patients: %.1f s, %.1f CPU s, %d MB of JSON\n", n, hours, patients,
			time.Since(began).Seconds(), (u.UserTime() + u.SystemTime()).Seconds(), len(out)>>20)
	}
}

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return usual
}

const recorded = 2 * time.Hour

// fill writes the chart, and gives the number of its records.
func fill(b *testing.B, conf kafka.Config, hours, patients int) (n int) {
	var charts [][][]*topics.Chart // by script, then second
	for i, script := range patch.Demo() {
		charts = append(charts, chartOf(b, script, uint64(i+1)))
	}
	cl := pipelinetest.Client(b, conf, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(50*time.Millisecond), kgo.MaxBufferedRecords(50_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	ctx, began := context.Background(), time.Now().Add(-time.Duration(hours)*time.Hour).Truncate(time.Second)
	var failed error
	put := func(c *topics.Chart, p int32, at time.Time) {
		r, err := kafka.Encode(conf.Site, topics.Charts, conf.Partitions, c, topics.Origin{Source: topics.Annotations.Name, Partition: p, Offset: int64(n)})
		if err != nil {
			b.Fatal(err)
		}
		r.Partition, r.Timestamp = p, at
		n++
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	for s := range hours * 3600 {
		at := began.Add(time.Duration(s) * time.Second)
		for i := range patients {
			key := fmt.Sprintf("p%04d", i)
			mine := charts[i%len(charts)]
			for _, c := range mine[s%len(mine)] {
				put(moved(c, key, at.UnixMicro(), int64(s-s%len(mine))), topics.Partition(topics.Key(key), conf.Partitions), at)
			}
		}
		for p := range conf.Partitions {
			put(topics.Charts.Wrap(&topics.Tick{N: uint64(s + 1), Owner: 1, ElapsedUs: 1e6, WallUs: at.UnixMicro()}), p, at)
		}
	}
	if err := cl.Flush(ctx); err != nil || failed != nil {
		b.Fatal(err, failed)
	}
	return n
}

// moved is a record of another patient, at another time.
func moved(c *topics.Chart, key string, us, seconds int64) *topics.Chart {
	c = proto.CloneOf(c)
	by := us - c.GetTimeUs()
	c.Patient, c.TimeUs = key, us
	if s := c.GetSecond(); s != nil {
		s.SampleUs += by
		s.Sample += uint64(seconds * 250)
		s.Device = "patch-" + key
		for _, r := range s.Rr {
			r.TimeUs += by
		}
	}
	if e := c.GetEpisode(); e != nil {
		e.OnsetUs += by
		e.Onset += uint64(seconds * 250)
		e.Device = "patch-" + key
		if e.End != nil {
			e.EndUs += by
			*e.End += uint64(seconds * 250)
		}
	}
	return c
}

// chartOf is what beats and rhythm say of a script's patient, by second.
func chartOf(b *testing.B, script string, seed uint64) [][]*topics.Chart {
	c := patch.DefaultSynthConfig()
	var err error
	if c.Script, err = patch.Parse(script); err != nil {
		b.Fatal(err)
	}
	c.Seed = seed
	synth, err := patch.NewSynth(c)
	if err != nil {
		b.Fatal(err)
	}
	seconds := make([][]*topics.Chart, int(recorded/time.Second))
	chart := driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
		driver.Fold(beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations, driver.Ticks(frames(c, synth), time.Second)))
	at := 0
	for r, err := range chart {
		if err != nil {
			b.Fatal(err)
		}
		if r.Value.GetTick() != nil {
			at++
		} else if at < len(seconds) {
			seconds[at] = append(seconds[at], r.Value)
		}
	}
	return seconds
}

// frames are a synthetic patient's, one a second.
func frames(c patch.SynthConfig, synth *patch.Synth) iter.Seq2[*topics.Frame, error] {
	return func(yield func(*topics.Frame, error) bool) {
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		var block patch.Block
		for i := range int64(recorded / time.Second) {
			if err := synth.Read(&block, int(c.Rate)); err != nil {
				yield(nil, err)
				return
			}
			s := &topics.Samples{
				Device: "patch", Boot: 1, First: block.First, Count: uint32(block.Len()), Rate: c.Rate, TimeUs: began + i*1e6, ArrivalUs: began + (i+1)*1e6,
			}
			for k, counts := range block.Counts {
				l := &topics.Lead{Name: c.Leads[k], MicrovoltsPerCount: c.MicrovoltsPerCount, Off: block.Off[k]}
				last := int32(0)
				for _, v := range counts {
					l.Deltas = append(l.Deltas, v-last)
					last = v
				}
				s.Leads = append(s.Leads, l)
			}
			if !yield(&topics.Frame{Patient: "p", Kind: &topics.Frame_Samples{Samples: s}}, nil) {
				return
			}
		}
	}
}
