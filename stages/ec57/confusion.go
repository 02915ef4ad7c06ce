package ec57

import (
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// Label is what a beat is for the comparison: its AAMI class, or the absence
// of a beat on the other side.
type Label uint8

const (
	N Label = iota
	S
	V
	F
	Q
	O // no beat there
	X // no beat there, while that side had suspended analysis
	labels
)

// none is the label of a test beat inside reference fibrillation, which is not counted.
const none = labels

func (l Label) String() string { return "NSVFQOX-"[min(l, none):][:1] }

// labelOf is the label of an annotation that stands for a beat; false for
// what is none. A flutter wave takes the place of a beat and matches none (as in bxb).
func labelOf(c wfdb.Code) (Label, bool) {
	class, ok := c.Class()
	if !ok {
		return O, c == wfdb.Flutter
	}
	switch class {
	case topics.BeatClass_BEAT_CLASS_N:
		return N, true
	case topics.BeatClass_BEAT_CLASS_S:
		return S, true
	case topics.BeatClass_BEAT_CLASS_V:
		return V, true
	case topics.BeatClass_BEAT_CLASS_F:
		return F, true
	}
	return Q, true
}

// Confusion counts pairs of beats: [reference][test].
type Confusion [labels][labels]int64

func (c *Confusion) add(ref, test Label) {
	if ref != none && test != none {
		c[ref][test]++
	}
}

// sum adds up the cells of rows ref and columns test.
func (c *Confusion) sum(ref, test []Label) (n int64) {
	for _, r := range ref {
		for _, t := range test {
			n += c[r][t]
		}
	}
	return n
}

var (
	beatLabels   = []Label{N, S, V, F, Q}
	absentLabels = []Label{O, X}
)

// QRS are the sensitivity and the positive predictivity of finding beats,
// whatever their class.
func (c *Confusion) QRS() (se, ppv Ratio) {
	found := c.sum(beatLabels, beatLabels)
	return Ratio{found, found + c.sum(beatLabels, absentLabels)},
		Ratio{found, found + c.sum(absentLabels, beatLabels)}
}

// VEB are those of ventricular ectopic beats. A V where the reference has a
// fusion or an unclassifiable beat counts neither for nor against: EC57.
func (c *Confusion) VEB() (se, ppv Ratio) {
	return Ratio{c[V][V], c.sum([]Label{V}, []Label{N, S, V, F, Q, O, X})},
		Ratio{c[V][V], c.sum([]Label{N, S, V, O, X}, []Label{V})}
}

// SVEB are those of supraventricular ectopic beats. An S where the reference
// has an unclassifiable beat counts neither for nor against; at a fusion beat
// it counts against (as in bxb).
func (c *Confusion) SVEB() (se, ppv Ratio) {
	return Ratio{c[S][S], c.sum([]Label{S}, []Label{N, S, V, F, Q, O, X})},
		Ratio{c[S][S], c.sum([]Label{N, S, V, F, O, X}, []Label{S})}
}

// Total is the number of reference beats with that label, found or not.
func (c *Confusion) Total(l Label) int64 {
	return c.sum([]Label{l}, []Label{N, S, V, F, Q, O, X})
}

// Missed are the beats of that label which were not found because the test
// side had suspended analysis.
func (c *Confusion) Missed(l Label) Ratio { return Ratio{c[l][X], c.Total(l)} }
