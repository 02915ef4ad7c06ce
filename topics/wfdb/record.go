// Package wfdb is the vocabulary of Heartwire as PhysioNet files: a record's
// header and signals (.hea with .dat or .mat) as frames, and annotation files
// (.atr and its like) as lists of annotations.
//
// It follows the WFDB Applications Guide, sections header(5), signal(5) and
// annot(5), for what ECG databases use: signal formats 16 and 212, one sample a
// signal and row, and annotations in MIT format. What it does not read
// (segments, skew, several samples a row, other formats) it refuses by name,
// and it never guesses. All input is bounded by the size of its file.
package wfdb

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Missing stands in a row for a sample that the recorder marked as invalid.
const Missing = -1 << 31

// Record is what a header says of a recording; the samples stay on disk.
type Record struct {
	Name      string
	Rate      float64  // rows/s
	Length    int      // rows; 0 where the header does not say
	StartTime string   // of day, H:M:S, as the header has it; empty unknown
	StartDate string   // D/M/Y, as the header has it; empty unknown
	Signals   []Signal // none in a record of annotations only
	Comments  []string // lines after #; may hold what is known of the patient, so they belong in no log

	files fs.FS
}

// Signal is one column of a record.
type Signal struct {
	File        string  // beside the header
	Format      int     // 16 or 212
	Offset      int64   // bytes before the first sample
	Gain        float64 // counts per Units
	Baseline    int     // the count at 0 Units
	Units       string  // mV unless the header says otherwise
	ADCBits     int     // resolution; 0 unknown
	ADCZero     int     // the count in the middle of the converter's range
	Initial     int     // the first sample
	Checksum    int16   // the sum of all samples, modulo 2^16
	Checked     bool    // the header has a Checksum
	Description string  // the lead, as a rule
}

// notECG are descriptions, in upper case, of signals that are not ECG though
// some records give them in volts. A description that begins with one of
// them, alone or before a space, digit or bracket, is no lead.
var notECG = []string{
	"ABP", "ART", "BP", "CO2", "CVP", "EEG", "EMG", "EOG", "ICP", "PAP", "PLETH", "PPG", "PULSE", "RESP", "SPO2",
}

// ECG reports whether the signal is a lead: a voltage, and not by its
// description a voltage of something else.
func (s Signal) ECG() bool {
	if _, ok := voltage(s.Units); !ok {
		return false
	}
	name := strings.ToUpper(s.Description)
	for _, other := range notECG {
		rest, found := strings.CutPrefix(name, other)
		if found && (rest == "" || strings.ContainsAny(rest[:1], " 0123456789([_-")) {
			return false
		}
	}
	return true
}

// MicrovoltsPerCount is the size of a count in µV; 0 for what is no voltage.
func (s Signal) MicrovoltsPerCount() float64 {
	uv, _ := voltage(s.Units)
	return uv / s.Gain
}

// voltage is a unit in µV.
func voltage(unit string) (float64, bool) {
	switch unit {
	case "mV":
		return 1e3, true
	case "uV", "µV":
		return 1, true
	case "V":
		return 1e6, true
	}
	return 0, false
}

// maxHeader bounds a header file; the longest known have a few kilobytes.
const maxHeader = 1 << 20

// Open reads the header of the record at path, which has no extension:
// data/mitdb/119. The signals are read by Rows and Samples.
func Open(path string) (*Record, error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	return OpenFS(os.DirFS(dir), name)
}

// OpenFS is Open for the record of that name in a file system. A header can
// name only files in or below its own folder.
func OpenFS(files fs.FS, name string) (*Record, error) {
	f, err := files.Open(name + ".hea")
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxHeader+1))
	if err != nil {
		return nil, fmt.Errorf("read header %s.hea: %w", name, err)
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("read header %s.hea: more than %d bytes, this is no header", name, maxHeader)
	}
	r, err := ParseHeader(text)
	if err != nil {
		return nil, fmt.Errorf("read header %s.hea: %w", name, err)
	}
	r.files = files
	return r, nil
}
