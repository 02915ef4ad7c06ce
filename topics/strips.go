package topics

import (
	"iter"
	"math"
	"slices"
)

// Strips is the samples about the onset of each alarm, for as long as its life
// can be read.
var Strips = define(Spec{
	Name: "strips", Key: "patient", Retention: 365 * day, Schema: 1,
	Doc: "the 20 s of samples about an alarm's onset, copied from frames",
}, (*Strip).GetPatient)

// Why a strip has a hole.
const (
	HoleMissing   = "missing"   // the samples had not come when it was copied
	HoleForgotten = "forgotten" // the log held them no more
	HoleSize      = "size"      // a record cannot be as large
)

// LeadNames are the leads of a strip, in the order in which its runs have them.
func (s *Strip) LeadNames() (names []string) {
	for _, r := range s.GetRuns() {
		for _, l := range r.GetLeads() {
			if !slices.Contains(names, l.GetName()) {
				names = append(names, l.GetName())
			}
		}
	}
	return names
}

// Lead gives a strip's samples of one lead between its ends: sample time in µs,
// and µV. NaN stands for a sample that is missing, or taken while the lead was
// off, and once between two runs that do not join.
func (s *Strip) Lead(name string) iter.Seq2[int64, float64] {
	return func(yield func(int64, float64) bool) {
		var before *Samples
		for _, r := range s.GetRuns() {
			i := slices.IndexFunc(r.GetLeads(), func(l *Lead) bool { return l.GetName() == name })
			if i < 0 || !(r.GetRate() > 0) {
				continue
			}
			if before != nil && !r.follows(before) && !yield(r.GetTimeUs(), math.NaN()) {
				return
			}
			before = r
			lead, count := r.GetLeads()[i], int64(0)
			for n, d := range lead.GetDeltas() {
				count += int64(d)
				at, uv := r.AtUs(n), float64(count)*lead.GetMicrovoltsPerCount()
				if lead.GetOff() || r.Lacks(n) {
					uv = math.NaN()
				}
				if at >= s.GetFromUs() && at < s.GetToUs() && !yield(at, uv) {
					return
				}
			}
		}
	}
}

// follows reports whether a run goes on with the sample after another.
func (s *Samples) follows(other *Samples) bool {
	return s.GetDevice() == other.GetDevice() && s.GetBoot() == other.GetBoot() && s.GetFirst() == other.GetFirst()+uint64(other.GetCount())
}

// AtUs is the sample time of sample i of a run, in µs.
func (s *Samples) AtUs(i int) int64 {
	return s.GetTimeUs() + int64(float64(i)/s.GetRate()*1e6+0.5)
}

// EndUs is the sample time at which a run is over.
func (s *Samples) EndUs() int64 { return s.AtUs(int(s.GetCount())) }

// Lacks reports whether sample i of a run does not exist.
func (s *Samples) Lacks(i int) bool {
	m := s.GetMissing()
	return i/8 < len(m) && m[i/8]>>(i%8)&1 == 1
}
