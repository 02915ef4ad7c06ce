//go:build real

package main

import (
	"io"
	"path/filepath"
	"testing"

	"heartwire/stages/beats"
	"heartwire/test/real"
)

// BenchmarkAnnotate annotates the first lead of recordings, as the command
// does: files read and written. It is what one hour of one lead costs, and what to take a profile of.
func BenchmarkAnnotate(b *testing.B) {
	for _, name := range []string{"mitdb", "vfdb"} {
		b.Run(name, func(b *testing.B) {
			first := 0
			run := annotation{
				in: filepath.Join(real.Data(b), name), out: b.TempDir(), lead: "0", only: &first, workers: 1, beatsConf: beats.DefaultConfig(),
			}
			names, err := recordings(run.in)
			if err != nil {
				b.Fatal(err)
			}
			var sum annotated
			used := cpuSeconds()
			for b.Loop() {
				one, failed := run.all(b.Context(), names, io.Discard)
				if failed > 0 {
					b.Fatalf("%d recordings could not be annotated", failed)
				}
				sum.add(one)
			}
			b.ReportMetric((cpuSeconds()-used)/sum.leadHours, "CPU-s/h")
		})
	}
}
