//go:build real

package chaos_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"heartwire/test/chaos"
	"heartwire/test/real"
	"heartwire/test/real/servers"
)

// TestFaults lets things go wrong on three brokers of Apache Kafka. It is the
// short form; with HEARTWIRE_CHAOS=full, as make chaos has it, it is all of
// them, each time with other luck. HEARTWIRE_CHAOS_SEED brings back a run's.
func TestFaults(t *testing.T) {
	seed := uint64(1)
	full := os.Getenv("HEARTWIRE_CHAOS") == "full"
	if full {
		seed = uint64(time.Now().UnixNano() % 1e6)
	}
	if s := os.Getenv("HEARTWIRE_CHAOS_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("HEARTWIRE_CHAOS_SEED=%s: want a number", s)
		}
		seed = n
	}
	bin := build(t)
	if !full {
		real.Remark(t, "the short form, %d faults; make chaos lets all %d happen", len(short), len(long)+len(network))
		suffer(t, open(t, bin, servers.Kafka(t, 3, servers.KafkaOptions{Controller: true, Meshed: true})), seed, short)
		return
	}
	t.Run("processes and brokers", func(t *testing.T) {
		suffer(t, open(t, bin, servers.Kafka(t, 3, servers.KafkaOptions{})), seed, long)
	})
	t.Run("network", func(t *testing.T) {
		suffer(t, open(t, bin, servers.Kafka(t, 3, servers.KafkaOptions{Controller: true, Proxied: true, Meshed: true})), seed, network)
	})
}

// suffer lets a house suffer faults, one after the other, and settles the
// ledger after each.
func suffer(t *testing.T, h *house, seed uint64, faults []fault) {
	for i, f := range faults {
		settled := false
		ok := t.Run(f.name, func(t *testing.T) {
			h.t = t
			name := fnv.New64a()
			name.Write([]byte(f.name))
			began := time.Now()
			h.follower.hush()
			f.do(h, rand.New(rand.NewPCG(seed, name.Sum64())))
			h.deliverAgain()
			tally := h.settle()
			silence, where := h.follower.longest()
			settled = true
			wrong := len(tally.Problems) - tally.Count(chaos.Lost) - tally.Count(chaos.Doubled)
			t.Logf("%s: seed %d, %d samples, %d frames repeated, %d records said, %d of them answers, time had %d new owners and %d ticks of no effect, lost %d, doubled %d, otherwise wrong %d, longest silence %.1f s (%s), took %.0f s",
				f.name, seed, tally.Samples, tally.Repeats, tally.Said, tally.Answers, tally.Owners, tally.Ignored, tally.Count(chaos.Lost), tally.Count(chaos.Doubled), wrong,
				silence.Seconds(), where, time.Since(began).Seconds())
			for _, p := range tally.Problems[:min(10, len(tally.Problems))] {
				t.Errorf("%s: %s %s", p.Where, p.Place, p.What)
			}
			if silence > f.silent {
				t.Errorf("%s was silent for %s, and may be for %s", where, silence.Round(100*time.Millisecond), f.silent)
			}
		})
		if h.t = t; !ok && !settled {
			t.Fatalf("the house is not as it was; %d more faults did not happen", len(faults)-i-1)
		}
	}
	t.Run("read from outside", h.readFromOutside)
}
