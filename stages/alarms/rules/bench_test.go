package rules

import (
	"syscall"
	"testing"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// five are rules as a ward may have them: what 10,000 patients are reckoned with.
func five(t testing.TB) *Set {
	t.Helper()
	var list []*topics.Rule
	for _, r := range []struct{ name, when, clear, value string }{
		{"fast-ectopy", "hr.mean(30s) > limit && pvc.perMinute > 6", "", "hr.mean(30s)"},
		{"fever", "temperature > 38.3 && hr.mean(5min) > limit", "hr.mean(5min) < limit - hysteresis", "hr.mean(5min)"},
		{"desaturation", "spo2.mean(1min) < 88 || spo2 < 80", "spo2.mean(1min) > 90", "spo2"},
		{"rising", "hr.slope(10min) > 2 && hr.mean(1min) > hr.min(10min) + 30 && !rhythm.af", "", "hr.slope(10min)"},
		{"night", "(timeOfDay >= 22h || timeOfDay < 6h) && respiration.max(2min) > 28", "", "respiration.max(2min)"},
	} {
		list = append(list, &topics.Rule{Name: r.name, Version: 1, When: r.when, Clear: r.clear, Value: r.value, Words: "X", Priority: topics.Priority_PRIORITY_LOW})
	}
	set, failed := new(Programs).Set(list)
	for _, f := range failed {
		t.Fatal(f.Err)
	}
	return set
}

func second(rate float64) *topics.Second {
	return &topics.Second{Rate: &rate, Quality: 0.9, FrameS: 0.25, VPerMinute: 3, Lead: "II"}
}

const began = int64(1_700_000_000_000_000) // µs

func BenchmarkSecond(b *testing.B) {
	set := five(b)
	var h History
	m := &Moment{Second: second(72.3), NowUs: began, Zone: time.UTC}
	fill := func(i int) {
		m.NowUs = began + int64(i)*1e6
		h.Add(set, time.Duration(i)*time.Second, m)
		for _, r := range set.Rules {
			r.Judge(&h, m, Limit{110, 5}, false)
		}
	}
	for i := range 700 {
		if i%60 == 0 {
			h.Vital(set, &topics.Vital{Loinc: "59408-5", Value: 96, Ucum: "%"}, m.NowUs)
			h.Vital(set, &topics.Vital{Loinc: "9279-1", Value: 16.5, Ucum: "/min"}, m.NowUs)
			h.Vital(set, &topics.Vital{Loinc: "8310-5", Value: 36.7, Ucum: "Cel"}, m.NowUs)
		}
		fill(i)
	}
	var e stages.Encoder
	h.Append(&e)
	b.ReportMetric(float64(len(e.B)), "bytes")
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu(b)
	for i := range b.N {
		fill(700 + i)
		if i%60 == 0 {
			h.Vital(set, &topics.Vital{Loinc: "59408-5", Value: 96, Ucum: "%"}, m.NowUs)
			h.Vital(set, &topics.Vital{Loinc: "9279-1", Value: 16.5, Ucum: "/min"}, m.NowUs)
		}
	}
	b.ReportMetric(float64(len(e.B)), "bytes")
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpu is the time that the process has worked: others may work beside it.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
