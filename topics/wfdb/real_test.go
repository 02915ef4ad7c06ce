//go:build real

package wfdb_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/test/real"
	"heartwire/topics/wfdb"
)

func files(t testing.TB, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(real.Data(t), pattern))
	if err != nil || len(list) == 0 {
		t.Fatalf("no recordings match %s: %v", pattern, err)
	}
	return list
}

// Every record opens, and every signal has the length and the checksum of its header.
func TestRecordsWhole(t *testing.T) {
	for _, path := range files(t, "*/*.hea") {
		r, err := wfdb.Open(strings.TrimSuffix(path, ".hea"))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(r.Signals) > 0 && filepath.Base(filepath.Dir(path)) == "afdb" {
			continue // the signals of these records are not here
		}
		all, err := r.Samples()
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		for i, v := range all {
			if len(v) != r.Length {
				t.Errorf("%s, signal %d: %d samples, want %d", path, i, len(v), r.Length)
			}
			first := v[0]
			if first != wfdb.Missing && int(first) != r.Signals[i].Initial {
				t.Errorf("%s, signal %d begins with %d, the header says %d", path, i, first, r.Signals[i].Initial)
			}
		}
	}
}

// Every annotation file is the same bytes again after reading and writing.
func TestAnnotationFilesRoundTrip(t *testing.T) {
	for _, pattern := range []string{"*/*.atr", "*/*.qrs", "*/*.qrsc", "golden/*.osea", "golden/*.gqrs", "golden/*.rr-af"} {
		for _, path := range files(t, pattern) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			list, err := wfdb.ReadAnnotations(path)
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := wfdb.AppendAnnotations(nil, list)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: written back differently (%v): %d bytes of %d", path, err, len(got), len(want))
			}
		}
	}
}

// The frames of every record hold each of its samples once, in order, in
// their places.
func TestFramesHoldEverySample(t *testing.T) {
	for _, pattern := range []string{"mitdb/119.hea", "vfdb/418.hea", "cinc2015vt/v2*.hea", "nstdb/em.hea"} {
		for _, path := range files(t, pattern) {
			r, err := wfdb.Open(strings.TrimSuffix(path, ".hea"))
			if err != nil {
				t.Fatal(err)
			}
			all, err := r.Samples()
			if err != nil {
				t.Fatal(err)
			}
			var leads []int
			for i, s := range r.Signals {
				if s.ECG() {
					leads = append(leads, i)
				}
			}
			n := 0
			for f, err := range r.Frames(wfdb.FrameOptions{Samples: 50}) {
				if err != nil {
					t.Fatal(err)
				}
				s := f.GetSamples()
				if len(s.Leads) != len(leads) || s.First != uint64(n) {
					t.Fatalf("%s: %d leads from %d, want %d from %d", path, len(s.Leads), s.First, len(leads), n)
				}
				for k, l := range s.Leads {
					v := int32(r.Signals[leads[k]].Baseline)
					for i, d := range l.Deltas {
						v += d
						if want := all[leads[k]][n+i]; want != v && want != wfdb.Missing {
							t.Fatalf("%s, %s, sample %d: %d, want %d", path, l.Name, n+i, v, want)
						}
					}
				}
				n += int(s.Count)
			}
			if n != r.Length {
				t.Errorf("%s: %d samples of %d", path, n, r.Length)
			}
		}
	}
}

func BenchmarkFrames(b *testing.B) {
	r, err := wfdb.Open(strings.TrimSuffix(files(b, "mitdb/119.hea")[0], ".hea"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, err := range r.Frames(wfdb.FrameOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(r.Length)*r.Rate*3600, "ms/hour")
}
