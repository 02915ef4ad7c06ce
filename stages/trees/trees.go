// Package trees judges features by a boosted ensemble of small decision trees,
// in plain Go and without allocating. The trees are learned elsewhere, by
// trees.py beside this file, and read from bytes that are compiled in.
package trees

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Forest is an ensemble. It is read by Parse and never changes, so it is for
// any number of goroutines.
type Forest struct {
	Features []string // their names, in the order in which Score wants them
	classes  int
	roots    []int32 // of each tree, the classes by turns; negative: ^index of a leaf
	nodes    []node
	leaves   []float32
}

// node sends what is at most its threshold to the left.
type node struct {
	threshold   float32
	feature     uint16
	left, right int32 // negative: ^index of a leaf
}

var magic = [4]byte{'h', 'w', 't', '1'}

// Parse reads what trees.py wrote. All numbers are little-endian:
//
//	"hwt1", u16 classes, u16 features, each: u8 length, name
//	u32 trees, u32 nodes, u32 leaves
//	trees × i32 root · nodes × (f32 threshold, u16 feature, i32 left, i32 right) · leaves × f32 value
func Parse(b []byte) (*Forest, error) {
	r := reader{b: b}
	if [4]byte(r.take(4)) != magic {
		return nil, errors.New("trees: no ensemble: the first four bytes are wrong")
	}
	f := &Forest{classes: int(r.u16())}
	for n := int(r.u16()); n > 0 && r.err == nil; n-- {
		f.Features = append(f.Features, string(r.take(int(r.take(1)[0]))))
	}
	roots, nodes, leaves := int(r.u32()), int(r.u32()), int(r.u32())
	if r.err == nil && len(r.b) != 4*roots+14*nodes+4*leaves {
		return nil, fmt.Errorf("trees: %d bytes after the head, want %d", len(r.b), 4*roots+14*nodes+4*leaves)
	}
	if r.err != nil {
		return nil, r.err
	}
	f.roots, f.nodes, f.leaves = make([]int32, roots), make([]node, nodes), make([]float32, leaves)
	for i := range f.roots {
		f.roots[i] = int32(r.u32())
	}
	for i := range f.nodes {
		f.nodes[i] = node{threshold: r.f32(), feature: r.u16(), left: int32(r.u32()), right: int32(r.u32())}
	}
	for i := range f.leaves {
		f.leaves[i] = r.f32()
	}
	return f, f.check()
}

// check makes sure that Score ends, and stays within bounds, whatever it is given.
func (f *Forest) check() error {
	if f.classes < 1 || len(f.roots)%f.classes != 0 {
		return fmt.Errorf("trees: %d trees for %d classes", len(f.roots), f.classes)
	}
	for i, root := range f.roots {
		if !f.has(root, -1) {
			return fmt.Errorf("trees: tree %d begins nowhere", i)
		}
	}
	for i, n := range f.nodes {
		// A child stands behind its parent, so no way leads back.
		if !f.has(n.left, int32(i)) || !f.has(n.right, int32(i)) || int(n.feature) >= len(f.Features) || n.threshold != n.threshold {
			return fmt.Errorf("trees: node %d leads nowhere", i)
		}
	}
	return nil
}

func (f *Forest) has(at, after int32) bool {
	if at < 0 {
		return int(^at) < len(f.leaves)
	}
	return at > after && int(at) < len(f.nodes)
}

// Score adds up the trees' values for each class: log odds for one class, what
// a softmax takes for several. x has a value for each of Features, out one for each class.
func (f *Forest) Score(x, out []float32) {
	clear(out[:f.classes])
	x = x[:len(f.Features)]
	class := 0
	for _, at := range f.roots {
		for at >= 0 {
			n := &f.nodes[at]
			if x[n.feature] <= n.threshold {
				at = n.left
			} else {
				at = n.right
			}
		}
		out[class] += f.leaves[^at]
		if class++; class == f.classes {
			class = 0
		}
	}
}

// Probability is that of a forest of one class: 0 to 1.
func (f *Forest) Probability(x []float32) float64 {
	var out [1]float32
	f.Score(x, out[:])
	return 1 / (1 + math.Exp(-float64(out[0])))
}

type reader struct {
	b   []byte
	err error
}

// take gives n bytes; zeros where they are missing, which err tells.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.err = errors.New("trees: cut off")
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u16() uint16  { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32  { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) f32() float32 { return math.Float32frombits(r.u32()) }
