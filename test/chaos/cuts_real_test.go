//go:build real

package chaos_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"heartwire/test/real/servers"
	"heartwire/topics"
)

// slow delays each word between brokers and clients.
func slow(h *house, luck *rand.Rand) {
	for i := range 3 {
		h.kafka.Proxy(i).Delay(time.Duration(20+luck.IntN(60)) * time.Millisecond)
	}
	time.Sleep(30 * time.Second)
	h.caughtUp(time.Minute)
	for i := range 3 {
		h.kafka.Proxy(i).Mend()
	}
}

// cuts cuts clients off from one broker after the other: with a word, and
// without one.
func cuts(h *house, luck *rand.Rand) {
	for range 3 {
		for _, i := range luck.Perm(3) {
			p := h.kafka.Proxy(i)
			if luck.IntN(2) == 0 {
				p.Cut()
			} else {
				p.Freeze()
			}
			time.Sleep(time.Duration(3+luck.IntN(5)) * time.Second)
			p.Mend()
			time.Sleep(2 * time.Second)
		}
	}
}

// broken breaks connections, with a word or without one.
func broken(luck *rand.Rand, links ...*servers.Proxy) {
	silently := luck.IntN(2) == 0
	for _, p := range links {
		if silently {
			p.Freeze()
		} else {
			p.Cut()
		}
	}
}

func mended(links ...*servers.Proxy) {
	for _, p := range links {
		p.Mend()
	}
}

// cutFromFollower cuts a leader and a follower off from each other, while
// clients, the third broker and the controller reach both. What is written
// waits until the follower is no copy in sync any more, and transactions that
// one of them coordinates and that hold words for the other do until the end.
var cutFromFollower = fault{"a leader and a follower cut off from each other", 30 * time.Second, func(h *house, luck *rand.Rand) {
	for range 2 {
		h.kafka.Balance()
		two := luck.Perm(3)[:2]
		links := []*servers.Proxy{h.kafka.Link(two[0], two[1]), h.kafka.Link(two[1], two[0])}
		broken(luck, links...)
		h.kafka.AwaitPartitions(time.Minute, "a follower that is left behind", func(p kadm.PartitionDetail) bool {
			leads, follows := int32(two[0]+1), int32(two[1]+1)
			if p.Leader == follows {
				leads, follows = follows, leads
			}
			// One that has all there is stays in sync, so where nothing is said nothing is seen.
			return p.Topic != h.conf.Site+"."+topics.Frames.Name || p.Leader != leads || !slices.Contains(p.ISR, follows)
		})
		time.Sleep(3 * time.Second)
		mended(links...)
		h.kafka.AwaitInSync(time.Minute)
		h.caughtUp(time.Minute)
	}
}}

// cutFromController cuts a broker off from the controller, while clients and
// brokers reach it: others lead in its place, and it does not hear of it.
var cutFromController = fault{"a broker cut off from the controller", 30 * time.Second, func(h *house, luck *rand.Rand) {
	for range 2 {
		i := luck.IntN(3)
		h.deposed(i, luck, h.kafka.ControllerLink(i))
	}
}}

// cutFromAll cuts a broker off from all other nodes, while clients reach it.
var cutFromAll = fault{"a broker cut off from the brokers and the controller", 30 * time.Second, func(h *house, luck *rand.Rand) {
	i := luck.IntN(3)
	links := []*servers.Proxy{h.kafka.ControllerLink(i)}
	for j := range 3 {
		if j != i {
			links = append(links, h.kafka.Link(i, j), h.kafka.Link(j, i))
		}
	}
	h.deposed(i, luck, links...)
}}

// deposed breaks the links of broker i until nobody but itself thinks that it
// leads and all goes on without it, and mends them.
func (h *house) deposed(i int, luck *rand.Rand, links ...*servers.Proxy) {
	h.t.Helper()
	h.kafka.Balance()
	broken(luck, links...)
	h.kafka.AwaitPartitions(time.Minute, "other leaders", func(p kadm.PartitionDetail) bool { return int(p.Leader) != i+1 })
	h.caughtUp(time.Minute)
	mended(links...)
	h.kafka.AwaitInSync(time.Minute)
}
