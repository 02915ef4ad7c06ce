package beats

import (
	"errors"
	"fmt"
	"math"

	"heartwire/topics"
)

// What a frame may be, as topics/patch.proto says.
const (
	minRate, maxRate = 10, 5000 // Hz
	maxLeads         = 12
	maxSeconds       = 10.5 // of samples; a rate need not divide them evenly
	maxGain          = 1e6  // µV a count
)

// validate refuses what the bridge should have refused: nothing behind it
// looks again.
func validate(s *topics.Samples) error {
	rate := s.GetRate()
	if !(rate >= minRate && rate <= maxRate) {
		return fmt.Errorf("samples: a rate of %v Hz, want %d to %d", rate, minRate, maxRate)
	}
	n := s.GetCount()
	if n == 0 || float64(n) > rate*maxSeconds {
		return fmt.Errorf("samples: %d at %v Hz, want 20 ms to 10 s", n, rate)
	}
	if s.GetFirst() > math.MaxInt64-uint64(n) {
		return errors.New("samples: the first sample's number is too high")
	}
	if len(s.GetLeads()) == 0 || len(s.GetLeads()) > maxLeads {
		return fmt.Errorf("samples: %d leads, want 1 to %d", len(s.GetLeads()), maxLeads)
	}
	for i, l := range s.GetLeads() {
		if len(l.GetDeltas()) != int(n) {
			return fmt.Errorf("samples: lead %d has %d samples of %d", i, len(l.GetDeltas()), n)
		}
		if g := l.GetMicrovoltsPerCount(); !(g > 0 && g <= maxGain) {
			return fmt.Errorf("samples: lead %d has %v µV a count", i, g)
		}
	}
	if m := len(s.GetMissing()); m > 0 && m != (int(n)+7)/8 {
		return fmt.Errorf("samples: a bitmap of %d bytes for %d samples", m, n)
	}
	return nil
}
