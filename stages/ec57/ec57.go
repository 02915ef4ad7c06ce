// Package ec57 scores annotations against reference annotations as ANSI/AAMI
// EC57 prescribes: beat by beat, by runs of ectopic beats, and by episodes of
// atrial or ventricular fibrillation. It is for tests and for people who judge
// a detector; nothing in it runs while a patient is watched.
//
// Its counts are those of the reference tools of the WFDB package, bxb, rxr
// and epicmp; where a rule of theirs is not in the standard, the comment says so.
package ec57

import (
	"math"

	"heartwire/topics/wfdb"
)

// Options say which part of a record is scored. All but Rate count in samples.
type Options struct {
	Rate   float64 // samples/s
	Start  int64   // what is before is for learning
	End    int64   // the length of the record; 0 unknown, then the last reference annotation ends it
	Window int64   // how far apart two annotations of the same beat may be
}

// Standard are the options of EC57: the first 5 minutes are for learning, and
// beats match within 150 ms. rate is in Hz, length in samples, 0 unknown.
func Standard(rate float64, length int) Options {
	return Options{Rate: rate, Start: samples(300, rate), End: int64(length), Window: samples(0.15, rate)}
}

// FromStart are the Standard options without the time for learning.
func FromStart(rate float64, length int) Options {
	o := Standard(rate, length)
	o.Start = 0
	return o
}

// samples rounds half up, as the reference tools do: 150 ms are 38 samples at 250 Hz.
func samples(seconds, rate float64) int64 { return int64(seconds*rate + 0.5) }

// never is later than every annotation, and far enough from overflow to be
// subtracted from.
const never = math.MaxInt64 / 4

// Ratio is a statistic with what it was counted from.
type Ratio struct{ Num, Den int64 }

// Percent is the ratio × 100; false where nothing was there to count.
func (r Ratio) Percent() (float64, bool) {
	if r.Den <= 0 {
		return 0, false
	}
	return 100 * float64(r.Num) / float64(r.Den), true
}

// Scored is the result for one record.
type Scored[R any] struct {
	Record string
	Result R
}

// Average is the mean over the records of a statistic in percent, of those
// records where there was something to count; false if there was none.
func Average[R any](rows []Scored[R], statistic func(R) Ratio) (float64, bool) {
	sum, n := 0.0, 0
	for _, row := range rows {
		if p, ok := statistic(row.Result).Percent(); ok {
			sum += p
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// shutdown reports whether the annotation says that no signal can be read:
// both bits of the noise subtype are set for both signals of the databases.
func shutdown(a wfdb.Annotation) bool {
	return a.Code == wfdb.Noise && a.Subtype&0x30 == 0x30
}
