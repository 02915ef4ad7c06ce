package beats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTreesFitTheFeatures(t *testing.T) {
	if !slices.Equal(fibrillationForest.Features, featureNames[:]) {
		t.Errorf("fibrillation.trees was made for %v, the features are %v: run train/fibrillation.py", fibrillationForest.Features, featureNames)
	}
}

// TestFeaturesAreNumbers measures what no heart gives.
func TestFeaturesAreNumbers(t *testing.T) {
	for name, at := range map[string]func(i int) float64{
		"nothing":  func(int) float64 { return 0 },
		"constant": func(int) float64 { return 65.534 },
		"step":     func(i int) float64 { return float64(i / 180) },
		"spike": func(i int) float64 {
			if i == 100 {
				return -65
			}
			return 0
		},
		"rails": func(i int) float64 { return 65 * float64(i%2*2-1) },
		"ramp":  func(i int) float64 { return float64(i) / 10 },
		"slow":  func(i int) float64 { return math.Sin(float64(i) / 300) },
		"one":   func(i int) float64 { return float64(i / 359) },
	} {
		var f features
		for i := range f.x {
			f.x[i] = float32(at(i))
		}
		height, most := f.slopes()
		f.flat(most)
		f.measure(height, most)
		for i, v := range f.v {
			if v != v || math.IsInf(float64(v), 0) {
				t.Errorf("%s: %s is %v", name, featureNames[i], v)
			}
		}
	}
}

// TestSpectrum finds a sine.
func TestSpectrum(t *testing.T) {
	var f features
	for i := range f.x {
		f.x[i] = float32(math.Sin(2 * math.Pi * 5 * float64(i) / waveRate))
	}
	_, most := f.slopes()
	f.flat(most)
	f.measure(2, most)
	for i, want := range map[int]float64{fTop: 5, fMedian: 5, fSelfHz: 5, fMean: 5, fMid: 1, fSelf: 1, fSelfLow: -1, fLeak: 0.03, fPeakShare: 0.95} {
		if math.Abs(float64(f.v[i])-want) > 0.08*math.Max(want, 1) {
			t.Errorf("%s of a sine of 5 Hz: %v, want %v", featureNames[i], f.v[i], want)
		}
	}
}

// BenchmarkLook judges a window that is not plain.
func BenchmarkLook(b *testing.B) {
	var w waveform
	for i := range waveLen * waveHalf {
		w.add([]float32{float32(math.Sin(float64(i)/6) + 0.3*math.Sin(float64(i)/23))})
	}
	b.ReportAllocs()
	for b.Loop() {
		w.waits = 0
		w.look(1)
	}
}

// BenchmarkPlainLook judges one that is.
func BenchmarkPlainLook(b *testing.B) {
	var w waveform
	for i := range waveLen * waveHalf {
		w.add([]float32{float32(math.Exp(-math.Pow(float64(i%150-75)/3, 2)))})
	}
	b.ReportAllocs()
	for b.Loop() {
		w.waits = 0
		w.look(1)
	}
}

// The short way to a plain window says what the long one says.
func TestPlainIsWhatJudgeFindsPlain(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	short := 0
	for trial := range 4000 {
		w := waveform{n: uint64(waveLen*waveHalf + 2*rnd.IntN(waveLen))}
		size, width := math.Exp(rnd.Float64()*10), 1+rnd.IntN(80)
		rest := rnd.Float64()
		v := 0.0
		for i := range w.ring {
			if i/width%2 == 0 || rnd.Float64() > rest {
				v += size * rnd.NormFloat64()
			}
			w.ring[i] = int16(min(max(v, -32767), 32767))
		}
		var f features
		w.window(&f.x)
		height, most := f.slopes()
		f.flat(most)
		got, plain := w.plain()
		if got != height {
			t.Fatalf("trial %d: height %v, want %v", trial, got, height)
		}
		if !plain {
			continue
		}
		if short++; !(f.v[fFlat10] > plainFlat || height < nothingMV) {
			t.Fatalf("trial %d is plain, and judge finds %v of it flat and its height %v mV", trial, f.v[fFlat10], height)
		}
	}
	if short < 400 {
		t.Errorf("%d of 4000 were plain: the test shows nothing", short)
	}
}

func TestSampleEntropyCountsAllPairs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for trial := range 300 {
		var f features
		step := float32(1 + rnd.IntN(3))
		for i := range f.x {
			f.x[i] = float32(int(rnd.NormFloat64()*float64(trial%40)))*step + 5*float32(math.Sin(float64(i)/7))
		}
		const n = waveLen / 2
		var y [n]float32
		var sum, square float32
		for i := range y {
			y[i] = f.x[2*i]
			sum, square = sum+y[i], square+y[i]*y[i]
		}
		r := 0.2 * sqrt(max(square/n-sum/n*sum/n, 0))
		two, three := 1, 1
		for i := 0; i < n-2; i++ {
			for j := i + 1; j < n-2; j++ {
				if abs(y[i]-y[j]) < r && abs(y[i+1]-y[j+1]) < r {
					two++
					if abs(y[i+2]-y[j+2]) < r {
						three++
					}
				}
			}
		}
		if got, want := f.sampleEntropy(), float32(math.Log(float64(two)/float64(three))); got != want {
			t.Fatalf("trial %d: %v, want %v", trial, got, want)
		}
	}
	var flat features
	if v := flat.sampleEntropy(); v != 0 {
		t.Errorf("a flat line has %v", v)
	}
}
