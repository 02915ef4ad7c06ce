//go:build real

package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/twmb/franz-go/pkg/kadm"

	engine "heartwire/pipeline/bench"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/test/e2e"
	"heartwire/test/real/servers"
	"heartwire/topics"
)

// BenchmarkStage runs `heartwire bench stage` on one broker of Apache Kafka,
// and then Kafka Streams over the load of its windows, on the same broker: what
// the two say is compared record by record. HEARTWIRE_BENCH_ARGS is given to
// it, as in "--records 1000000 --only windows".
func BenchmarkStage(b *testing.B) {
	bin, err := e2e.Build()
	if err != nil {
		b.Fatal(err)
	}
	cluster := servers.Kafka(b, 1, servers.KafkaOptions{})
	args := append([]string{"bench", "stage", "--json", "--set", "kafka.brokers=" + strings.Join(cluster.Addrs(), ",")},
		strings.Fields(os.Getenv("HEARTWIRE_BENCH_ARGS"))...)
	cmd := exec.Command(bin, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	os.Stdout.Write(out)
	var report struct {
		Windows []struct {
			Site       string
			Partitions int32
			Records    int64
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		b.Fatal(err)
	}
	if len(report.Windows) == 0 {
		return // --only left them out
	}
	w := report.Windows[0]
	conf := kafka.DefaultConfig()
	conf.Brokers, conf.Site, conf.Partitions = cluster.Addrs(), w.Site, w.Partitions
	ours := windows(b, conf, topics.Annotations.On(conf.Site))
	if whole := windows(b, conf, topics.Charts.On(conf.Site)); difference(ours, whole) != "" {
		b.Errorf("windows and windows-whole differ: %s", difference(ours, whole))
	}
	program := compile(b)
	for _, commit := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond} {
		for _, store := range []string{"memory", "rocksdb"} {
			theirs := program.run(b, conf, commit, store, w.Records)
			if d := difference(ours, theirs); d != "" {
				b.Errorf("Kafka Streams differs: %s", d)
			}
		}
	}
	fmt.Printf("%d windows compared, key by key and in order\n", len(ours))
}

// A window is one thing that was said of a key, of those before it the number.
type window struct {
	key string
	n   int
}

type aggregate struct{ begin, count, sum, least, most int64 }

// windows reads what stands committed in a topic.
func windows(b *testing.B, conf kafka.Config, topic string) map[window]aggregate {
	b.Helper()
	said, n := map[window]aggregate{}, map[string]int{}
	err := engine.Said(context.Background(), conf, slog.New(slog.DiscardHandler), topic, func(key string, s *topics.Samples) error {
		said[window{key, n[key]}] = aggregate{s.TimeUs, int64(s.First), s.ArrivalUs, s.DeviceTimeUs, int64(s.Boot)}
		n[key]++
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return said
}

// difference is where two have not said the same, each key in its order.
func difference(a, b map[window]aggregate) string {
	if len(a) != len(b) || len(a) == 0 {
		return fmt.Sprintf("%d windows and %d", len(a), len(b))
	}
	for w, said := range a {
		if b[w] != said {
			return fmt.Sprintf("window %d of a key is %+v and %+v", w.n, said, b[w])
		}
	}
	return ""
}

// streams is the program in Java, compiled.
type streams struct{ dir string }

func compile(b *testing.B) streams {
	b.Helper()
	dir := b.TempDir()
	for _, argv := range [][]string{
		{"mvn", "-B", "-q", "-f", "streams/pom.xml", "dependency:copy-dependencies", "-DoutputDirectory=" + filepath.Join(dir, "jars")},
		{"javac", "--release", "17", "-cp", filepath.Join(dir, "jars", "*"), "-d", filepath.Join(dir, "classes"), "streams/src/main/java/heartwire/Windows.java"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			b.Fatalf("%s: %v; install maven and a JDK of 17 or later\n%s", argv[0], err, out)
		}
	}
	return streams{dir}
}

// run has Kafka Streams read the load, prints what that takes, and gives what it said.
func (s streams) run(b *testing.B, conf kafka.Config, commit time.Duration, store string, total int64) map[window]aggregate {
	b.Helper()
	ctx := context.Background()
	cl := pipelinetest.Client(b, conf)
	id := fmt.Sprintf("%s-streams-%s-%d", conf.Site, store, commit.Milliseconds())
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, conf.Partitions, 1, nil, id); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		"-cp", filepath.Join(s.dir, "classes")+":"+filepath.Join(s.dir, "jars", "*"), "heartwire.Windows",
		conf.Brokers[0], id, topics.Frames.On(conf.Site), id, strconv.FormatInt(commit.Milliseconds(), 10), store, "2", b.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() {
		b.Fatalf("Kafka Streams did not begin to run: %s", &errs)
	}
	before, _ := used(b, cmd.Process.Pid)
	began := time.Now()
	for left := total; left > 0; time.Sleep(100 * time.Millisecond) {
		if left, err = engine.Left(ctx, cl, conf, id); err != nil {
			b.Fatal(err)
		}
		if time.Since(began) > 20*time.Minute {
			b.Fatalf("Kafka Streams has %d records left after 20 min: %s", left, &errs)
		}
	}
	took := time.Since(began)
	cpu, resident := used(b, cmd.Process.Pid)
	cpu -= before
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait() // 143 by the signal
	n := float64(total)
	fmt.Printf("Kafka Streams, EOS v2, %s, commit %s: %.0f records/s, CPU %.2f s a million records, %.0f records a core-second, %.0f MiB at most\n",
		store, commit, n/took.Seconds(), cpu/n*1e6, n/cpu, resident/(1<<20))
	return windows(b, conf, id)
}

// used is the CPU in s that a process has used, and the most bytes that it was resident with.
func used(b *testing.B, pid int) (cpu, resident float64) {
	b.Helper()
	p, err := procfs.NewProc(pid)
	if err != nil {
		b.Fatal(err)
	}
	stat, err := p.Stat()
	if err != nil {
		b.Fatal(err)
	}
	status, err := p.NewStatus()
	if err != nil {
		b.Fatal(err)
	}
	return stat.CPUTime(), float64(status.VmHWM)
}
