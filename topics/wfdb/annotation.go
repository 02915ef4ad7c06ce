package wfdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
)

// Annotation is something that is true of the signal at one sample.
type Annotation struct {
	Sample  int64
	Code    Code
	Subtype int8
	Chan    uint8  // the signal it was made in
	Num     int8   // of the annotator
	Aux     string // up to 255 bytes: the name of a rhythm such as "(AFIB", a comment; without the zero bytes that some files end it with

	padding uint8 // zero bytes that the file had after Aux, so that it is written as it was read
}

// The signs of the MIT annotation format, above the codes: annot(5). A word is
// six bits of code or sign over ten bits of value. An annotation is its code
// over the samples since the annotation before; signs follow the annotation they tell more
// of, but skip, which precedes the next one.
const (
	signSkip    = 59 // four bytes follow, the upper half first: samples to add
	signNum     = 60 // holds until the next
	signSubtype = 61 // holds for this annotation
	signChan    = 62 // holds until the next
	signAux     = 63 // that many bytes follow, padded to an even number

	wordBits = 10
	wordMask = 1<<wordBits - 1
)

// maxAnnotations bounds the bytes of an annotation file: a day of beats is below 1 MB.
const maxAnnotations = 1 << 28

// ReadAnnotations reads an annotation file: data/mitdb/119.atr. Samples are
// those of the file: a file whose first note says "## time resolution" counts
// in that many samples a second, see Resolution.
func ReadAnnotations(path string) ([]Annotation, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAnnotations+1))
	if err != nil {
		return nil, fmt.Errorf("read annotations %s: %w", path, err)
	}
	if len(b) > maxAnnotations {
		return nil, fmt.Errorf("read annotations %s: more than %d bytes, these are no annotations", path, maxAnnotations)
	}
	list, err := ParseAnnotations(b)
	if err != nil {
		return nil, fmt.Errorf("read annotations %s: %w", path, err)
	}
	return list, nil
}

// ParseAnnotations reads the bytes of an annotation file, up to the word of
// zero that ends it. Bytes that end before that are cut off: an error, with
// what was whole.
func ParseAnnotations(b []byte) ([]Annotation, error) {
	p := annotationParser{b: b}
	for {
		word, err := p.word()
		if err != nil {
			return p.list, err
		}
		if word == 0 {
			return p.list, nil
		}
		code, value := word>>wordBits, word&wordMask
		if code <= uint16(lastCode) {
			p.time += int64(value)
			p.list = append(p.list, Annotation{Sample: p.time, Code: Code(code), Chan: p.channel, Num: p.num})
			continue
		}
		if err := p.sign(code, value); err != nil {
			return p.list, err
		}
	}
}

type annotationParser struct {
	b       []byte
	at      int
	time    int64
	channel uint8
	num     int8
	list    []Annotation
}

func (p *annotationParser) take(n int) ([]byte, error) {
	if len(p.b)-p.at < n {
		return nil, fmt.Errorf("cut off at byte %d: %w", p.at, io.ErrUnexpectedEOF)
	}
	p.at += n
	return p.b[p.at-n : p.at], nil
}

func (p *annotationParser) word() (uint16, error) {
	b, err := p.take(2)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint16(b), nil
}

func (p *annotationParser) sign(sign, value uint16) error {
	if sign == signSkip {
		b, err := p.take(4)
		if err == nil {
			p.time += int64(int32(binary.LittleEndian.Uint16(b))<<16 | int32(binary.LittleEndian.Uint16(b[2:])))
		}
		return err
	}
	if sign < signNum {
		return fmt.Errorf("byte %d: a code of %d, annotations have 0 to %d", p.at-2, sign, uint8(lastCode))
	}
	if len(p.list) == 0 {
		return fmt.Errorf("byte %d: these are no annotations in MIT format", p.at-2)
	}
	last := &p.list[len(p.list)-1]
	switch sign {
	case signNum:
		p.num = int8(value)
		last.Num = p.num
	case signSubtype:
		last.Subtype = int8(value)
	case signChan:
		p.channel = uint8(value)
		last.Chan = p.channel
	case signAux:
		size := int(value & 0xff)
		b, err := p.take((size + 1) &^ 1)
		if err != nil {
			return err
		}
		aux := string(b[:size])
		last.Aux = strings.TrimRight(aux, "\x00")
		last.padding = uint8(len(aux) - len(last.Aux))
	}
	return nil
}

// WriteAnnotations writes an annotation file; see AppendAnnotations.
func WriteAnnotations(path string, list []Annotation) error {
	b, err := AppendAnnotations(nil, list)
	if err != nil {
		return fmt.Errorf("write annotations %s: %w", path, err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return fmt.Errorf("write annotations: %w", err)
	}
	return nil
}

// AppendAnnotations appends the bytes of an annotation file to b. What
// ParseAnnotations has read becomes the same bytes again, if the WFDB library wrote them.
func AppendAnnotations(b []byte, list []Annotation) ([]byte, error) {
	word := func(code, value uint16) { b = binary.LittleEndian.AppendUint16(b, code<<wordBits|value&wordMask) }
	var time int64
	var channel uint8
	var num int8
	for i, a := range list {
		size := len(a.Aux) + int(a.padding)
		if a.Code > lastCode {
			return nil, fmt.Errorf("annotation %d: code %d, want 0 to %d", i, uint8(a.Code), uint8(lastCode))
		}
		if size > 0xff {
			return nil, fmt.Errorf("annotation %d: a text of %d bytes, 255 fit", i, size)
		}
		delta := a.Sample - time
		time = a.Sample
		if a.Code == NotQRS { // a step of 0 would be the end of the file
			if b, delta = appendSkip(b, delta-1), 1; b == nil {
				return nil, fmt.Errorf("annotation %d: too far from the one before", i)
			}
		} else if delta < 0 || delta > wordMask {
			if b, delta = appendSkip(b, delta), 0; b == nil {
				return nil, fmt.Errorf("annotation %d: too far from the one before", i)
			}
		}
		word(uint16(a.Code), uint16(delta))
		if a.Subtype != 0 {
			word(signSubtype, uint16(a.Subtype))
		}
		if a.Chan != channel {
			channel = a.Chan
			word(signChan, uint16(channel))
		}
		if a.Num != num {
			num = a.Num
			word(signNum, uint16(num))
		}
		if size > 0 {
			word(signAux, uint16(size))
			b = append(b, a.Aux...)
			b = append(b, make([]byte, int(a.padding)+size&1)...)
		}
	}
	return append(b, 0, 0), nil
}

// appendSkip appends a skip; nil if the distance does not fit.
func appendSkip(b []byte, delta int64) []byte {
	if int64(int32(delta)) != delta {
		return nil
	}
	b = binary.LittleEndian.AppendUint16(b, signSkip<<wordBits)
	b = binary.LittleEndian.AppendUint16(b, uint16(delta>>16))
	return binary.LittleEndian.AppendUint16(b, uint16(delta))
}

// Resolution is the number of samples a second in which the annotations
// count, where a note at the beginning says so.
func Resolution(list []Annotation) (rate float64, ok bool) {
	for _, a := range list {
		if a.Sample != 0 || a.Code != Note {
			return 0, false
		}
		if _, err := fmt.Sscanf(a.Aux, "## time resolution: %g", &rate); err == nil && rate > 0 {
			return rate, true
		}
	}
	return 0, false
}
