package beats

import (
	"math"
	"slices"

	"heartwire/topics"
)

// takeLate folds what came too late apart from the live analysis: samples of
// a stated gap, of an older boot, of another device, or that were old when they arrived. What
// was folded already, live or late, is dropped. old says that samples beyond the
// live ones are late too.
func (s *State) takeLate(r *topics.Samples, old bool, v voice) {
	life := life{device: r.GetDevice(), boot: r.GetBoot()}
	if s.live == nil || life.device != s.live.device || life.boot != s.live.boot {
		// Of another life only its order is known: it is folded while it goes on.
		from := r.GetFirst()
		if s.lateLife == life {
			from = max(from, s.lateNext)
		}
		if from < end(r) {
			s.foldLate(r, span{from, end(r)}, v)
		}
		return
	}
	for _, w := range s.wanted(span{r.GetFirst(), end(r)}, old) {
		s.foldLate(r, w, v)
		s.lateDone = merge(s.lateDone, w)
	}
}

// wanted is what of a span of the live boot was neither folded nor is held.
func (s *State) wanted(of span, old bool) []span {
	var list []span
	open := slices.Clone(s.gaps)
	if old {
		open = append(open, span{s.live.next, math.MaxInt64})
	}
	for _, g := range open {
		if w := (span{max(of.from, g.from), min(of.to, g.to)}); w.from < w.to {
			list = append(list, w)
		}
	}
	for _, d := range s.lateDone {
		list = without(list, d)
	}
	for _, h := range s.held {
		list = without(list, span{h.samples.GetFirst(), h.end()})
	}
	slices.SortFunc(list, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	return list
}

// without cuts a span out of each of a list.
func without(list []span, cut span) []span {
	var left []span
	for _, s := range list {
		if b := (span{s.from, min(s.to, cut.from)}); b.from < b.to {
			left = append(left, b)
		}
		if a := (span{max(s.from, cut.to), s.to}); a.from < a.to {
			left = append(left, a)
		}
	}
	return left
}

// merge adds a span to a sorted list of spans that do not touch. The oldest is
// forgotten when there are too many.
func merge(list []span, add span) []span {
	var kept []span
	for _, s := range list {
		if s.to < add.from || s.from > add.to {
			kept = append(kept, s)
		} else {
			add = span{min(add.from, s.from), max(add.to, s.to)}
		}
	}
	at, _ := slices.BinarySearchFunc(kept, add, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	kept = slices.Insert(kept, at, add)
	if len(kept) > maxSpans {
		kept = slices.Delete(kept, 0, 1)
	}
	return kept
}

func (s *State) foldLate(r *topics.Samples, w span, v voice) {
	s.lateIdle = 0
	life := life{device: r.GetDevice(), boot: r.GetBoot()}
	if s.late != nil && (life != s.lateLife || w.from < s.late.next || !sameLayout(s.late.leads, s.late.rate, r.GetRate(), r.GetLeads())) {
		s.late.finish(v)
		s.late = nil
	}
	if s.late == nil {
		s.late = newAnalysis(r, w.from, true)
	}
	if w.from > s.late.next {
		s.late.gap(w.from-s.late.next, topics.GapCause_GAP_CAUSE_MISSING, v)
	}
	s.late.fold(r, w.from, w.to, v)
	s.lateLife, s.lateNext = life, w.to
}
