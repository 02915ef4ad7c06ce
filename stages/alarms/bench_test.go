package alarms

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// ward are the limits of a patient with the built-in rules and five that people
// wrote: what 10,000 patients are reckoned with.
func ward() *topics.Limits {
	l := &topics.Limits{Version: 7, Unit: "4W", Limits: topics.DefaultLimits()}
	for _, r := range []struct{ name, when, clear, value string }{
		{"fast-ectopy", "hr.mean(30s) > limit && pvc.perMinute > 6", "", "hr.mean(30s)"},
		{"fever", "temperature > 38.3 && hr.mean(5min) > limit", "hr.mean(5min) < limit - hysteresis", "hr.mean(5min)"},
		{"desaturation", "spo2.mean(1min) < 88 || spo2 < 80", "spo2.mean(1min) > 90", "spo2"},
		{"rising", "hr.slope(10min) > 2 && hr.mean(1min) > hr.min(10min) + 30 && !rhythm.af", "", "hr.slope(10min)"},
		{"night", "(timeOfDay >= 22h || timeOfDay < 6h) && respiration.max(2min) > 28", "", "respiration.max(2min)"},
	} {
		l.Rules = append(l.Rules, &topics.Rule{
			Name: r.name, Version: 3, When: r.when, Clear: r.clear, Value: r.value, Words: "HR MEAN", Unit: "/min", Priority: topics.Priority_PRIORITY_LOW, DurationS: 10,
			Layer: topics.LayerUnit, Author: "doctor-17", SetUs: 1_700_000_000_000_000, Reason: "protocol",
		})
		l.Limits = append(l.Limits, &topics.Limit{Rule: r.name, Value: 130, Hysteresis: 5, DurationS: 10, Layer: topics.LayerUnit, Author: "doctor-17", SetUs: 1_700_000_000_000_000, Reason: "protocol"})
	}
	return l
}

// BenchmarkPatientSecond is a Second and its tick for one patient with 28
// built-in rules and five written ones; saved: with the state written down, as
// the engine does at a patient's first record after a commit; restored: and read
// again, as after a crash.
func BenchmarkPatientSecond(b *testing.B) {
	for _, free := range []bool{false, true} {
		for copies, how := range []string{"", "-saved", "-restored"} {
			name := map[bool]string{false: "built-in", true: "five-written"}[free] + how
			b.Run(name, func(b *testing.B) { patientSecond(b, free, copies) })
		}
	}
}

