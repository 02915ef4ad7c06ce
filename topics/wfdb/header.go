package wfdb

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// Defaults of header(5).
const (
	defaultRate = 250 // rows/s
	defaultGain = 200 // counts per mV, also where the header says 0 for "not calibrated"
)

// maxSignals bounds a header's number of signals; sleep studies have some 30.
const maxSignals = 1024

// ParseHeader reads the text of a header file. Errors name the line. A record
// from ParseHeader has no files: its samples cannot be read.
func ParseHeader(text []byte) (*Record, error) {
	var r *Record
	signals := 0
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		var err error
		switch {
		case line == "":
		case line[0] == '#':
			if r != nil {
				r.Comments = append(r.Comments, strings.TrimSpace(line[1:]))
			}
		case r == nil:
			r, signals, err = parseRecordLine(line)
		case len(r.Signals) < signals:
			var s Signal
			if s, err = parseSignalLine(line); err == nil {
				r.Signals = append(r.Signals, s)
			}
		default:
			err = fmt.Errorf("one signal more than the %d of the first line", signals)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if r == nil {
		return nil, fmt.Errorf("no record line")
	}
	if len(r.Signals) < signals {
		return nil, fmt.Errorf("%d signals announced, %d described", signals, len(r.Signals))
	}
	return r, nil
}

// parseRecordLine reads "name signals [rate[/counter] [length [time [date]]]]".
func parseRecordLine(line string) (*Record, int, error) {
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return nil, 0, fmt.Errorf("want at least a name and a number of signals")
	}
	r := &Record{Name: fields[0], Rate: defaultRate}
	if name, segments, found := strings.Cut(r.Name, "/"); found {
		return nil, 0, fmt.Errorf("record %s has %s segments: name one of them instead", name, segments)
	}
	signals, err := strconv.Atoi(fields[1])
	if err != nil || signals < 0 || signals > maxSignals {
		return nil, 0, fmt.Errorf("number of signals %q: want 0 to %d", fields[1], maxSignals)
	}
	if len(fields) > 2 {
		rate, _, _ := strings.Cut(fields[2], "/") // what follows is the rate of a counter, for people
		r.Rate, err = strconv.ParseFloat(rate, 64)
		if err != nil || !(r.Rate > 0) || math.IsInf(r.Rate, 0) {
			return nil, 0, fmt.Errorf("sampling rate %q: want a number above 0", rate)
		}
	}
	if len(fields) > 3 {
		r.Length, err = strconv.Atoi(fields[3])
		if err != nil || r.Length < 0 {
			return nil, 0, fmt.Errorf("length %q: want a number of samples", fields[3])
		}
	}
	if len(fields) > 4 {
		r.StartTime = fields[4]
	}
	if len(fields) > 5 {
		r.StartDate = fields[5]
	}
	return r, signals, nil
}

// parseSignalLine reads "file format [gain [bits [zero [initial [checksum
// [blocksize [description]]]]]]]"; the description is the rest of the line.
func parseSignalLine(line string) (Signal, error) {
	fields := make([]string, 0, 9)
	for rest := line; rest != ""; {
		if len(fields) == 8 {
			fields = append(fields, rest)
			break
		}
		var f string
		if i := strings.IndexAny(rest, " \t"); i >= 0 {
			f, rest = rest[:i], strings.TrimLeft(rest[i:], " \t")
		} else {
			f, rest = rest, ""
		}
		fields = append(fields, f)
	}
	if len(fields) < 2 {
		return Signal{}, fmt.Errorf("want at least a file and a format")
	}
	s := Signal{File: fields[0], Gain: defaultGain, Units: "mV"}
	if !fs.ValidPath(s.File) || s.File == "." {
		return s, fmt.Errorf("signal file %q: want a file beside the header", s.File)
	}
	if err := s.parseFormat(fields[1]); err != nil {
		return s, err
	}
	hasBaseline := false
	if len(fields) > 2 {
		var err error
		if hasBaseline, err = s.parseGain(fields[2]); err != nil {
			return s, err
		}
	}
	var blocksize, checksum int
	for i, to := range []*int{&s.ADCBits, &s.ADCZero, &s.Initial, &checksum, &blocksize} {
		if len(fields) <= 3+i {
			break
		}
		v, err := strconv.ParseInt(fields[3+i], 10, 32)
		if err != nil {
			name := [...]string{"resolution", "zero", "initial value", "checksum", "block size"}[i]
			return s, fmt.Errorf("%s %q: want a whole number", name, fields[3+i])
		}
		*to = int(v)
	}
	if len(fields) > 6 {
		s.Checksum, s.Checked = int16(checksum), true
	}
	if len(fields) > 8 {
		s.Description = fields[8]
	}
	if !hasBaseline {
		s.Baseline = s.ADCZero
	}
	return s, nil
}

// parseFormat reads "format[xsamples][:skew][+offset]".
func (s *Signal) parseFormat(field string) error {
	rest, offset, found := strings.Cut(field, "+")
	if found {
		v, err := strconv.ParseInt(offset, 10, 64)
		if err != nil || v < 0 {
			return fmt.Errorf("format %q: want a number of bytes after +", field)
		}
		s.Offset = v
	}
	rest, skew, found := strings.Cut(rest, ":")
	if found && skew != "0" {
		return fmt.Errorf("format %q: signals with a skew are not read", field)
	}
	rest, times, found := strings.Cut(rest, "x")
	if found && times != "1" {
		return fmt.Errorf("format %q: several samples a row are not read", field)
	}
	switch rest {
	case "16":
		s.Format = 16
	case "212":
		s.Format = 212
	default:
		return fmt.Errorf("format %q: only 16 and 212 are read; write the record anew in one of them, as wrsamp of Python's wfdb does", field)
	}
	return nil
}

// parseGain reads "gain[(baseline)][/units]" and reports whether it has a baseline.
func (s *Signal) parseGain(field string) (hasBaseline bool, err error) {
	rest, units, found := strings.Cut(field, "/")
	if found && units != "" {
		s.Units = units
	}
	rest, baseline, hasBaseline := strings.Cut(rest, "(")
	if hasBaseline {
		v, err := strconv.ParseInt(strings.TrimSuffix(baseline, ")"), 10, 32)
		if err != nil {
			return false, fmt.Errorf("gain %q: want a whole number as baseline", field)
		}
		s.Baseline = int(v)
	}
	gain, err := strconv.ParseFloat(rest, 64)
	if err != nil || math.IsNaN(gain) || math.IsInf(gain, 0) || gain < 0 {
		return false, fmt.Errorf("gain %q: want counts per unit", field)
	}
	if gain > 0 {
		s.Gain = gain
	}
	return hasBaseline, nil
}
