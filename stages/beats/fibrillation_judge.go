package beats

import (
	_ "embed"
	"fmt"

	"heartwire/stages/trees"
)

//go:embed fibrillation.trees
var fibrillationTrees []byte

// fibrillationForest gives the log odds of a ventricular rhythm. Its trees are
// made by train/fibrillation.py.
var fibrillationForest = func() *trees.Forest {
	f, err := trees.Parse(fibrillationTrees)
	if err != nil {
		panic(fmt.Sprintf("beats: fibrillation.trees: %v", err)) // of this very build: any test sees it
	}
	return f
}()

// Windows that are judged without a closer look. In the Malignant Ventricular
// Ectopy Database this holds for 61 % of the windows without and 1 % of those
// with a ventricular rhythm, in the Arrhythmia Database for 91 %.
const (
	plainFlat = 0.25 // of the time the slope is below a tenth of its maximum: between complexes there is rest
	nothingMV = 0.1  // no more than this is asystole (AHA: Kerber et al., Circulation 95:1677, 1997)
	plainWave = -6   // the log odds said then
)

// judge looks at a window.
func (f *features) judge() look {
	height, most := f.slopes()
	f.flat(most)
	l := look{wave: plainWave, height: height}
	if f.v[fFlat10] > plainFlat || height < nothingMV {
		return l
	}
	f.measure(height, most)
	var out [1]float32
	fibrillationForest.Score(f.v[:], out[:])
	l.wave, l.rate, l.steady = out[0], 60*f.v[fSelfHz], f.v[fSelf]
	return l
}
