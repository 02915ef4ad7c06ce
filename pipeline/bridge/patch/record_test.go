package patch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeRecord writes a WFDB record of two leads and a pressure in format 16:
// 1000 samples at 200 Hz, lead k's i-th being 1000k + i, less a baseline of 100.
func writeRecord(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	header := "r 3 200 1000\nr.dat 16 250(100)/mV 16 0 0 0 0 MLII\nr.dat 16 400/mV 16 0 0 0 0 V5\nr.dat 16 10/mmHg 16 0 0 0 0 ABP\n"
	sums := [3]int16{}
	var data []byte
	for i := range 1000 {
		for k, v := range []int16{int16(100 + i), int16(1000 + i), 7} {
			if i >= 500 && i < 510 && k < 2 || i == 600 && k == 1 {
				v = -32768
			}
			sums[k] += v
			data = binary.LittleEndian.AppendUint16(data, uint16(v))
		}
	}
	first := []int{100, 1000, 7}
	lines := strings.Split(header, "\n")
	for k := range 3 {
		lines[k+1] = strings.Replace(lines[k+1], " 16 0 0 0 0 ", fmt.Sprintf(" 16 0 %d %d 0 ", first[k], sums[k]), 1)
	}
	for name, b := range map[string][]byte{"r.hea": []byte(strings.Join(lines, "\n")), "r.dat": data} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "r")
}

func TestRecording(t *testing.T) {
	rec, err := OpenRecording(writeRecord(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := rec.Play(time.Second, true)
	if err != nil {
		t.Fatal(err)
	}
	if l := s.Leads(); s.Rate() != 200 || len(l) != 2 || l[0] != (LeadSpec{"MLII", 4}) || l[1] != (LeadSpec{"V5", 2.5}) {
		t.Fatalf("%g Hz, %v", s.Rate(), l)
	}
	at := 200
	var b Block
	for n := uint64(0); n < 3000; {
		if err := s.Read(&b, 130); err != nil {
			t.Fatal(err)
		}
		if b.First != n || b.Len() > 130 {
			t.Fatalf("a block of %d at %d, want %d", b.Len(), b.First, n)
		}
		lacking := false
		for i := range b.Len() {
			gone := at >= 500 && at < 510
			lacking = lacking || at == 600
			if got := b.Missing != nil && b.Missing[i]; got != gone {
				t.Fatalf("sample %d missing: %v", at, got)
			}
			if !gone && b.Counts[0][i] != int32(at) || !gone && at != 600 && b.Counts[1][i] != int32(1000+at) {
				t.Fatalf("sample %d is %d and %d", at, b.Counts[0][i], b.Counts[1][i])
			}
			at = (at + 1) % 1000
		}
		if b.Off[0] || b.Off[1] != lacking {
			t.Fatalf("leads off: %v; V5 lacks a sample: %v", b.Off, lacking)
		}
		n += uint64(b.Len())
	}
	once, err := rec.Play(4900*time.Millisecond, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := once.Read(&b, 50); err != nil || b.Len() != 20 {
		t.Errorf("the end has %d samples, %v; want 20", b.Len(), err)
	}
	if b.pad(20); b.Len() != 20 || b.Missing != nil {
		t.Errorf("padding what is long enough gave %d samples", b.Len())
	}
	if b.pad(23); b.Len() != 23 || len(b.Counts[1]) != 23 || len(b.Missing) != 23 || b.Missing[19] || !b.Missing[20] || !b.Missing[22] {
		t.Errorf("padding gave %d samples, missing %v", b.Len(), b.Missing)
	}
	if err := once.Read(&b, 50); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := rec.Play(5*time.Second, true); err == nil {
		t.Error("began after the end")
	}
	if v, err := OpenRecording(writeRecord(t), "V5"); err != nil || len(v.leads) != 1 || v.leads[0].Name != "V5" {
		t.Errorf("lead V5 alone: %v, %v", v, err)
	}
	if _, err := OpenRecording(writeRecord(t), "V6"); err == nil || !strings.Contains(err.Error(), "MLII") {
		t.Errorf("a lead that is not there: %v", err)
	}
}

func TestRecordingByMQTT(t *testing.T) {
	b, l := startBroker(t), new(ledger)
	c := testConfig(b, l)
	c.Scripts, c.Records, c.Loop = nil, []string{writeRecord(t)}, true
	stats := run(t, t.Context(), c)
	settle(t, b, l)
	// 4 rounds of 1000 samples in frames of 50.
	if want := int64(3 * 4 * 20); stats.Delivered != want || len(b.vitals) != 0 {
		t.Errorf("%+v and %d vitals, want %d frames and none: a recording has no SpO2", stats, len(b.vitals), want)
	}
}
