package beats

import (
	"slices"
	"testing"

	"heartwire/stages"
)

// told is a beat as it was classified: its template, samples since the one before, log odds of V.
type told struct {
	template int
	rr       float32
	v        float32
}

func times(n int, b told) []told { return slices.Repeat([]told{b}, n) }

// holding is a reader of a patient at 70 /min, whose beats are of template 0.
func holding() *reader {
	t := &reader{}
	t.own.list = make([]template, 4)
	t.rr.base.rr = 154
	return t
}

func TestHeld(t *testing.T) {
	sinus, vt, like := told{0, 154, -5}, told{1, 80, 2}, told{1, 80, -1}
	start := slices.Concat(times(9, sinus), []told{{1, 110, 2}}, times(4, vt))
	for _, c := range []struct {
		name  string
		beats []told
		then  []told
		held  bool // the last of these is V
	}{
		{"what was V and has not changed", start, times(200, like), true},
		{"four are too few", start[:len(start)-1], []told{like}, false},
		{"of two shapes", slices.Concat(start, []told{{2, 80, 2}}), []told{like, {2, 80, -1}}, true},
		{"another shape", start, []told{{2, 80, -1}}, false},
		{"the usual shape", start, []told{{0, 80, -1}}, false},
		{"over a fusion beat and one that was missed", slices.Concat(start, []told{{3, 80, -1}, {1, 160, -1}}), []told{like}, true},
		{"over three of another shape", slices.Concat(start, times(3, told{3, 80, -1})), []told{like}, false},
		{"over a gap", slices.Concat(start, []told{{1, 0, -1}}), []told{like}, true},
		{"over a pause", slices.Concat(start, []told{{0, 250, -1}}), []told{like}, false},
		{"slower than 90 /min", slices.Concat(start, times(9, told{1, 90, -1}), times(9, told{1, 105, -1}), times(40, told{1, 124, -1})), []told{{1, 124, -1}}, false},
		{"bundle branch block at the rate that was there", slices.Concat(times(9, sinus), times(9, told{1, 145, 2})), []told{{1, 145, -1}}, false},
		{"a tachycardia that was not V as it began", slices.Concat(times(9, sinus), times(9, like), times(9, vt)), []told{like}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holding()
			var last float32
			for _, b := range append(slices.Clone(c.beats), c.then...) {
				out := beat{odds: odds{v: b.v}}
				r.hold(&candidate{template: b.template}, b.rr, &out)
				last = out.v
				r = again(t, r)
			}
			if held := last >= oddsV; held != c.held {
				t.Errorf("V: %v (odds %v), want %v; %+v", held, last, c.held, r.run)
			}
		})
	}
}

// again is a reader after its run was written down and read.
func again(t *testing.T, r *reader) *reader {
	t.Helper()
	var e stages.Encoder
	writeHeld(&e, &r.run)
	was := r.run
	r.run = heldRun{}
	d := stages.NewDecoder(e.B)
	if readHeld(d, r); d.Err() != nil || r.run != was {
		t.Fatalf("%+v was read for %+v: %v", r.run, was, d.Err())
	}
	return r
}
