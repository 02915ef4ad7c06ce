package e2e

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"heartwire/topics"
)

// Signal puts a device's samples together as the client received them: each
// lead's counts, by its name, from sample 0 of the newest boot on. A sample
// that is not there, or is there twice, is an error.
func (c *Client) Signal(device string) (map[string][]int32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var runs []*topics.Samples
	boot := uint64(0)
	for _, r := range c.runs {
		if r.Device == device {
			runs, boot = append(runs, r), max(boot, r.Boot)
		}
	}
	runs = slices.DeleteFunc(runs, func(r *topics.Samples) bool { return r.Boot != boot })
	slices.SortFunc(runs, func(a, b *topics.Samples) int { return int(int64(a.First) - int64(b.First)) })
	leads := map[string][]int32{}
	next := uint64(0)
	for _, r := range runs {
		if r.First != next {
			return nil, fmt.Errorf("%s: samples from %d where %d is due", device, r.First, next)
		}
		if len(r.Missing) > 0 {
			return nil, fmt.Errorf("%s: samples from %d have missing ones among them", device, r.First)
		}
		for _, l := range r.Leads {
			sum := int32(0)
			for _, d := range l.Deltas {
				sum += d
				leads[l.Name] = append(leads[l.Name], sum)
			}
		}
		next += uint64(r.Count)
	}
	for name, s := range leads {
		if uint64(len(s)) != next {
			return nil, fmt.Errorf("%s: lead %s has %d of %d samples", device, name, len(s), next)
		}
	}
	return leads, nil
}

// SHA256 is the hash of a signal: for each lead, by name, its name and its
// counts as little-endian int32.
func SHA256(leads map[string][]int32) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(leads)) {
		h.Write(append([]byte(name), 0))
		var b []byte
		for _, v := range leads[name] {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
