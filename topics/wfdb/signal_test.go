package wfdb_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"heartwire/topics/wfdb"
)

// encode16 is format 16, encode212 format 212: the tests' own encoders.
func encode16(values ...int) (b []byte) {
	for _, v := range values {
		b = append(b, byte(v), byte(v>>8))
	}
	return b
}

func encode212(values ...int) (b []byte) {
	for i := 0; i < len(values); i += 2 {
		first, second := values[i], 0
		if i+1 < len(values) {
			second = values[i+1]
		}
		b = append(b, byte(first), byte(first>>8&0xf|second>>4&0xf0), byte(second))
	}
	return b
}

// record makes files of a header and its signal files.
func record(header string, files map[string][]byte) fs.FS {
	m := fstest.MapFS{"r.hea": {Data: []byte(header)}}
	for name, b := range files {
		m[name] = &fstest.MapFile{Data: b}
	}
	return m
}

func samples(t *testing.T, files fs.FS) ([][]int32, error) {
	t.Helper()
	r, err := wfdb.OpenFS(files, "r")
	if err != nil {
		t.Fatal(err)
	}
	return r.Samples()
}

func TestSamples(t *testing.T) {
	two := "r 2 250 3\nr.dat %s 200 12 0 0 %d 0 I\nr.dat %[1]s 200 12 0 0 %[3]d 0 II\n"
	for _, c := range []struct {
		name  string
		files fs.FS
		want  [][]int32
	}{
		{"format 212: signs and the full range", record(fmt.Sprintf(two, "212", 1+2047-7, 2-2047+0), map[string][]byte{
			"r.dat": encode212(1, 2, 2047, -2047, -7, 0)}), [][]int32{{1, 2047, -7}, {2, -2047, 0}}},
		{"format 16: signs and the full range", record(fmt.Sprintf(two, "16", 1+32767-7, 258-32767), map[string][]byte{
			"r.dat": encode16(1, 258, 32767, -32767, -7, 0)}), [][]int32{{1, 32767, -7}, {258, -32767, 0}}},
		{"missing samples count in the checksum", record(fmt.Sprintf(two, "212", 1-2048, -2048+4), map[string][]byte{
			"r.dat": encode212(1, -2048, -2048, 4, 0, 0)}), [][]int32{{1, wfdb.Missing, 0}, {wfdb.Missing, 4, 0}}},
		{"an odd number of samples, the last byte not written", record("r 1 250 3\nr.dat 212 200 12 0 0 6", map[string][]byte{
			"r.dat": encode212(1, 2, 3)[:5]}), [][]int32{{1, 2, 3}}},
		{"offset", record("r 1 250 2\nr.mat 16+4", map[string][]byte{
			"r.mat": append([]byte("head"), encode16(-32768, 5)...)}), [][]int32{{wfdb.Missing, 5}}},
		{"length from the file", record("r 1\nr.dat 16", map[string][]byte{"r.dat": encode16(4, 5, 6)}), [][]int32{{4, 5, 6}}},
		{"more in the file than in the record", record("r 1 250 1\nr.dat 16 0 0 0 0 4", map[string][]byte{"r.dat": encode16(4, 5, 6)}), [][]int32{{4}}},
		{"a file for each signal", record("r 2 250 2\na.dat 16\nb.dat 212", map[string][]byte{
			"a.dat": encode16(1, 2), "b.dat": encode212(3, 4)}), [][]int32{{1, 2}, {3, 4}}},
		{"no signals", record("r 0 250 0", nil), [][]int32{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := samples(t, c.files)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSamplesRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		header string
		file   []byte
		want   error
	}{
		{"a bit turned", "r 1 250 2\nr.dat 16 200 12 0 0 3 0 I", encode16(1, 3), wfdb.ErrChecksum},
		{"a bit turned, length unknown", "r 1\nr.dat 16 200 12 0 0 3 0 I", encode16(1, 3), wfdb.ErrChecksum},
		{"cut off between samples", "r 1 250 3\nr.dat 16", encode16(1, 2), io.ErrUnexpectedEOF},
		{"cut off in a sample", "r 1 250 3\nr.dat 16", encode16(1, 2, 3)[:5], io.ErrUnexpectedEOF},
		{"cut off in a row, length unknown", "r 2\nr.dat 16\nr.dat 16", encode16(1, 2, 3), io.ErrUnexpectedEOF},
		{"cut off in a pair", "r 1 250 2\nr.dat 212", encode212(1, 2)[:2], io.ErrUnexpectedEOF},
		{"shorter than its offset", "r 1 250 1\nr.dat 16+1000000000000", encode16(1), io.ErrUnexpectedEOF},
		{"longer than any file", "r 1 250 9000000000000000000\nr.dat 16", encode16(1), io.ErrUnexpectedEOF},
		{"no file", "r 1 250 1\nother.dat 16", nil, fs.ErrNotExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := samples(t, record(c.header, map[string][]byte{"r.dat": c.file}))
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("%v %v, want %v", got, err, c.want)
			}
		})
	}
	for header, want := range map[string]string{
		"r 2 250 1\nr.dat 16\nr.dat 212":          "differ in format",
		"r 3 250 1\nr.dat 16\nb.dat 16\nr.dat 16": "do not stand together",
	} {
		_, err := samples(t, record(header, map[string][]byte{"r.dat": encode16(1, 2), "b.dat": encode16(1)}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", header, err, want)
		}
	}
	r, err := wfdb.ParseHeader([]byte("r 1\nr.dat 16"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Samples(); err == nil || !strings.Contains(err.Error(), "no files") {
		t.Errorf("samples of a header alone: %v", err)
	}
}

func TestOpen(t *testing.T) {
	if _, err := wfdb.Open(t.TempDir() + "/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that it does not exist", err)
	}
	long := fstest.MapFS{"r.hea": {Data: []byte("#" + strings.Repeat("x", 1<<20) + "\nr 0")}}
	if _, err := wfdb.OpenFS(long, "r"); err == nil || !strings.Contains(err.Error(), "no header") {
		t.Errorf("a header of a megabyte: %v", err)
	}
}

// A reader may stop; what it has not read is not judged.
func TestRowsStop(t *testing.T) {
	r, err := wfdb.OpenFS(record("r 1 250 9\nr.dat 16", map[string][]byte{"r.dat": encode16(1, 2)}), "r")
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows() {
		if err != nil || row[0] != 1 {
			t.Errorf("%v %v", row, err)
		}
		break
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("r 2 360 3\nr.dat 212 200 11 1024 995 0 0 MLII\nr.dat 212 200 11 1024\n"), encode212(1, 2, 3, 4, -5, 6))
	f.Add([]byte("r 1 62.5/8(3) 2 1:2:3 4/5/6\nr.dat 16+1 1e3(4)/uV 1 2 3 4 5 a b\n# c"), encode16(1, 2, 3))
	f.Add([]byte("r 2\nr.dat 16 0/NU\ns.dat 212"), []byte{1, 2, 3})
	f.Add([]byte("r 0"), []byte{})
	f.Fuzz(func(t *testing.T, header, data []byte) {
		r, err := wfdb.OpenFS(record(string(header), map[string][]byte{"r.dat": data, "s.dat": data}), "r")
		if err != nil {
			return
		}
		rows := 0
		for row, err := range r.Rows() {
			if err == nil && len(row) != len(r.Signals) || err != nil && row != nil {
				t.Fatalf("row %v, error %v", row, err)
			}
			rows++
		}
		if rows > len(data)+1 {
			t.Fatalf("%d rows of %d bytes", rows, len(data))
		}
		n := uint64(0)
		for frame, err := range r.Frames(wfdb.FrameOptions{}) {
			if err != nil {
				break
			}
			s := frame.GetSamples()
			if s.First != n || s.Count == 0 || len(s.Leads) == 0 {
				t.Fatalf("frame %v, want first sample %d", s, n)
			}
			for _, l := range s.Leads {
				if len(l.Deltas) != int(s.Count) {
					t.Fatalf("%d deltas of %d samples", len(l.Deltas), s.Count)
				}
			}
			n += uint64(s.Count)
		}
	})
}
