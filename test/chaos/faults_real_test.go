//go:build real

package chaos_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"heartwire/pipeline/failpoint"
)

// fault is something that goes wrong with a house that is at work.
type fault struct {
	name   string
	silent time.Duration // the longest that any partition may be silent meanwhile
	do     func(h *house, luck *rand.Rand)
}

// replaced is how soon the patients of a process that died are watched again.
const replaced = 10 * time.Second

// hits is at which time that a failpoint is reached it strikes: soon after the
// process has begun to work, and in mid-work.
func hits(luck *rand.Rand) int { return 10 + luck.IntN(30) }

func strike(moment string, n int, how string) string {
	return fmt.Sprintf("HEARTWIRE_FAILPOINT=%s=%d%s", moment, n, how)
}

// dies kills one process of each of some stages, one after the other, at a
// moment of its turn. The other one takes over; then it comes back.
func dies(moment string, stages ...string) fault {
	return fault{"kill -9 at " + moment + " of " + fmt.Sprint(stages), replaced, func(h *house, luck *rand.Rand) {
		for _, s := range stages {
			n := hits(luck)
			if moment == failpoint.StageRestored {
				n = 1
			}
			p := h.struck(s, luck, strike(moment, n, ""))
			h.await(time.Minute, "a stage to be killed at "+moment, p.Killed)
			h.caughtUp(time.Minute)
			p.Start()
			h.ready(p)
		}
	}}
}

// struck restarts a process of a stage, whichever it is, with a failpoint.
func (h *house) struck(stage string, luck *rand.Rand, env string) *part {
	name := stage + []string{"-a", "-b"}[luck.IntN(2)]
	p := h.parts[name]
	p.Stop()
	p.Start(env)
	if stage != "registry" {
		return p
	}
	// There is one partition of requests. Who owned it before keeps it, so it
	// is p's only when the other one has gone for a moment.
	h.await(time.Minute, name+" to be in the group", func() bool { return h.isReady(p) || !p.Running() || p.Paused() })
	if !p.Running() || p.Paused() {
		return p
	}
	next := h.parts[other(name)]
	next.Stop()
	h.await(time.Minute, name+" to own the requests", func() bool {
		n, ok := p.metric("heartwire_pipeline_partitions")
		return ok && n == 1 || !p.Running() || p.Paused()
	})
	next.Start()
	return p
}

// bridgeDies kills the active bridge at a moment of a message. The other one takes over.
func bridgeDies(moment string) fault {
	return fault{"kill -9 at " + moment, replaced, func(h *house, luck *rand.Rand) {
		h.await(time.Minute, "an active bridge", func() bool { return h.active() != "" })
		name := h.active()
		works, next := h.parts[name], h.parts[other(name)]
		next.Stop()
		next.Start(strike(moment, 200+luck.IntN(100), ""))
		h.ready(next)
		works.Stop()
		// Only then is it sure who is next.
		h.await(time.Minute, "the next bridge to be active", func() bool { return h.active() == other(name) || next.Killed() })
		works.Start()
		h.await(time.Minute, "the bridge to be killed at "+moment, next.Killed)
		h.caughtUp(time.Minute)
		next.Start()
		h.ready(next)
	}}
}

// stalls stops a process of a stage in mid-transaction for longer than its
// group waits for it, and lets it go on: it must be fenced, and say nothing twice.
func stalls(d time.Duration, stages ...string) fault {
	return fault{fmt.Sprintf("SIGSTOP for %s in mid-transaction of %v", d, stages), replaced, func(h *house, luck *rand.Rand) {
		for _, s := range stages {
			p := h.struck(s, luck, strike(failpoint.StageProduced, hits(luck), ":stop"))
			h.await(time.Minute, "a stage to be stopped", p.Paused)
			over := time.Now().Add(d)
			h.caughtUp(time.Minute)
			time.Sleep(time.Until(over))
			failed, _ := p.metric("heartwire_pipeline_restarts_total")
			p.Resume()
			h.await(time.Minute, "the stage to find that it was fenced", func() bool {
				n, ok := p.metric("heartwire_pipeline_restarts_total")
				return ok && n > failed
			})
			h.ready(p)
		}
	}}
}

// atRandom kills a process each 3 s, whichever it is; each comes back after 4 s.
func atRandom(d time.Duration) fault {
	return fault{"kill -9 at random each 3 s for " + d.String(), 30 * time.Second, func(h *house, luck *rand.Rand) {
		names := slices.Sorted(maps.Keys(h.parts))
		back := map[string]time.Time{}
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(3 * time.Second) {
			for _, name := range names {
				if at, dead := back[name]; dead && time.Now().After(at) {
					h.parts[name].Start()
					delete(back, name)
				}
			}
			name := names[luck.IntN(len(names))]
			if _, dead := back[name]; !dead {
				h.parts[name].Kill()
				back[name] = time.Now().Add(4 * time.Second)
			}
		}
		for name := range back {
			h.parts[name].Start()
			h.ready(h.parts[name])
		}
	}}
}

// rebalances lets a process of all stages come and go.
func rebalances(d time.Duration) fault {
	return fault{"a rebalance each 5 s for " + d.String(), replaced, func(h *house, luck *rand.Rand) {
		p := h.add("extra", append([]string{"stage"}, all...)...)
		defer delete(h.parts, "extra")
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Second) {
			if p.Running() {
				p.Stop()
			} else {
				p.Start()
			}
		}
		if p.Running() {
			p.Stop()
		}
	}}
}

