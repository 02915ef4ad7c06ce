//go:build train

package beats

import (
	"bufio"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWriteFibrillationFeatures is half of train/fibrillation.py: of each file
// NAME@RATE.signal, little-endian float32 in mV, in the folder that
// HEARTWIRE_FIBRILLATION names, it writes the windows to NAME@RATE.features by the
// very code that watches patients, and the features' names to names.
func TestWriteFibrillationFeatures(t *testing.T) {
	dir := os.Getenv("HEARTWIRE_FIBRILLATION")
	paths, err := filepath.Glob(filepath.Join(dir, "*.signal"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("HEARTWIRE_FIBRILLATION names no folder with signals: %q, %v", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "names"), []byte(strings.Join(featureNames[:], "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(path, ".signal")
		rate, err := strconv.ParseFloat(name[strings.LastIndex(name, "@")+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeFeatures(t, name+".features", rate, b)
	}
}

// writeFeatures writes a row of float32 for each second: time in s, height in
// mV, and the features, of which a plain window has the flat ones alone.
func writeFeatures(t *testing.T, path string, rate float64, signal []byte) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	tr := newTracker()
	tr.restart(newKernel(rate), 0)
	for ; len(signal) >= 4; signal = signal[4:] {
		for _, y := range tr.rs.take([]float32{math.Float32frombits(binary.LittleEndian.Uint32(signal))}) {
			if !tr.wave.add([]float32{y}) {
				continue
			}
			var f features
			tr.wave.window(&f.x)
			height, most := f.slopes()
			f.flat(most)
			if f.v[fFlat10] <= plainFlat {
				f.measure(height, most)
			}
			row := append([]float32{float32(tr.wave.n) / internalRate, height}, f.v[:]...)
			if err := binary.Write(w, binary.LittleEndian, row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}
