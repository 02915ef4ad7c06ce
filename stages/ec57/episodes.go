package ec57

import (
	"strings"

	"heartwire/topics/wfdb"
)

// EpisodeKind says which episodes are compared.
type EpisodeKind uint8

const (
	AF          EpisodeKind = iota // rhythm "(AFIB…" until another rhythm; atrial flutter is none: EC57, EC38:2007
	AFNoFlutter                    // the same, but test episodes in reference flutter count neither for nor against: EC38:1998, epicmp -x
	VF                             // from [ to ]
)

func (k EpisodeKind) String() string { return [...]string{"AF", "AF", "VF"}[k] }

// EpisodeResult is an episode-by-episode comparison. Durations are in samples.
type EpisodeResult struct {
	Rate            float64 // samples/s
	Found, Missed   int64   // reference episodes that a test episode overlaps, or none does
	True, False     int64   // test episodes that a reference episode overlaps, or none does
	Reference, Test int64   // total duration
	RefOverlap      int64   // of the reference duration, found
	TestOverlap     int64   // of the test duration, true
}

// Episode are the sensitivity and the positive predictivity by episodes.
func (r *EpisodeResult) Episode() (se, ppv Ratio) {
	return Ratio{r.Found, r.Found + r.Missed}, Ratio{r.True, r.True + r.False}
}

// Duration are those by duration.
func (r *EpisodeResult) Duration() (se, ppv Ratio) {
	return Ratio{r.RefOverlap, r.Reference}, Ratio{r.TestOverlap, r.Test}
}

// Add adds up another record's counts for gross figures; both must have one
// sampling rate.
func (r *EpisodeResult) Add(o EpisodeResult) {
	r.Rate = o.Rate
	r.Found, r.Missed = r.Found+o.Found, r.Missed+o.Missed
	r.True, r.False = r.True+o.True, r.False+o.False
	r.Reference, r.Test = r.Reference+o.Reference, r.Test+o.Test
	r.RefOverlap, r.TestOverlap = r.RefOverlap+o.RefOverlap, r.TestOverlap+o.TestOverlap
}

// Episodes compares test with reference annotations, both in time order, by
// episodes. One that nothing ends lasts to the end of the record.
func Episodes(ref, test []wfdb.Annotation, o Options, kind EpisodeKind) EpisodeResult {
	r, t := episodes(ref, o, kind.marks), episodes(test, o, kind.marks)
	result := EpisodeResult{Rate: o.Rate}
	result.Found, result.Missed, result.Reference, result.RefOverlap = compare(r, t, nil, o)
	var excluded []span
	if kind == AFNoFlutter {
		excluded = episodes(ref, o, flutter)
	}
	result.True, result.False, result.Test, result.TestOverlap = compare(t, r, excluded, o)
	return result
}

// marks says whether an annotation begins or ends an episode of the kind.
func (k EpisodeKind) marks(a wfdb.Annotation) (begins, ends bool) {
	if k == VF {
		return a.Code == wfdb.VFOn, a.Code == wfdb.VFOff
	}
	return rhythm(a, "(AFIB")
}

// flutter is atrial flutter.
func flutter(a wfdb.Annotation) (begins, ends bool) { return rhythm(a, "(AFL") }

func rhythm(a wfdb.Annotation, name string) (begins, ends bool) {
	is := strings.HasPrefix(a.Aux, name)
	return a.Code == wfdb.Rhythm && is, a.Code == wfdb.Rhythm && !is
}

func episodes(list []wfdb.Annotation, o Options, marks func(wfdb.Annotation) (begins, ends bool)) []span {
	var spans []span
	open := false
	for _, a := range list {
		begins, ends := marks(a)
		switch {
		case !open && begins:
			spans = append(spans, span{a.Sample, 0})
			open = true
		case open && ends:
			spans[len(spans)-1].end = a.Sample
			open = false
		}
	}
	if open {
		spans[len(spans)-1].end = max(o.End, list[len(list)-1].Sample)
	}
	return spans
}

// compare counts the episodes that others overlap and those that none does,
// with the duration of all and of the overlap.
func compare(list, others, excluded []span, o Options) (match, mismatch, duration, overlap int64) {
	for _, e := range list {
		if e.end < o.Start || o.End > 0 && e.start >= o.End {
			continue
		}
		e.start = max(e.start, o.Start)
		if o.End > 0 {
			e.end = min(e.end, o.End)
		}
		e, length := e.without(excluded)
		if length < 0 {
			continue
		}
		common := int64(0)
		for _, other := range others {
			common += max(min(e.end, other.end)-max(e.start, other.start), 0)
		}
		duration += length
		overlap += common
		if common > 0 {
			match++
		} else {
			mismatch++
		}
	}
	return match, mismatch, duration, overlap
}

// without is the episode less what is excluded, and its duration, negative if
// nothing is left. What is excluded in its midst leaves its ends alone.
func (e span) without(excluded []span) (span, int64) {
	length := e.end - e.start
	for _, x := range excluded {
		switch {
		case x.start >= e.end || x.end < e.start:
		case x.start <= e.start && e.end <= x.end:
			return e, -1
		case x.start <= e.start:
			length -= x.end - e.start
			e.start = x.end
		case x.end < e.end:
			length -= x.end - x.start
		default:
			length -= e.end - x.start
			e.end = x.start
		}
	}
	return e, length
}
