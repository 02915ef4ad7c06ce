package strips

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"heartwire/topics"
)

// at is a run of 100 samples at 100 Hz whose first is taken ms after a strip's beginning.
func at(ms int64, first uint64, missing ...byte) *topics.Samples {
	return &topics.Samples{Device: "d", Boot: 1, First: first, Rate: 100, Count: 100, TimeUs: 1e9 + ms*1000, Missing: missing}
}

func TestHoles(t *testing.T) {
	other := at(2000, 0)
	other.Device = "e"
	absurd := at(1000, 100)
	absurd.Count, absurd.Rate = math.MaxUint32, 1e-9
	for name, c := range map[string]struct {
		runs []*topics.Samples
		want string // in ms; the strip is of 4 s
	}{
		"whole":              {[]*topics.Samples{at(0, 0), at(1000, 100), at(2000, 200), at(3000, 300)}, ""},
		"beyond its ends":    {[]*topics.Samples{at(-500, 0), at(500, 100), at(1500, 200), at(2500, 300), at(3500, 400)}, ""},
		"none":               {nil, "0-4000"},
		"at both ends":       {[]*topics.Samples{at(500, 0), at(1500, 100)}, "0-500 2500-4000"},
		"a run":              {[]*topics.Samples{at(0, 0), at(2000, 200), at(3000, 300)}, "1000-2000"},
		"its time set right": {[]*topics.Samples{at(0, 0), at(1200, 100), at(2200, 200), at(3200, 300)}, ""},
		"another device":     {[]*topics.Samples{at(0, 0), at(1000, 100), other, at(3000, 300)}, ""},
		"another, later":     {[]*topics.Samples{at(0, 0), other, at(3000, 300)}, "1000-2000"},
		"one sample":         {[]*topics.Samples{at(0, 0, 1<<7), at(1000, 100), at(2000, 200), at(3000, 300)}, ""},
		"some samples":       {[]*topics.Samples{at(0, 0, 0, 0xff), at(1000, 100), at(2000, 200), at(3000, 300)}, "80-160"},
		"the last, then on":  {[]*topics.Samples{at(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), at(1000, 100), at(2000, 200), at(3000, 300)}, "720-1000"},
		"what no patch sent": {[]*topics.Samples{at(0, 0), absurd}, "?"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, h := range holes(&topics.Strip{FromUs: 1e9, ToUs: 1e9 + 4e6, Runs: c.runs}) {
				got = append(got, fmt.Sprintf("%d-%d", (h.FromUs-1e9)/1000, (h.ToUs-1e9)/1000))
			}
			if c.want != "?" && strings.Join(got, " ") != c.want { // ?: it ends, and soon
				t.Errorf("holes %v, want %v", got, c.want)
			}
		})
	}
}
