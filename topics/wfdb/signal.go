package wfdb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// Rows reads the samples from the beginning, a row at a time: the value of
// each signal in counts, or Missing. The row is overwritten by the next. A
// file that is cut off and a checksum that does not match are an error, which
// ends the sequence with a nil row.
func (r *Record) Rows() iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		if len(r.Signals) == 0 {
			return
		}
		stopped, err := r.read(func(row []int32) bool { return yield(row, nil) })
		if err != nil && !stopped {
			yield(nil, fmt.Errorf("read the samples of %s: %w", r.Name, err))
		}
	}
}

// Samples reads all samples: for each signal its values in counts, or Missing.
func (r *Record) Samples() ([][]int32, error) {
	all := make([][]int32, len(r.Signals))
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		for i, v := range row {
			all[i] = append(all[i], v)
		}
	}
	return all, nil
}

func (r *Record) read(yield func([]int32) bool) (stopped bool, err error) {
	columns, err := r.openColumns()
	defer func() {
		for _, c := range columns {
			c.file.Close()
		}
	}()
	if err != nil {
		return false, err
	}
	row := make([]int32, len(r.Signals))
	sums := make([]uint16, len(r.Signals))
	for n := 0; r.Length == 0 || n < r.Length; n++ {
		at := 0
		for i := range columns {
			c := &columns[i]
			err := c.row(row[at:at+c.signals], sums[at:at+c.signals])
			if err == io.EOF && r.Length == 0 && i == 0 {
				return false, r.verify(sums)
			}
			if err != nil {
				return false, fmt.Errorf("%s, sample %d: %w", r.Signals[at].File, n, cutOff(err))
			}
			at += c.signals
		}
		if !yield(row) {
			return true, nil
		}
	}
	return false, r.verify(sums)
}

// ErrChecksum says that the samples of a signal are not those its header was written for.
var ErrChecksum = errors.New("checksum does not match, the file is damaged")

func (r *Record) verify(sums []uint16) error {
	for i, s := range r.Signals {
		if s.Checked && int16(sums[i]) != s.Checksum {
			return fmt.Errorf("%s, signal %d: %w: %d, the header says %d", s.File, i, ErrChecksum, int16(sums[i]), s.Checksum)
		}
	}
	return nil
}

// Formats mark an invalid sample by their least value: signal(5).
const (
	invalid16  = -1 << 15
	invalid212 = -1 << 11
)

// column is a file with the signals in it, whose samples take turns.
type column struct {
	file    fs.File
	in      *bufio.Reader
	signals int
	format  int
	invalid int32
	half    bool  // format 212: a pair is half read
	high    int32 // the upper bits of its second sample, in place

	ahead []byte // of in, not yet taken
	seen  int    // bytes that ahead had at first
}

// openColumns opens the files of the signals, in order. What it has opened is
// returned with an error, too.
func (r *Record) openColumns() ([]column, error) {
	if r.files == nil {
		return nil, errors.New("the record has no files, only a header: open it from its folder")
	}
	var columns []column
	seen := make(map[string]bool)
	for i, s := range r.Signals {
		if i > 0 && s.File == r.Signals[i-1].File {
			if s.Format != r.Signals[i-1].Format || s.Offset != r.Signals[i-1].Offset {
				return columns, fmt.Errorf("%s: its signals differ in format", s.File)
			}
			columns[len(columns)-1].signals++
			continue
		}
		if seen[s.File] {
			return columns, fmt.Errorf("%s: its signals do not stand together in the header", s.File)
		}
		seen[s.File] = true
		f, err := r.files.Open(s.File)
		if err != nil {
			return columns, err
		}
		c := column{file: f, in: bufio.NewReaderSize(f, 1<<14), signals: 1, format: s.Format, invalid: invalid16}
		if s.Format == 212 {
			c.invalid = invalid212
		}
		columns = append(columns, c)
		if _, err := io.CopyN(io.Discard, c.in, s.Offset); err != nil {
			return columns, fmt.Errorf("%s: skip %d bytes: %w", s.File, s.Offset, cutOff(err))
		}
	}
	return columns, nil
}

// row reads one sample of each signal; io.EOF means that there is none at all.
func (c *column) row(row []int32, sums []uint16) error {
	if c.whole(row) {
		for i, v := range row {
			sums[i] += uint16(v)
			if v == c.invalid {
				row[i] = Missing
			}
		}
		return nil
	}
	for i := range row {
		v, err := c.next()
		if err != nil {
			if i > 0 {
				err = cutOff(err)
			}
			return err
		}
		sums[i] += uint16(v)
		if v == c.invalid {
			v = Missing
		}
		row[i] = v
	}
	return nil
}

// whole reads a row at once where it begins at a byte and is all there, which
// is nearly always; else it reads nothing, and next goes on where it was.
func (c *column) whole(row []int32) bool {
	size := 2 * len(row)
	if c.format == 212 {
		if size = len(row) / 2 * 3; len(row)%2 != 0 || c.half {
			return false
		}
	}
	if len(c.ahead) < size && !c.look(size) {
		return false
	}
	b := c.ahead[:size]
	c.ahead = c.ahead[size:]
	if c.format == 16 {
		for i := range row {
			row[i] = int32(int8(b[2*i+1]))<<8 | int32(b[2*i])
		}
		return true
	}
	for i := 0; i < len(row); i += 2 {
		low, upper, second := b[0], b[1], b[2]
		b = b[3:]
		row[i] = int32(int8(upper<<4))>>4<<8 | int32(low)
		row[i+1] = int32(int8(upper))>>4<<8 | int32(second)
	}
	return true
}

// look gives back what was taken of ahead, and looks ahead as far as is
// buffered; false if that is less than size, for the file ends.
func (c *column) look(size int) bool {
	_, _ = c.in.Discard(c.seen - len(c.ahead))
	c.ahead, c.seen = nil, 0
	if _, err := c.in.Peek(size); err != nil {
		return false
	}
	c.ahead, _ = c.in.Peek(c.in.Buffered())
	c.seen = len(c.ahead)
	return true
}

// next reads one sample of format 16, two bytes, low one first, or of format
// 212, where three bytes hold two samples of 12 bits: the low byte of the
// first, the upper four bits of both (the first's are the lower ones), the low
// byte of the second.
func (c *column) next() (int32, error) {
	low, err := c.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if c.half {
		c.half = false
		return c.high | int32(low), nil
	}
	high, err := c.in.ReadByte()
	if err != nil {
		return 0, cutOff(err)
	}
	if c.format == 16 {
		return int32(int8(high))<<8 | int32(low), nil
	}
	c.half, c.high = true, int32(int8(high))>>4<<8
	return int32(int8(high<<4))>>4<<8 | int32(low), nil
}

func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
