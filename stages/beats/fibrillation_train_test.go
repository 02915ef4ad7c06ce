//go:build train

package beats

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/test/real"
	"heartwire/topics/wfdb"
)

// TestWriteFibrillationFeatures writes the features of all windows for
// train/fibrillation.py, when HEARTWIRE_FIBRILLATION_FEATURES names a folder.
func TestWriteFibrillationFeatures(t *testing.T) {
	dir := os.Getenv("HEARTWIRE_FIBRILLATION_FEATURES")
	if dir == "" {
		t.Fatal("HEARTWIRE_FIBRILLATION_FEATURES names no folder")
	}
	if err := os.WriteFile(filepath.Join(dir, "names"), []byte(strings.Join(append(featureNames[:], "height"), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	noise := map[string][]float32{}
	for _, n := range []string{"em", "ma", "bw"} {
		_, columns := signals(t, filepath.Join(real.Data(t), "nstdb", n))
		noise[n] = columns[0]
		noise[n+"1"] = columns[1]
	}
	for _, set := range []string{"vfdb", "mitdb", "cinc2015vt"} {
		paths, err := filepath.Glob(filepath.Join(real.Data(t), set, "*.hea"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			path = strings.TrimSuffix(path, ".hea")
			rate, leads := signals(t, path)
			for i, x := range leads {
				write(t, fmt.Sprintf("%s/%s.%s.%d.clean", dir, set, filepath.Base(path), i), rate, x)
				if set == "cinc2015vt" {
					continue
				}
				for k, n := range []string{"em", "ma", "bw", "em1"} {
					var power float64
					var mean float64
					for _, v := range x {
						mean += float64(v) / float64(len(x))
					}
					for _, v := range x {
						power += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
					}
					y := make([]float32, len(x))
					z := noise[n]
					var np float64
					for _, v := range z {
						np += float64(v) * float64(v) / float64(len(z))
					}
					for j, v := range x {
						// the ratio goes through 12, 6, 0 dB, minute by minute
						at := float64(j) / rate
						db := []float64{12, 6, 0}[int(at/60)%3]
						g := math.Sqrt(power/np) / math.Pow(10, db/20)
						y[j] = v + float32(g)*z[int(at*360+float64(k*7919))%len(z)]
					}
					write(t, fmt.Sprintf("%s/%s.%s.%d.%s", dir, set, filepath.Base(path), i, n), rate, y)
				}
			}
		}
	}
}

// signals are the ECG of a record in mV.
func signals(t *testing.T, path string) (float64, [][]float32) {
	r, err := wfdb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Samples()
	if err != nil {
		t.Fatal(err)
	}
	var list [][]float32
	for i, c := range s {
		if !r.Signals[i].ECG() && !strings.Contains(path, "nstdb") {
			continue
		}
		v := make([]float32, len(c))
		var mean float64
		for j, x := range c {
			if x == -32768 || x == math.MinInt32 {
				if j > 0 {
					v[j] = v[j-1]
				}
				continue
			}
			v[j] = float32(float64(int(x)-r.Signals[i].Baseline) * r.Signals[i].MicrovoltsPerCount() / 1000)
			mean += float64(v[j]) / float64(len(c))
		}
		if strings.Contains(path, "nstdb") {
			for j := range v {
				v[j] -= float32(mean)
			}
		}
		list = append(list, v)
	}
	return r.Rate, list
}

// write writes a row of float32 for each look: time in s, features, height.
func write(t *testing.T, path string, rate float64, x []float32) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	tr := newTracker()
	tr.restart(newKernel(rate), 0)
	for _, v := range x {
		tr.rs.push(v)
		for {
			y, ok := tr.rs.pull()
			if !ok {
				break
			}
			tr.wave.push(y, tr.rs.out)
			if tr.wave.waits == 0 {
				continue
			}
			tr.wave.waits = 0
			var f features
			tr.wave.window(&f.x)
			height, most := f.slopes()
			f.flat(most)
			f.measure(most)
			row := append([]float32{float32(tr.wave.n) / internalRate}, f.v[:]...)
			row = append(row, height)
			if err := binary.Write(b, binary.LittleEndian, row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
}