// brokerDies kills a broker, whichever it is, and starts it again.
func brokerDies(h *house, luck *rand.Rand) {
	h.kafka.Balance()
	i := luck.IntN(3)
	h.kafka.Kill(i)
	h.caughtUp(time.Minute)
	h.kafka.Start(i)
	h.kafka.AwaitInSync(time.Minute)
}

// brokersRestart stops each broker in turn and starts it again.
func brokersRestart(h *house, luck *rand.Rand) {
	for i := range 3 {
		h.kafka.Balance()
		h.kafka.Stop(i)
		h.caughtUp(time.Minute)
		h.kafka.Start(i)
		h.kafka.AwaitInSync(time.Minute)
	}
}

// controllerDies kills the broker that leads the cluster's metadata.
func controllerDies(h *house, luck *rand.Rand) {
	h.kafka.Balance()
	i := h.kafka.Leader()
	h.kafka.Kill(i)
	h.caughtUp(time.Minute)
	h.kafka.Start(i)
	h.kafka.AwaitInSync(time.Minute)
}

const outage = 20 * time.Second

// twoBrokersDie leaves one of three brokers: less than may acknowledge.
func twoBrokersDie(h *house, luck *rand.Rand) {
	left := luck.IntN(3)
	first, second := (left+1)%3, (left+2)%3
	h.kafka.Kill(first)
	h.kafka.Kill(second)
	end := time.Now().Add(outage)
	acked := func() (sum float64) {
		for _, n := range []string{"bridge-a", "bridge-b"} {
			v, ok := h.parts[n].metric("heartwire_bridge_ack_seconds_count")
			if !ok {
				h.t.Fatalf("%s does not tell how many messages it has acknowledged", n)
			}
			sum += v
		}
		return sum
	}
	// What was acknowledged to the bridge before may be on its way for a moment.
	time.Sleep(time.Second)
	before := acked()
	time.Sleep(time.Until(end))
	if n := acked(); n != before {
		h.t.Errorf("the bridge acknowledged %.0f messages with one of three brokers", n-before)
	}
	h.kafka.Start(first)
	h.kafka.Start(second)
	h.kafka.AwaitInSync(2 * time.Minute)
}

// coordinatorMoves stops a stage in mid-transaction, takes away the broker
// that coordinates it, and lets the stage go on when another one does.
func coordinatorMoves(h *house, luck *rand.Rand) {
	for _, s := range all {
		p := h.struck(s, luck, strike(failpoint.StageProduced, hits(luck), ":stop"))
		h.await(time.Minute, "a stage to be stopped", p.Paused)
		id := h.conf.Site + "." + s + "." + p.name
		was := h.coordinator(id)
		h.kafka.Stop(was)
		h.await(time.Minute, "another coordinator", func() bool { i := h.coordinator(id); return i >= 0 && i != was })
		p.Resume()
		h.caughtUp(time.Minute)
		h.kafka.Start(was)
		h.kafka.AwaitInSync(time.Minute)
		h.ready(p)
	}
}

// coordinator is the broker that coordinates a transactional id; -1 while none is known.
func (h *house) coordinator(id string) int {
	h.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(h.conf.Brokers...))
	if err != nil {
		h.t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	found := kadm.NewClient(cl).FindTxnCoordinators(ctx, id)[id]
	if found.Err != nil {
		return -1
	}
	return int(found.NodeID) - 1
}

// mosquittoRestarts stops the MQTT broker, which keeps what it owes on disk.
func mosquittoRestarts(h *house, luck *rand.Rand) {
	h.mosquitto.Stop()
	time.Sleep(time.Duration(2+luck.IntN(3)) * time.Second)
	h.mosquitto.Start()
}

// short are the faults of every run of the real tests, and long are all, with network.
var (
	short = []fault{
		dies(failpoint.StageProduced, "beats", "registry"),
		dies(failpoint.StageCommitted, "alarms"),
		bridgeDies(failpoint.BridgeProduced),
		clockDies,
		stalls(12*time.Second, "rhythm"),
		{"a broker killed", 20 * time.Second, brokerDies},
		cutFromAll,
	}
	long = []fault{
		dies(failpoint.StageBegun, all...),
		dies(failpoint.StageProduced, all...),
		dies(failpoint.StageCommitted, all...),
		dies(failpoint.StageRestored, all...),
		bridgeDies(failpoint.BridgeReceived),
		bridgeDies(failpoint.BridgeProduced),
		bridgeDies(failpoint.BridgeAcked),
		clockDies,
		stalls(time.Minute, all...),
		clockStalls,
		atRandom(2 * time.Minute),
		rebalances(2 * time.Minute),
		{"mosquitto restarted", 15 * time.Second, mosquittoRestarts},
		{"each broker restarted in turn", 20 * time.Second, brokersRestart},
		{"the controller killed", 20 * time.Second, controllerDies},
		{"the coordinator moved in mid-transaction", 20 * time.Second, coordinatorMoves},
	}
	// These need the cluster's metadata apart, and proxies before and between the brokers.
	network = []fault{
		{"two of three brokers killed for " + outage.String(), outage + 30*time.Second, twoBrokersDie},
		{"latency between clients and brokers", replaced, slow},
		{"clients cut off from brokers", 30 * time.Second, cuts},
		cutFromFollower,
		cutFromController,
		cutFromAll,
	}
	all = append([]string{"registry"}, stageNames...)
)
