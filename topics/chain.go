package topics

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
)

// AuditSum is what the next record of a chain names as its previous: SHA-256
// of the value as it stands in the log.
func AuditSum(value []byte) []byte {
	sum := sha256.Sum256(value)
	return sum[:]
}

// AuditHead is the newest end of a writer's chain. It is not safe for concurrent use.
type AuditHead struct {
	Writer   string // nobody else's
	sequence uint64
	previous []byte
}

// Link makes a record the chain's next; it is not to be changed after that.
func (h *AuditHead) Link(a *Audit) error {
	a.Writer, a.Sequence, a.Previous = h.Writer, h.sequence+1, h.previous
	b, err := Audits.Append(nil, a)
	if err != nil {
		return err
	}
	h.sequence, h.previous = a.Sequence, AuditSum(b)
	return nil
}

// AuditChains holds the records of audit against each other, in whatever order
// they are read. A chain is whole from the first record that was read to the
// last: what its writer wrote before or after that, it cannot miss.
type AuditChains struct {
	chains map[string]map[uint64][]link
	broken []string // what is wrong with a record alone
}

type link struct {
	sum, previous []byte
	lost          uint64
	place         string
}

// Add takes a record, as it stands in the log.
func (c *AuditChains) Add(r Record[*Audit]) {
	place := fmt.Sprintf("%d@%d", r.Partition, r.Offset)
	a := r.Value
	switch {
	case a == nil || a.GetWriter() == "" || a.GetSequence() == 0:
		c.broken = append(c.broken, fmt.Sprintf("%s is of no chain", place))
		return
	case r.Key != Audits.Key(a):
		c.broken = append(c.broken, fmt.Sprintf("%s stands under another key than its subject", place))
	}
	if c.chains == nil {
		c.chains = make(map[string]map[uint64][]link)
	}
	chain := c.chains[a.GetWriter()]
	if chain == nil {
		chain = make(map[uint64][]link)
		c.chains[a.GetWriter()] = chain
	}
	now := link{AuditSum(r.Raw), a.GetPrevious(), a.GetLost(), place}
	for _, old := range chain[a.GetSequence()] {
		if bytes.Equal(old.sum, now.sum) {
			return // written again, because its writer was not told that it had been
		}
	}
	chain[a.GetSequence()] = append(chain[a.GetSequence()], now)
}

// AuditChain is what is known of one writer's chain.
type AuditChain struct {
	Writer      string
	First, Last uint64 // sequences
	Lost        uint64 // records for which there was no room, by its own word
	Broken      []string
}

// Chains are the chains, by writer, and what is wrong with records alone.
func (c *AuditChains) Chains() (all []AuditChain, broken []string) {
	for _, writer := range slices.Sorted(maps.Keys(c.chains)) {
		all = append(all, check(writer, c.chains[writer]))
	}
	return all, c.broken
}

func check(writer string, links map[uint64][]link) AuditChain {
	order := slices.Sorted(maps.Keys(links))
	out := AuditChain{Writer: writer, First: order[0], Last: order[len(order)-1]}
	for i, n := range order {
		here := links[n]
		slices.SortFunc(here, func(a, b link) int { return cmp.Compare(a.place, b.place) })
		out.Lost += here[0].lost
		wrong := func(format string, args ...any) { out.Broken = append(out.Broken, fmt.Sprintf(format, args...)) }
		if len(here) > 1 {
			wrong("%d records say that they are number %d: %s and %s", len(here), n, here[0].place, here[1].place)
			continue
		}
		switch {
		case n == 1 && len(here[0].previous) > 0:
			wrong("number 1 (%s) names a record before it", here[0].place)
		case i == 0:
		case order[i-1] != n-1:
			wrong("number %d to %d are missing, before %s", order[i-1]+1, n-1, here[0].place)
		case !bytes.Equal(links[n-1][0].sum, here[0].previous) && len(links[n-1]) == 1:
			wrong("number %d (%s) is not what was written before number %d (%s)", n-1, links[n-1][0].place, n, here[0].place)
		}
	}
	return out
}
