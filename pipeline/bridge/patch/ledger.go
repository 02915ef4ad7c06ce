package patch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"heartwire/topics"
)

// Fate is what became of a frame.
type Fate string

// The fates.
const (
	Delivered Fate = "delivered" // the broker has acknowledged it
	Lost      Fate = "lost"      // never sent, as the behaviour wants
	Dropped   Fate = "dropped"   // the backlog was full, or the emulator ended before it could be sent
	Unknown   Fate = "unknown"   // sent, and the emulator ended before it was acknowledged
)

// Entry is one frame in the ledger, told once, when its fate is known.
// Samples that a patch never had (a dropout, a reboot) have no entry.
type Entry struct {
	Device string
	Boot   uint64
	First  uint64
	Count  int
	Digest [32]byte // Digest of its leads
	Fate   Fate
	Due    time.Time // its last sample was measured
	Sent   time.Time // it was first written to the connection; zero: never
	Done   time.Time // its fate was known
}

// Digest is the SHA-256 of leads' samples: for each lead in order its name, a
// zero byte, and its counts, undone of deltas, as little-endian int32. It is
// equal for what a patch sent and what the log holds.
func Digest(leads []*topics.Lead) [32]byte {
	h := sha256.New()
	var b []byte
	for _, l := range leads {
		b = append(append(b[:0], l.Name...), 0)
		for _, v := range l.Samples {
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
		sum := int32(0)
		for _, d := range l.Deltas {
			sum += d
			b = binary.LittleEndian.AppendUint32(b, uint32(sum))
		}
		h.Write(b)
	}
	return [32]byte(h.Sum(nil))
}

// LedgerWriter writes entries to w, a JSON object a line, times in µs of UTC.
// It can be called from several goroutines. The first error of w is kept for
// the function that it returns beside it.
func LedgerWriter(w io.Writer) (write func(Entry), failed func() error) {
	var mu sync.Mutex
	var failure error
	micros := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	write = func(e Entry) {
		line, err := json.Marshal(struct {
			Device string `json:"device"`
			Boot   uint64 `json:"boot"`
			First  uint64 `json:"first"`
			Count  int    `json:"count"`
			SHA256 string `json:"sha256"`
			Fate   Fate   `json:"fate"`
			Due    int64  `json:"due_us"`
			Sent   int64  `json:"sent_us,omitempty"`
			Done   int64  `json:"done_us"`
		}{e.Device, e.Boot, e.First, e.Count, hex.EncodeToString(e.Digest[:]), e.Fate, micros(e.Due), micros(e.Sent), micros(e.Done)})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		if err != nil && failure == nil {
			failure = fmt.Errorf("write the ledger: %w", err)
		}
	}
	failed = func() error {
		mu.Lock()
		defer mu.Unlock()
		return failure
	}
	return write, failed
}
