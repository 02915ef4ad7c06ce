//go:build real

package wfdb_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"heartwire/topics/wfdb"
)

func files(t *testing.T, pattern string) []string {
	t.Helper()
	data := os.Getenv("HEARTWIRE_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	list, err := filepath.Glob(filepath.Join(data, pattern))
	if err != nil || len(list) == 0 {
		t.Fatalf("no %s in %s: set HEARTWIRE_DATA to the folder of recordings", pattern, data)
	}
	return list
}

// Every record opens, and every signal has the length and the checksum of its header.
func TestRecordsWhole(t *testing.T) {
	for _, path := range files(t, "*/*.hea") {
		r, err := wfdb.Open(path[:len(path)-len(".hea")])
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
