package fold_test

import (
	"fmt"
	"testing"

	"heartwire/pipeline/fold"
	"heartwire/pipeline/pipelinetest"
	"heartwire/stages"
	"heartwire/topics"
)

// quiet is a stage that says nothing: what is left is the engine's.
type quiet struct{}

func (quiet) Process(s *pipelinetest.CountState, r topics.Record[*topics.Frame], _ func(*topics.Annotation)) error {
	s.Key = r.Value.GetPatient()
	s.N++
	return nil
}
func (quiet) Advance(s *pipelinetest.CountState, _ *topics.Tick, _ func(*topics.Annotation)) error {
	s.Ticks++
	return nil
}

// BenchmarkFold folds records of 1,000 keys of one partition, a tick after
// each 4,000, with a commit after each 500.
func BenchmarkFold(b *testing.B) {
	stage := stages.Stage[pipelinetest.CountState, *topics.Frame, *topics.Annotation]{Name: "quiet", Version: 1, Processor: quiet{}}
	p := fold.New[pipelinetest.CountState](stage, topics.Frames, 7, 0)
	const keys = 1000
	var records []topics.Record[*topics.Frame]
	for i := range int64(4 * keys) {
		records = append(records, samples(i, fmt.Sprintf("%016x", i%keys), "a"))
	}
	commit := func() {
		if err := p.Checkpoints("bench", func(fold.Kept) error { return nil }); err != nil {
			b.Fatal(err)
		}
		p.Commit()
		p.Take()
	}
	offset, n := int64(0), uint64(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := records[i%len(records)]
		r.Offset = offset
		if err := p.Fold(r); err != nil {
			b.Fatal(err)
		}
		if offset++; i%len(records) == len(records)-1 {
			n++
			if err := p.Fold(tick(offset, n, 1)); err != nil {
				b.Fatal(err)
			}
			offset++
		}
		if i%500 == 499 {
			commit()
		}
	}
}

// BenchmarkNewKeys is the time a key takes to be new, among 10,000 in one partition.
func BenchmarkNewKeys(b *testing.B) {
	stage := stages.Stage[pipelinetest.CountState, *topics.Frame, *topics.Annotation]{Name: "quiet", Version: 1, Processor: quiet{}}
	const keys = 10_000
	var records []topics.Record[*topics.Frame]
	for i := range int64(keys) {
		records = append(records, samples(i, fmt.Sprintf("%016x", i*7919%keys), "a"))
	}
	b.ReportAllocs()
	for b.Loop() {
		p := fold.New[pipelinetest.CountState](stage, topics.Frames, 7, 0)
		for _, r := range records {
			if err := p.Fold(r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
}
