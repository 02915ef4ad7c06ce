package bridge

import (
	"cmp"
	"slices"
	"sync"
)

// DeviceRejects is how many messages of a device were refused for a reason
// since the process began.
type DeviceRejects struct {
	Device string `json:"device"` // "" where it could not be told
	Reason Reason `json:"reason"`
	Count  uint64 `json:"count"`
}

// refused counts by device, which metrics must not: whoever may publish could
// make as many as he likes. It is therefore bounded; rejects has them all.
type refused struct {
	mu     sync.Mutex
	counts map[DeviceRejects]uint64 // keys have Count 0
}

const maxRefused = 10_000

func (r *refused) count(device string, why Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := DeviceRejects{Device: device, Reason: why}
	if _, known := r.counts[key]; !known && len(r.counts) >= maxRefused {
		key.Device = ""
	}
	r.counts[key]++
}

func (r *refused) list() []DeviceRejects {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]DeviceRejects, 0, len(r.counts))
	for key, n := range r.counts {
		key.Count = n
		all = append(all, key)
	}
	slices.SortFunc(all, func(a, b DeviceRejects) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
