//go:build linux

package servers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// quiet is how long Java's consumer waits for more before it ends. Joining its
// group falls into that.
const quiet = 10 * time.Second

// ReadByJava reads a topic from the beginning by Java's own consumer, in Kafka's
// console consumer with --isolation-level read_committed and no word about
// repeats, as anybody outside would: partition, offset, headers, key and value
// of each record in the order in which it gives them. Nobody may write
// meanwhile: it ends when nothing has come for a while.
func (k *KafkaCluster) ReadByJava(topic string) ([]*kgo.Record, error) {
	args := append(k.java.argv[1:len(k.java.argv):len(k.java.argv)], "org.apache.kafka.tools.consumer.ConsoleConsumer",
		"--bootstrap-server", strings.Join(k.addrs, ","), "--topic", topic, "--from-beginning",
		"--isolation-level", "read_committed", "--timeout-ms", strconv.FormatInt(quiet.Milliseconds(), 10))
	// Bytes prints what is no printable ASCII, and the backslash, as \x and two digits.
	const printed = "org.apache.kafka.common.serialization.BytesDeserializer"
	for _, p := range []string{
		"print.partition=true", "print.offset=true", "print.headers=true", "print.key=true",
		"key.separator=\t", "headers.separator=\x1f", `null.literal=\N`,
		"key.deserializer=" + printed, "value.deserializer=" + printed, "headers.deserializer=" + printed,
	} {
		args = append(args, "--formatter-property", p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.java.argv[0], args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read %s by Java's consumer: %w\n%s", topic, err, said.Bytes())
	}
	var records []*kgo.Record
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		r, err := parsePrinted(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("read %s by Java's consumer: line %d: %w", topic, len(records)+1, err)
		}
		r.Topic = topic
		records = append(records, r)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if want := fmt.Sprintf("Processed a total of %d messages", len(records)); !strings.Contains(said.String(), want) {
		return nil, fmt.Errorf("read %s by Java's consumer: %d lines, and it says: %s", topic, len(records), said.Bytes())
	}
	return records, nil
}

// none is how an absent key or value is printed. One that is the literal itself
// would be too; no topic of a site has any.
const none = `\x5CN`

// parsePrinted reads one line of the console consumer:
// Partition:P, Offset:O, headers, key and value, with tabs between them.
func parsePrinted(line string) (*kgo.Record, error) {
	f := strings.Split(line, "\t")
	if len(f) != 5 {
		return nil, fmt.Errorf("%d fields, want 5: %.200q", len(f), line)
	}
	r := &kgo.Record{}
	partition, ok1 := strings.CutPrefix(f[0], "Partition:")
	offset, ok2 := strings.CutPrefix(f[1], "Offset:")
	p, err1 := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("no partition and offset: %.200q", line)
	}
	r.Partition, r.Offset = int32(p), o
	for h := range strings.SplitSeq(f[2], "\x1f") {
		if h == "NO_HEADERS" {
			continue
		}
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("a header without a colon: %.200q", line)
		}
		b, err := printedBytes(value)
		if err != nil {
			return nil, err
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: b})
	}
	var err error
	if r.Key, err = printedBytes(f[3]); err != nil {
		return nil, err
	}
	r.Value, err = printedBytes(f[4])
	return r, err
}

// printedBytes are the bytes that Java's Bytes printed as s; nil for an absent value.
func printedBytes(s string) ([]byte, error) {
	if s == none {
		return nil, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		if len(s) < i+4 || s[i+1] != 'x' {
			return nil, fmt.Errorf("no bytes as Java prints them: %.200q", s)
		}
		n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("no bytes as Java prints them: %.200q", s)
		}
		b = append(b, byte(n))
		i += 3
	}
	return b, nil
}
