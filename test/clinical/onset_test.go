//go:build real

package clinical

import (
	"math"
	"slices"
	"strings"
	"testing"

	"heartwire/stages/ec57"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// spell is a ventricular tachycardia, flutter or fibrillation that was said, in s of the recording.
type spell struct {
	rhythm      topics.Rhythm
	onset, said float64 // when it began, and what had come when it was said
	end         float64 // +Inf: it goes on
}

// spell notes what rhythm says of one.
func (p *pass) spell(c *topics.Chart) {
	e := c.GetEpisode()
	switch e.GetRhythm() {
	case topics.Rhythm_RHYTHM_VT, topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER:
	default:
		return
	}
	s := func(us int64) float64 { return float64(us-start.UnixMicro()) / 1e6 }
	onset, end := s(e.GetOnsetUs()), math.Inf(1)
	if e.End != nil {
		end = s(e.GetEndUs())
	}
	// An episode that becomes another rhythm (VT of a V run, VF of flutter) keeps its onset.
	for n := len(p.spells) - 1; n >= 0; n-- {
		if p.spells[n].onset == onset {
			p.spells[n].end, p.spells[n].rhythm = end, e.GetRhythm()
			return
		}
	}
	p.spells = append(p.spells, spell{e.GetRhythm(), onset, s(c.GetTimeUs()), end})
}

// inTime is the time budget from onset to decision for VT and VF, in s (ALARMS).
const inTime = 7.0

// waits counts times in s.
type waits []float64

func (w waits) share() (r ec57.Ratio) {
	for _, s := range w {
		r.Den++
		if s <= inTime {
			r.Num++
		}
	}
	return r
}

// at is the time that a share of them does not exceed.
func (w waits) at(share float64) float64 {
	if len(w) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(w))
	return v[int(share*float64(len(v)-1))]
}

// dated are the times from the onset, as it was said, to when it was.
func dated(passes []*pass) (w waits) {
	for _, p := range passes {
		for _, s := range p.spells {
			w = append(w, s.said-s.onset)
		}
	}
	return w
}

var ventricularNames = []string{"(VT", "(VFL", "(VF", "(VFIB"}

// labelled are the times from the onset by the reference's + labels to when anything
// ventricular was said, of its rhythms that last for 8 s and more and follow one that is
// not ventricular; never: +Inf. One that was already said counts as 0.
func labelled(passes []*pass) (w waits) {
	for _, p := range passes {
		for _, r := range p.rhythms() {
			if r.after || r.to-r.from < 8 {
				continue
			}
			wait := math.Inf(1)
			for _, s := range p.spells {
				if s.onset < r.to && s.end > r.from {
					wait = min(wait, max(s.said-r.from, 0))
				}
			}
			w = append(w, wait)
		}
	}
	return w
}

type labelSpan struct {
	from, to float64 // s
	after    bool    // it follows another ventricular rhythm
}

// rhythms are the ventricular rhythms of the reference.
func (p *pass) rhythms() (list []labelSpan) {
	after := false
	for _, a := range p.ref {
		if a.Code != wfdb.Rhythm || !strings.HasPrefix(a.Aux, "(") {
			continue
		}
		at := float64(a.Sample) / p.rate
		if after {
			list[len(list)-1].to = at
		}
		is := slices.Contains(ventricularNames, a.Aux)
		if is {
			list = append(list, labelSpan{at, float64(p.length) / p.rate, after})
		}
		after = is
	}
	return list
}

// onsets measures how soon VT and VF are said.
func (m *measured) onsets(t testing.TB) {
	for name, w := range map[string]waits{
		"VT and VF said in 7 s of their onset, vfdb":           dated(sets.vfdb(t)),
		"VT and VF said in 7 s of their onset, cinc2015vt":     dated(sets.alarms(t)),
		"VT and VF said in 7 s of their onset, mitdb":          dated(sets.mitdb(t)),
		"VT and VF said in 7 s of their onset by labels, vfdb": labelled(sets.vfdb(t)),
	} {
		t.Logf("%s: %d, median %.1f s, 95 %% within %.1f s, slowest %.1f s", name, len(w), w.at(0.5), w.at(0.95), w.at(1))
		m.note(name, w.share())
	}
}

// calm measures how much of recordings without fibrillation is free of it, and
// how many of the VT that are said are there.
func (m *measured) calm(t testing.TB) {
	for name, passes := range map[string][]*pass{
		"time without false VF, mitdb": sets.mitdb(t), "time without false VF, mitdb, electrode motion 12 dB": sets.motionAll(t),
	} {
		var r ec57.Ratio
		for _, p := range passes {
			wrong := p.falseFibrillation()
			if wrong > 0 {
				t.Logf("%s %s: %.2f min of false VF", name, p.name, wrong/60)
			}
			r.Num += p.length - int64(wrong*p.rate)
			r.Den += p.length
		}
		t.Logf("%s: %.1f min a day", name, 1440*float64(r.Den-r.Num)/float64(r.Den))
		m.note(name, r)
	}
	for name, passes := range map[string][]*pass{"VT +P, mitdb": sets.mitdb(t), "VT +P, mitdb, both leads": sets.mitdbAll(t)} {
		var r ec57.Ratio
		for _, p := range passes {
			for _, s := range p.spells {
				if s.rhythm != topics.Rhythm_RHYTHM_VT {
					continue
				}
				r.Den++
				if p.ventricularIn(s.onset, s.end) >= 3 {
					r.Num++
				} else {
					t.Logf("%s %s: false VT at %.1f s", name, p.name, s.onset)
				}
			}
		}
		t.Logf("%s: %d of %d", name, r.Num, r.Den)
		m.note(name, r)
	}
}

// falseFibrillation is the time in s in VF or flutter that the reference has not.
func (p *pass) falseFibrillation() (sum float64) {
	for _, s := range p.spells {
		if s.rhythm == topics.Rhythm_RHYTHM_VT {
			continue
		}
		rest := min(s.end, float64(p.length)/p.rate) - s.onset
		for _, r := range p.rhythms() {
			rest -= max(min(s.end, r.to)-max(s.onset, r.from), 0)
		}
		sum += max(rest, 0)
	}
	return sum
}

// ventricularIn counts the reference's beats of class V and F, and flutter waves, between two times in s.
func (p *pass) ventricularIn(from, to float64) (n int) {
	for _, a := range p.ref {
		class, is := a.Code.Class()
		at := float64(a.Sample) / p.rate
		if at < from-0.15 || at > to+0.15 {
			continue
		}
		if is && (class == topics.BeatClass_BEAT_CLASS_V || class == topics.BeatClass_BEAT_CLASS_F) || a.Code == wfdb.Flutter {
			n++
		}
	}
	return n
}
