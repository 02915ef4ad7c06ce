package sinktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"heartwire/sinks"
	"heartwire/topics"
)

// memory is a sink into a list, with a fault that the suite has to find.
type memory struct {
	fault string

	mu   sync.Mutex
	seen []topics.Origin
}

const badValue = -1

func (m *memory) Deliver(ctx context.Context, batch []topics.Record[int]) error {
	if err := ctx.Err(); err != nil {
		switch m.fault {
		case "swallows a cancelled batch":
			m.seen = append(m.seen, topics.Origin{Source: "lost"})
			return nil
		case "hangs on":
			time.Sleep(soon + time.Second)
		}
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var bad sinks.RejectError
	for i, r := range batch {
		if r.Value == badValue {
			bad.Index, bad.Err = append(bad.Index, i), errors.New("a bad value")
			if m.fault == "stops at a bad record" {
				break
			}
			continue
		}
		if m.fault == "repeats" || !slices.Contains(m.seen, r.Origin) {
			m.seen = append(m.seen, r.Origin)
		}
	}
	if m.fault == "loses order" && len(m.seen) > 1 {
		m.seen[0], m.seen[1] = m.seen[1], m.seen[0]
	}
	if bad.Index == nil || m.fault == "hides rejects" {
		return nil
	}
	if m.fault == "forgets the reason" {
		bad.Err = nil
	}
	return fmt.Errorf("deliver: %w", &bad)
}

func (m *memory) Close(context.Context) error {
	if m.fault == "cannot close" {
		return errors.New("broken")
	}
	return nil
}

func run(t *testing.T, fault string) {
	Run(t, Case[int]{
		Good: func(p int32, i int) topics.Record[int] {
			return topics.Record[int]{Origin: topics.Origin{Source: "s", Partition: p, Offset: int64(i)}, Partition: p, Value: i}
		},
		Bad: map[string]topics.Record[int]{"a bad value": {Value: badValue}},
		New: func(*testing.T) Target[int] {
			m := &memory{fault: fault}
			return Target[int]{Sink: m, Effects: func(*testing.T, int) []topics.Origin {
				m.mu.Lock()
				defer m.mu.Unlock()
				return slices.Clone(m.seen)
			}}
		},
	})
}

func TestASoundSinkPasses(t *testing.T) { run(t, "") }

// faultOf names, in the environment, the fault of the sink to be tested.
const faultOf = "HEARTWIRE_SINKTEST_FAULT"

// Each fault makes the suite fail, in a process of its own.
func TestEachFaultIsFound(t *testing.T) {
	if fault := os.Getenv(faultOf); fault != "" {
		run(t, fault)
		return
	}
	for _, fault := range []string{
		"repeats", "loses order", "stops at a bad record", "hides rejects", "forgets the reason",
		"swallows a cancelled batch", "hangs on", "cannot close",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestEachFaultIsFound$")
			cmd.Env = append(os.Environ(), faultOf+"="+fault)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Errorf("the suite found nothing (%v):\n%s", err, out)
			}
		})
	}
}
