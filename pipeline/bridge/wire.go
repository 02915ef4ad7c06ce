package bridge

import (
	"encoding/binary"
	"math"
	"slices"

	"heartwire/topics"
)

// wire is a frame as it came, understood without being decoded. Nearly every
// frame is plain: Protobuf with its fields in order, deltas, nothing missing.
// Such a frame's leads go into the log byte by byte, which saves half of what
// decoding and encoding it costs. read refuses nothing: whatever is not plain
// and sound is left to decodeFrame, which says what is wrong with it, and for
// what read takes both make the same bytes.
type wire struct {
	boot, first uint64
	rate        float64
	count       int
	leads       []byte // each as field 6 of topics.Samples
	deviceTime  int64
	battery     int // -1: not said
	print       uint64
	names       [maxLeads]string
	body        []byte // room for append
}

// Tags of topics.PatchFrame and topics.Lead: field number and wire type.
const (
	tagDevice     = 1<<3 | 2
	tagBoot       = 2 << 3
	tagFirst      = 3 << 3
	tagRate       = 4<<3 | 1
	tagLead       = 5<<3 | 2
	tagDeviceTime = 8 << 3
	tagBattery    = 9 << 3

	tagName   = 1<<3 | 2
	tagScale  = 2<<3 | 1
	tagOff    = 3 << 3
	tagDeltas = 4<<3 | 2
)

// read reports whether payload is a plain and sound frame of device, whose
// name is known to be valid.
func (w *wire) read(payload []byte, device string) bool {
	if len(payload) > MaxMessage {
		return false
	}
	c := cursor{b: payload}
	w.leads, w.count, w.battery, w.print = w.leads[:0], -1, -1, printSeed
	if !c.tag(tagDevice) || string(c.bytes()) != device {
		return false
	}
	w.boot, w.first = c.number(tagBoot), c.number(tagFirst)
	if !c.tag(tagRate) {
		return false
	}
	w.rate = c.double()
	w.print = mix(w.print, math.Float64bits(w.rate))
	n := 0
	for ; c.tag(tagLead); n++ {
		body := c.bytes()
		if n == maxLeads || !w.lead(body, n) {
			return false
		}
		w.leads = append(w.leads, 6<<3|2)
		w.leads = binary.AppendUvarint(w.leads, uint64(len(body)))
		w.leads = append(w.leads, body...)
	}
	w.print = mix(w.print, 0) // no missing samples
	w.deviceTime = int64(c.number(tagDeviceTime))
	if c.tag(tagBattery) {
		w.battery = int(min(c.varint(), 101))
	}
	return n > 0 && c.end() && w.battery <= 100 && checkRun(w.boot, w.first, w.rate, w.count) == nil
}

// lead reads the nth lead.
func (w *wire) lead(b []byte, n int) bool {
	c := cursor{b: b}
	if !c.tag(tagName) {
		return false
	}
	name := c.bytes()
	if len(name) == 0 || len(name) > maxLeadName {
		return false
	}
	for _, ch := range name {
		if ch < ' ' || ch > '~' {
			return false
		}
	}
	w.print = mixText(w.print, name)
	if w.names[n] != string(name) {
		w.names[n] = string(name)
	}
	for _, other := range w.names[:n] {
		if other == w.names[n] {
			return false
		}
	}
	if !c.tag(tagScale) {
		return false
	}
	scale := c.double()
	w.print = mix(w.print, math.Float64bits(scale))
	if !(scale > 0) || math.IsInf(scale, 1) {
		return false
	}
	if c.tag(tagOff) {
		if c.varint() != 1 {
			return false
		}
		w.print = mix(w.print, 1)
	}
	if !c.tag(tagDeltas) {
		return false
	}
	count, ok := w.deltas(c.bytes())
	if w.count < 0 {
		w.count = count
	}
	return ok && count > 0 && count == w.count && c.end()
}

// deltas counts them and adds them to the fingerprint.
func (w *wire) deltas(b []byte) (count int, ok bool) {
	sum, print := int64(0), w.print
	for len(b) > 0 {
		u := uint64(b[0])
		if u < 0x80 {
			b = b[1:]
		} else {
			var n int
			if u, n = binary.Uvarint(b); n <= 0 || b[n-1] == 0 || u > math.MaxUint32 {
				return 0, false
			}
			b = b[n:]
		}
		d := int32(uint32(u)>>1) ^ -int32(u&1) // zigzag
		if sum += int64(d); sum != int64(int32(sum)) {
			return 0, false
		}
		print = mix(print, uint64(uint32(d)))
		count++
	}
	w.print = print
	return count, true
}

// append appends the bytes of the topics.Frame that decodeFrame and
// topics.Frames would make of it, with the times in s.
func (w *wire) append(b []byte, patient, device string, s *topics.Samples) []byte {
	body := appendText(w.body[:0], 1, device)
	body = appendNumber(body, 2, w.boot)
	body = appendNumber(body, 3, w.first)
	body = append(body, 4<<3|1)
	body = binary.LittleEndian.AppendUint64(body, math.Float64bits(w.rate))
	body = appendNumber(body, 5, uint64(w.count))
	body = append(body, w.leads...)
	body = appendNumber(body, 9, uint64(s.TimeUs))
	body = appendNumber(body, 10, uint64(s.ArrivalUs))
	body = appendNumber(body, 11, uint64(w.deviceTime))
	if w.battery >= 0 {
		body = binary.AppendUvarint(append(body, 12<<3), uint64(w.battery))
	}
	w.body = body
	b = slices.Grow(b, len(patient)+len(body)+16)
	b = appendText(b, 1, patient)
	b = binary.AppendUvarint(append(b, 2<<3|2), uint64(len(body)))
	return append(b, body...)
}

func appendText(b []byte, field byte, s string) []byte {
	b = binary.AppendUvarint(append(b, field<<3|2), uint64(len(s)))
	return append(b, s...)
}

// appendNumber leaves out a zero, as Protobuf does.
func appendNumber(b []byte, field byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(append(b, field<<3), v)
}

// cursor reads Protobuf field by field. After something that is not plain it
// gives nothing more, and end is false.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) end() bool { return !c.bad && len(c.b) == 0 }

// tag takes a one-byte tag if it is the next.
func (c *cursor) tag(t byte) bool {
	if c.bad || len(c.b) == 0 || c.b[0] != t {
		return false
	}
	c.b = c.b[1:]
	return true
}

func (c *cursor) fail() { c.b, c.bad = nil, true }

// varint reads a number in its shortest form.
func (c *cursor) varint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || n > 1 && c.b[n-1] == 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

// number reads a field that may be left out, and must be when it is 0.
func (c *cursor) number(t byte) uint64 {
	if !c.tag(t) {
		return 0
	}
	v := c.varint()
	if v == 0 {
		c.fail()
	}
	return v
}

func (c *cursor) double() float64 {
	if len(c.b) < 8 {
		c.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(c.b))
	c.b = c.b[8:]
	return v
}

func (c *cursor) bytes() []byte {
	n := c.varint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}
