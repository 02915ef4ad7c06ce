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
		there := func(from, to int) { // samples, one after another
			if joined := from == 0 && next == (run{r.GetDevice(), r.GetBoot(), r.GetFirst()}); !joined {
				say(r.AtUs(from), rate)
			}
			known = max(known, r.AtUs(to))
		}
		n, start := int(r.GetCount()), 0
		for i := range min(n, 8*len(r.GetMissing())) {
			if r.Lacks(i) {
				if i > start {
					there(start, i)
				}
				start = i + 1
			}
		}
		if n == start { // its last sample is missing
			next = run{}
			continue
		}
		there(start, n)
		next = run{r.GetDevice(), r.GetBoot(), r.GetFirst() + uint64(n)}
	}
	say(s.GetToUs(), rate)
	return list
}
