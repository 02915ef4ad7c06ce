package beats

import (
	_ "embed"

	"heartwire/stages/trees"
)

// models are the ensembles that beats are judged by.
type models struct {
	judge *trees.Forest // is it a beat
	v, s  *trees.Forest // is its class V, S

	seen func(c *candidate, x []float32)                 // for training: called with what judge is asked
	read func(c *candidate, b beat, x []float32)         // and with what v and s are
	run  func(onset, last uint64, lead int, x []float32) // and with what a run is judged by
}

//go:embed judge.trees
var judgeTrees []byte

//go:embed v.trees
var vTrees []byte

//go:embed s.trees
var sTrees []byte

// standard are the models that are compiled in.
var standard = &models{judge: compiled(judgeTrees), v: compiled(vTrees), s: compiled(sTrees)}

// compiled reads an ensemble of the binary's own: one that does not parse is found by every test.
func compiled(b []byte) *trees.Forest {
	f, err := trees.Parse(b)
	if err != nil {
		panic(err)
	}
	return f
}

const (
	shrinkCount = 4   // beats of a template that weigh as much as one beat's own
	pooled      = 0.5 // share of the template's mean in a beat's log odds
)

// classes gives a beat its log odds.
func (m *models) classes(t *reader, c *candidate, b *beat, x []float32) {
	if m == nil {
		return
	}
	if m.v != nil {
		b.v, b.s = logOdds(m.v, x), logOdds(m.s, x)
		if c.template >= 0 {
			o := &t.own.list[c.template]
			o.odds += max(1/float32(o.n), slowest) * (b.v - o.odds)
			b.v += pooled * float32(o.n) / float32(o.n+shrinkCount) * (o.odds - b.v)
		}
	}
	if m.read != nil {
		m.read(c, *b, x)
	}
}

func logOdds(f *trees.Forest, x []float32) float32 {
	var out [1]float32
	f.Score(x, out[:])
	return out[0]
}
