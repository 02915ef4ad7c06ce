package trees_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"heartwire/stages/trees"
)

// stump is x <= 1 ? (y <= -2 ? 0.5 : 1) : -3 for the first class, and always 0.25 for the second.
func stump(t testing.TB) []byte {
	var b bytes.Buffer
	b.WriteString("hwt1")
	for _, v := range []any{
		uint16(2), uint16(2), uint8(1), [1]byte{'x'}, uint8(1), [1]byte{'y'},
		uint32(2), uint32(2), uint32(4),
		int32(0), ^int32(3),
		float32(1), uint16(0), int32(1), ^int32(2),
		float32(-2), uint16(1), ^int32(0), ^int32(1),
		[4]float32{0.5, 1, -3, 0.25},
	} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestScore(t *testing.T) {
	f, err := trees.Parse(stump(t))
	if err != nil {
		t.Fatal(err)
	}
	var out [2]float32
	for x, want := range map[[2]float32]float32{
		{1, -2}: 0.5, {1, -1.9}: 1, {1.1, -2}: -3, {float32(math.NaN()), 0}: -3, {float32(math.Inf(-1)), float32(math.Inf(1))}: 1,
	} {
		f.Score(x[:], out[:])
		if out[0] != want || out[1] != 0.25 {
			t.Errorf("%v scores %v, want %v and 0.25", x, out, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { f.Score([]float32{1, 2}, out[:]) }); n > 0 {
		t.Errorf("%v allocations a score", n)
	}
}

func FuzzParse(f *testing.F) {
	whole := stump(f)
	f.Add(whole)
	for i := range whole {
		f.Add(whole[:i])
		bent := bytes.Clone(whole)
		bent[i] ^= 0xff
		f.Add(bent)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		forest, err := trees.Parse(b)
		if err != nil {
			return
		}
		forest.Score(make([]float32, len(forest.Features)), make([]float32, 1<<16))
	})
}
