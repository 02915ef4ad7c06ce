package bridge

import (
	"math"
	"slices"

	"heartwire/topics"
)

// What a frame may be.
const (
	maxLeads = 12
	minRate  = 10.0   // Hz
	maxRate  = 5000.0 // Hz
	minRun   = 0.020  // s
	maxRun   = 10.0   // s

	// maxUptime bounds a sample counter: past a hundred years it is an error
	// of the device, and the arithmetic of times stays exact to the µs.
	maxUptime = 100 * 366 * 24 * 3600.0 // s
)

// checkFrame checks everything but the device, brings the leads to deltas, and
// tells how many samples each lead has.
func checkFrame(f *topics.PatchFrame) (int, error) {
	if !validRate(f.Rate) {
		return 0, refuse(RateInvalid, "a rate is between %g and %g Hz", minRate, maxRate)
	}
	count, err := checkLeads(f.Leads)
	if err != nil {
		return 0, err
	}
	if err := checkRun(f.Boot, f.First, f.Rate, count); err != nil {
		return 0, err
	}
	if len(f.Missing) != 0 && len(f.Missing) != (count+7)/8 {
		return 0, refuse(MissingLength, "%d bytes of missing; %d samples need %d, or none", len(f.Missing), count, (count+7)/8)
	}
	return count, checkPace(f, count)
}

// validRate is also false for NaN, of which no comparison is true.
func validRate(rate float64) bool { return rate >= minRate && rate <= maxRate }

// checkRun checks a run's length and its place in the counters.
func checkRun(boot, first uint64, rate float64, count int) error {
	switch {
	case !validRate(rate):
		return refuse(RateInvalid, "a rate is between %g and %g Hz", minRate, maxRate)
	// A run of one sample more or less is allowed for, so that rates which do
	// not divide 20 ms or 10 s need no thought.
	case float64(count+1) <= minRun*rate:
		return refuse(SamplesFew, "%d samples are less than 20 ms: keep them for the next run", count)
	case float64(count-1) >= maxRun*rate:
		return refuse(SamplesMany, "%d samples are more than 10 s: send shorter runs", count)
	case boot > math.MaxInt64:
		return refuse(Overflow, "boot %d is past 2^63", boot)
	case (float64(first)+float64(count))/rate > maxUptime:
		return refuse(Overflow, "sample %d is more than a hundred years after the boot", first)
	}
	return nil
}

func checkLeads(leads []*topics.Lead) (int, error) {
	switch {
	case len(leads) == 0:
		return 0, refuse(LeadsNone, "a frame has 1 to %d leads", maxLeads)
	case len(leads) > maxLeads:
		return 0, refuse(LeadsMany, "%d leads; at most %d", len(leads), maxLeads)
	}
	count := -1
	for i, l := range leads {
		n, err := checkLead(l)
		if err != nil {
			return 0, err
		}
		if count < 0 {
			count = n
		}
		if n != count {
			return 0, refuse(LeadsUnequal, "leads of %d and %d samples; all have the same, also one that is off", count, n)
		}
		for _, other := range leads[:i] {
			if other.Name == l.Name {
				return 0, refuse(LeadName, "two leads have one name")
			}
		}
	}
	return count, nil
}

// checkLead checks one lead and brings it to deltas.
func checkLead(l *topics.Lead) (int, error) {
	if l.Name == "" || len(l.Name) > maxLeadName || !printable(l.Name) {
		return 0, refuse(LeadName, "a lead's name is 1 to %d bytes without control characters", maxLeadName)
	}
	if scale := l.MicrovoltsPerCount; !(scale > 0) || math.IsInf(scale, 1) {
		return 0, refuse(ScaleInvalid, "microvolts_per_count is above 0 and finite")
	}
	if (len(l.Deltas) == 0) == (len(l.Samples) == 0) {
		return 0, refuse(LeadSamples, "a lead has either deltas or samples, not both and not neither")
	}
	if len(l.Samples) > 0 {
		return len(l.Samples), toDeltas(l)
	}
	sum := int64(0)
	for _, d := range l.Deltas {
		if sum += int64(d); sum != int64(int32(sum)) {
			return 0, refuse(Overflow, "the deltas add up to more than 32 bits")
		}
	}
	return len(l.Deltas), nil
}

// toDeltas makes deltas of plain samples, in place.
func toDeltas(l *topics.Lead) error {
	before := int64(0)
	for i, v := range l.Samples {
		d := int64(v) - before
		if d != int64(int32(d)) {
			return refuse(Overflow, "two samples differ by more than 32 bits")
		}
		l.Samples[i], before = int32(d), int64(v)
	}
	l.Deltas, l.Samples = l.Samples, nil
	return nil
}

// checkPace brings the pulses into order, each once.
func checkPace(f *topics.PatchFrame, count int) error {
	if len(f.PacePulses) == 0 {
		return nil
	}
	slices.Sort(f.PacePulses)
	f.PacePulses = slices.Compact(f.PacePulses)
	if last := f.PacePulses[len(f.PacePulses)-1]; int64(last) >= int64(count) {
		return refuse(PaceRange, "a pace pulse at sample %d of %d", last, count)
	}
	return nil
}

// A fingerprint is equal for equal content: rate, leads, missing samples and
// pace pulses. It is FNV-1a over words: it tells apart by chance, not against
// malice, and a device can only contradict itself.
const printSeed = 14695981039346656037

func mix(h, v uint64) uint64 { return (h ^ v) * 1099511628211 }

func mixText[T string | []byte](h uint64, b T) uint64 {
	h = mix(h, uint64(len(b)))
	for i := range len(b) {
		h = mix(h, uint64(b[i]))
	}
	return h
}

func fingerprint(s *topics.Samples) uint64 {
	h := mix(printSeed, math.Float64bits(s.Rate))
	for _, l := range s.Leads {
		h = mixText(h, l.Name)
		h = mix(h, math.Float64bits(l.MicrovoltsPerCount))
		if l.Off {
			h = mix(h, 1)
		}
		for _, d := range l.Deltas {
			h = mix(h, uint64(uint32(d)))
		}
	}
	h = mixText(h, s.Missing)
	for _, p := range s.PacePulses {
		h = mix(h, uint64(p))
	}
	return h
}