func patientSecond(b *testing.B, free bool, copies int) {
	p, s := processor{time.UTC}, new(State)
	us := int64(1_700_000_000_000_000)
	put := func(c *topics.Chart) {
		if err := p.Process(s, topics.Record[*topics.Chart]{Key: "p01", Value: c}, func(*topics.Alarm) {}); err != nil {
			b.Fatal(err)
		}
	}
	limits := ward()
	if !free {
		limits.Rules, limits.Limits = nil, topics.DefaultLimits()
	}
	put(&topics.Chart{Patient: "p01", Kind: &topics.Chart_Limits{Limits: limits}})
	rates := [...]float64{71.2, 72.4, 73.1, 72.9}
	var bytes []byte
	second := func(i int) {
		us += 1e6
		rate := rates[i%len(rates)]
		if i%60 == 0 {
			for loinc, v := range map[string]float64{"59408-5": 96, "9279-1": 16, "8310-5": 36.8} {
				put(&topics.Chart{TimeUs: us, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: loinc, Value: v, Ucum: map[string]string{"59408-5": "%", "9279-1": "/min", "8310-5": "Cel"}[loinc]}}})
			}
		}
		put(&topics.Chart{TimeUs: us, Kind: &topics.Chart_Second{Second: &topics.Second{
			Rate: &rate, RateFast: &rate, RateSlow: &rate, Quality: 0.9, FrameS: 0.25, VPerMinute: 2, Lead: "II", SampleUs: us, SinceBeatS: proto.Float64(0.4), Sample: uint64(i * 250), Boot: 1, Device: "patch-01",
			Rr: []*topics.RR{{Class: topics.BeatClass_BEAT_CLASS_N, Ms: 830}},
		}}})
		if err := p.Advance(s, &topics.Tick{N: uint64(i), ElapsedUs: 1e6}, func(*topics.Alarm) {}); err != nil {
			b.Fatal(err)
		}
		if copies > 0 {
			bytes, _ = s.AppendBinary(bytes[:0])
		}
		if copies > 1 {
			if err := s.UnmarshalBinary(bytes); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range 700 {
		second(i)
	}
	state, _ := s.AppendBinary(nil)
	b.ReportAllocs()
	b.ResetTimer()
	before := worked(b)
	for i := range b.N {
		second(700 + i)
	}
	b.ReportMetric(float64((worked(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(len(state)), "state-bytes")
}

// BenchmarkWard is a second of 10,000 patients, each with a state of its own:
// what one core must do in a second at most. The windows are half full.
func BenchmarkWard(b *testing.B) {
	const patients = 10_000
	p := processor{time.UTC}
	states := make([]State, patients)
	us, none := int64(1_700_000_000_000_000), func(*topics.Alarm) {}
	limits, tick := ward(), &topics.Tick{ElapsedUs: 1e6}
	put := func(s *State, c *topics.Chart) {
		if err := p.Process(s, topics.Record[*topics.Chart]{Key: "p01", Value: c}, none); err != nil {
			b.Fatal(err)
		}
	}
	var saved []byte
	second := func() {
		us += 1e6
		for i := range states {
			rate := 60 + float64(i%40) + float64(us/1e6%7)/5
			put(&states[i], &topics.Chart{TimeUs: us, Kind: &topics.Chart_Second{Second: &topics.Second{
				Rate: &rate, RateFast: &rate, RateSlow: &rate, Quality: 0.9, FrameS: 0.25, VPerMinute: 2, Lead: "II", SampleUs: us, SinceBeatS: proto.Float64(0.4), Boot: 1, Device: "patch-01",
			}}})
			if err := p.Advance(&states[i], tick, none); err != nil {
				b.Fatal(err)
			}
			saved, _ = states[i].AppendBinary(saved[:0])
		}
	}
	for i := range states {
		put(&states[i], &topics.Chart{Kind: &topics.Chart_Limits{Limits: limits}})
		for loinc, v := range map[string]*topics.Vital{"59408-5": {Value: 96, Ucum: "%"}, "9279-1": {Value: 16, Ucum: "/min"}, "8310-5": {Value: 36.8, Ucum: "Cel"}} {
			v.Loinc = loinc
			put(&states[i], &topics.Chart{TimeUs: us, Kind: &topics.Chart_Vital{Vital: v}})
		}
	}
	for range 60 {
		second()
	}
	var heap runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	b.ResetTimer()
	before := worked(b)
	for range b.N {
		second()
	}
	b.ReportMetric((worked(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/second")
	b.ReportMetric(float64(heap.HeapAlloc)/patients/1024, "KiB/patient")
}

// worked is the time that the process has: others may work beside it.
func worked(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// What is kept of a patient with 33 rules stays within 4 KiB, with all windows full.
func TestTheStateIsSmall(t *testing.T) {
	var s State
	p := processor{time.UTC}
	say := func(c *topics.Chart) {
		if err := p.Process(&s, topics.Record[*topics.Chart]{Key: "p01", Value: c}, func(*topics.Alarm) {}); err != nil {
			t.Fatal(err)
		}
	}
	say(&topics.Chart{Kind: &topics.Chart_Limits{Limits: ward()}})
	for i := range 900 {
		us, rate := 1_700_000_000_000_000+int64(i)*1e6, 72.0
		say(&topics.Chart{TimeUs: us, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "59408-5", Value: 96, Ucum: "%"}}})
		say(&topics.Chart{TimeUs: us, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: "9279-1", Value: 16, Ucum: "/min"}}})
		say(&topics.Chart{TimeUs: us, Kind: &topics.Chart_Second{Second: &topics.Second{Rate: &rate, Quality: 0.9, Lead: "II", SampleUs: us}}})
		if err := p.Advance(&s, &topics.Tick{N: uint64(i), ElapsedUs: 1e6}, func(*topics.Alarm) {}); err != nil {
			t.Fatal(err)
		}
	}
	b, _ := s.AppendBinary(nil)
	if len(b) > 4096 {
		t.Errorf("the state is %d bytes", len(b))
	}
	t.Logf("%d bytes", len(b))
}
