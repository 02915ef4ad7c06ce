package stages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrState says that bytes are not a state: cut off, too long or impossible.
var ErrState = errors.New("not a state of this version")

// Encoder writes a state down, little-endian, field by field. The zero value
// with B set to the buffer to append to is ready.
type Encoder struct{ B []byte }

func (e *Encoder) Bool(v bool) {
	if v {
		e.B = append(e.B, 1)
	} else {
		e.B = append(e.B, 0)
	}
}
func (e *Encoder) Uint(v uint64) { e.B = binary.AppendUvarint(e.B, v) }
func (e *Encoder) Int(v int64)   { e.B = binary.AppendVarint(e.B, v) }
func (e *Encoder) Float(v float64) {
	e.B = binary.LittleEndian.AppendUint64(e.B, math.Float64bits(v))
}
func (e *Encoder) Float32(v float32) {
	e.B = binary.LittleEndian.AppendUint32(e.B, math.Float32bits(v))
}
func (e *Encoder) String(v string) { e.Uint(uint64(len(v))); e.B = append(e.B, v...) }
func (e *Encoder) Bytes(v []byte)  { e.Uint(uint64(len(v))); e.B = append(e.B, v...) }

// Floats writes the length and the values.
func (e *Encoder) Floats(v []float64) {
	e.Uint(uint64(len(v)))
	for _, f := range v {
		e.Float(f)
	}
}

// Float32s writes the length and the values.
func (e *Encoder) Float32s(v []float32) {
	e.Uint(uint64(len(v)))
	for _, f := range v {
		e.Float32(f)
	}
}

// Decoder reads what an Encoder wrote. After the first error every read gives
// zero; Err tells it once at the end. A length is checked against what is
// left, so that no input makes it allocate more than its own size.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder reads from b and does not keep parts of it.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err is the first error, or ErrState when bytes are left over.
func (d *Decoder) Err() error {
	if d.err == nil && len(d.b) > 0 {
		return fmt.Errorf("%w: %d bytes left over", ErrState, len(d.b))
	}
	return d.err
}

// Fail records an error of the caller's own: a value that cannot be.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
		d.b = nil
	}
}

func (d *Decoder) take(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.Fail("cut off")
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *Decoder) Bool() bool {
	b := d.take(1)
	if len(b) == 1 && b[0] > 1 {
		d.Fail("a truth of %d", b[0])
	}
	return len(b) == 1 && b[0] == 1
}

func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.Fail("cut off")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.Fail("cut off")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *Decoder) Float() float64 {
	if b := d.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (d *Decoder) Float32() float32 {
	if b := d.take(4); b != nil {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (d *Decoder) String() string { return string(d.raw()) }
func (d *Decoder) Bytes() []byte  { return append([]byte(nil), d.raw()...) }

func (d *Decoder) raw() []byte {
	n := d.Uint()
	if n > uint64(len(d.b)) {
		d.Fail("cut off")
		return nil
	}
	return d.take(int(n))
}

// Len reads a count of things that take at least size bytes each.
func (d *Decoder) Len(size int) int {
	n := d.Uint()
	if n > uint64(len(d.b)/max(size, 1)) {
		d.Fail("a count of %d in %d bytes", n, len(d.b))
		return 0
	}
	return int(n)
}

// Floats appends to v[:0], so that a state can keep its buffer.
func (d *Decoder) Floats(v []float64) []float64 {
	v = v[:0]
	for n := d.Len(8); n > 0; n-- {
		v = append(v, d.Float())
	}
	return v
}

// Float32s appends to v[:0].
func (d *Decoder) Float32s(v []float32) []float32 {
	v = v[:0]
	for n := d.Len(4); n > 0; n-- {
		v = append(v, d.Float32())
	}
	return v
}
