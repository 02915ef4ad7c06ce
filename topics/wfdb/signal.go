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
		row := make([]int32, len(r.Signals))
		for b, err := range r.blocks(blockRows) {
			for n := range b.rows {
				for i, c := range b.columns {
					row[i] = c[n]
				}
				if !yield(row, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

const blockRows = 64

// block is a run of rows, by column. It is overwritten by the next.
type block struct {
	rows    int
	columns [][]int32 // of each signal
}

// blocks reads the samples from the beginning, size rows at a time and fewer
// at the end. An error comes with the rows before it, and ends the sequence.
func (r *Record) blocks(size int) iter.Seq2[block, error] {
	return func(yield func(block, error) bool) {
		if len(r.Signals) == 0 {
			return
		}
		columns, err := r.openColumns()
		defer func() {
			for _, c := range columns {
				c.file.Close()
			}
		}()
		if err != nil {
			yield(block{}, r.failed(err))
			return
		}
		b := block{columns: make([][]int32, len(r.Signals))}
		for i := range b.columns {
			b.columns[i] = make([]int32, size)
		}
		sums := make([]uint16, len(r.Signals))
		for done := 0; ; {
			want := size
			if r.Length > 0 {
				want = min(size, r.Length-done)
			}
			over, err := r.read(columns, &b, want, done, sums)
			done += b.rows
			if over = over || err == nil && r.Length > 0 && done == r.Length; over && err == nil {
				err = r.verify(sums)
			}
			if err != nil {
				err = r.failed(err)
			}
			if !yield(b, err) || over || err != nil {
				return
			}
		}
	}
}

func (r *Record) failed(err error) error {
	return fmt.Errorf("read the samples of %s: %w", r.Name, err)
}

// read fills a block with up to want rows, of which done came before. over
// says that the file of a record of unknown length has ended.
func (r *Record) read(columns []column, b *block, want, done int, sums []uint16) (over bool, err error) {
	b.rows = want
	at := 0
	for i := range columns {
		c := &columns[i]
		n, bad := c.rows(b.columns[at:at+c.signals], b.rows, sums[at:at+c.signals])
		if bad != nil { // at an earlier row than in the columns before
			b.rows = n
			if over = bad == io.EOF && r.Length == 0 && i == 0; !over {
				err = r.short(r.Signals[at].File, done+n, cutOff(bad))
			}
		}
		at += c.signals
	}
	return over && err == nil, err
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

// short says how much of a file's samples could be read.
func (r *Record) short(file string, n int, err error) error {
	if r.Length > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s has %d samples of the %d in its header, the rest is missing: %w", file, n, r.Length, err)
	}
	return fmt.Errorf("%s, sample %d: %w", file, n, err)
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
		c := column{file: f, in: bufio.NewReaderSize(f, 1<<16), signals: 1, format: s.Format, invalid: invalid16}
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

// rows reads up to n samples of each signal and says how many came before an
// error; io.EOF means that there is none at all of the next.
func (c *column) rows(to [][]int32, n int, sums []uint16) (int, error) {
	for done := 0; done < n; {
		if k := c.whole(to, done, n, sums); k > 0 {
			done += k
			continue
		}
		for i := range to {
			v, err := c.next()
			if err != nil {
				if i > 0 {
					err = cutOff(err)
				}
				return done, err
			}
			sums[i] += uint16(v)
			to[i][done] = c.valid(v)
		}
		done++
	}
	return n, nil
}

func (c *column) valid(v int32) int32 {
	if v == c.invalid {
		return Missing
	}
	return v
}

// whole reads the rows from..n that are there at once and begin at a byte,
// which is nearly all; where it reads none, next goes on where it was.
func (c *column) whole(to [][]int32, from, n int, sums []uint16) int {
	size := 2 * len(to)
	if c.format == 212 {
		if size = len(to) / 2 * 3; len(to)%2 != 0 || c.half {
			return 0
		}
	}
	if len(c.ahead) < size && !c.look(size) {
		return 0
	}
	n = min(n-from, len(c.ahead)/size)
	b := c.ahead[:n*size]
	c.ahead = c.ahead[n*size:]
	if c.format == 16 {
		for i := range to {
			sums[i] += c.words(to[i][from:from+n], b[2*i:], size)
		}
		return n
	}
	for i := 0; i < len(to); i += 2 {
		first, second := c.pairs(to[i][from:from+n], to[i+1][from:from+n], b[i/2*3:], size)
		sums[i] += first
		sums[i+1] += second
	}
	return n
}

// words reads samples of format 16 that lie step bytes apart, and gives their sum.
func (c *column) words(to []int32, b []byte, step int) (sum uint16) {
	for i := range to {
		v := int32(int8(b[1]))<<8 | int32(b[0])
		sum += uint16(v)
		to[i] = c.valid(v)
		b = b[min(step, len(b)):]
	}
	return sum
}

// pairs reads pairs of samples of format 212 that lie step bytes apart.
func (c *column) pairs(to, other []int32, b []byte, step int) (first, second uint16) {
	other = other[:len(to)]
	var sum, sum2 int32
	for i := range to {
		bytes := b[i*step:][:3]
		low, upper, last := int32(bytes[0]), int32(bytes[1]), int32(bytes[2])
		v, w := upper<<28>>20|low, upper<<24>>28<<8|last
		sum += v
		sum2 += w
		if v == invalid212 {
			v = Missing
		}
		if w == invalid212 {
			w = Missing
		}
		to[i], other[i] = v, w
	}
	return uint16(sum), uint16(sum2)
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
