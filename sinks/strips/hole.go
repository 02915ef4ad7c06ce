package strips

import "heartwire/topics"

// holes are the parts of a strip for which its runs, by sample time, have no
// sample. A run that goes on with the next sample leaves none, though its time
// has been set right.
func holes(s *topics.Strip) (list []*topics.StripHole) {
	known := s.GetFromUs() // up to here there are samples, or a hole is said
	say := func(until int64, rate float64) {
		if until = min(until, s.GetToUs()); until-known > int64(1.5e6/rate) {
			list = append(list, &topics.StripHole{FromUs: known, ToUs: until, Why: topics.HoleMissing})
		}
	}
	var next run
	rate := 1e6 // of the last run
	for _, r := range s.GetRuns() {
		rate = r.GetRate()
		start := 0 // of samples that are there
		for i := range int(r.GetCount()) + 1 {
			if i < int(r.GetCount()) && !r.Lacks(i) {
				continue
			}
			if i > start {
				joined := start == 0 && next == run{r.GetDevice(), r.GetBoot(), r.GetFirst()}
				if !joined {
					say(r.AtUs(start), rate)
				}
				known = max(known, r.AtUs(i))
			}
			start = i + 1
		}
		next = run{}
		if n := int(r.GetCount()); n > 0 && !r.Lacks(n-1) {
			next = run{r.GetDevice(), r.GetBoot(), r.GetFirst() + uint64(n)}
		}
	}
	say(s.GetToUs(), rate)
	return list
}
