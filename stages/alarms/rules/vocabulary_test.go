package rules

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"heartwire/topics"
)

func rr(ms ...float64) *topics.Second {
	s := second(80)
	for i, x := range ms {
		s.Rr = append(s.Rr, &topics.RR{Ms: x, Class: topics.BeatClass(i % 5)})
	}
	return s
}

// Each quantity of the vocabulary stands here with a second in which it is
// known, what it is then, and whether the heart must be seen for it.
var known = map[string]struct {
	say  func(*bed)
	want float64
	dark bool // it is known though no lead can be analysed
}{
	"hr":             {func(b *bed) { b.say(1, second(133.6)) }, 134, false},
	"hr.fast":        {func(b *bed) { s := second(80); v := 36.2; s.RateFast = &v; b.say(1, s) }, 36, false},
	"hr.slow":        {func(b *bed) { s := second(80); v := 146.2; s.RateSlow = &v; b.say(1, s) }, 146, false},
	"rr":             {func(b *bed) { b.say(1, rr(600, 700)).say(3, second(80)) }, 700, false},
	"beat.age":       {func(b *bed) { s := second(80); v := 1.5; s.SinceBeatS = &v; b.say(1, s) }, 1.5, false},
	"pvc.perMinute":  {func(b *bed) { b.say(1, second(80)) }, 3, false},
	"beats.q":        {func(b *bed) { b.say(1, rr(1, 2, 3, 4, 5, 6)) }, 2, false},
	"beats.n":        {func(b *bed) { b.say(1, rr(1, 2, 3, 4, 5)) }, 1, false},
	"beats.s":        {func(b *bed) { b.say(1, rr(1, 2, 3, 4, 5, 6, 7, 8)) }, 2, false},
	"beats.v":        {func(b *bed) { b.say(1, rr(1, 2, 3)) }, 0, false},
	"beats.f":        {func(b *bed) { b.say(1, rr(1, 2, 3, 4, 5)) }, 1, false},
	"spo2":           {func(b *bed) { b.say(1, second(80)).vital("2708-6", 91, "%") }, 91, true},
	"pulse":          {func(b *bed) { b.say(1, second(80)).vital("8889-8", 91, "{beats}/min") }, 91, true},
	"respiration":    {func(b *bed) { b.say(1, second(80)).vital("9279-1", 14.5, "/min") }, 14.5, true},
	"co2":            {func(b *bed) { b.say(1, second(80)).vital("19889-5", 5, "kPa") }, 37.5031, true},
	"temperature":    {func(b *bed) { b.say(1, second(80)).vital("8310-5", 100.4, "[degF]") }, 38, true},
	"glucose":        {func(b *bed) { b.say(1, second(80)).vital("2339-0", 5, "mmol/L") }, 90.078, true},
	"bp.systolic":    {func(b *bed) { b.say(1, second(80)).vital("8480-6", 121, "mm[Hg]") }, 121, true},
	"bp.diastolic":   {func(b *bed) { b.say(1, second(80)).vital("8462-4", 82, "mm[Hg]") }, 82, true},
	"bp.map":         {func(b *bed) { b.say(1, second(80)).vital("8478-0", 90, "mm[Hg]") }, 90, true},
	"signal.quality": {func(b *bed) { b.say(1, second(80)) }, 0.9, true},
	"signal.age":     {func(b *bed) { b.say(1, second(80)) }, 0, true},
	"device.battery": {func(b *bed) { s := second(80); v := uint32(33); s.BatteryPercent = &v; b.say(1, s) }, 33, false},
	"limit":          {func(b *bed) { b.say(1, second(80)) }, 130, true},
	"hysteresis":     {func(b *bed) { b.say(1, second(80)) }, 5, true},
	"hrv.nn":         {variabilityOf(800), 800, true},
	"hrv.sdnn":       {variabilityOf(801), 801, true},
	"hrv.rmssd":      {variabilityOf(802), 802, true},
	"hrv.pnn50":      {variabilityOf(0.3), 0.3, true},
	"hrv.lf":         {variabilityOf(804), 804, true},
	"hrv.hf":         {variabilityOf(805), 805, true},
	"hrv.lfhf":       {variabilityOf(806), 806, true},
}

func variabilityOf(v float64) func(*bed) {
	return func(b *bed) {
		b.say(1, second(80))
		b.h.Variability(b.set, &topics.Variability{MeanMs: v, SdnnMs: v, RmssdMs: v, Pnn50: v, LfMs2: v, HfMs2: v, LfHf: v}, b.m.NowUs)
	}
}

func TestEachQuantity(t *testing.T) {
	for _, q := range Vocabulary() {
		if q.Doc == "" || q.Kind == Number && q.Name != limitName && q.Name != hysteresisName && q.Unit == "" {
			t.Errorf("%s: no words, or no unit", q.Name)
		}
		c, ok := known[q.Name]
		if !ok {
			if q.Kind == Number {
				t.Errorf("%s stands in no test", q.Name)
			}
			continue
		}
		r := written("known(" + q.Name + ")")
		r.Value = q.Name
		b := newBed(t, r, Limit{130, 5})
		b.m.Second = dark()
		if _, known := r2(b); known != (q.Name == limitName || q.Name == hysteresisName || q.Name == "signal.age" || q.Name == "signal.quality") {
			t.Errorf("%s: known %v before anything came", q.Name, known)
		}
		c.say(b)
		if v, known := r2(b); !known || math.Abs(v-c.want) > 1e-3 || b.judge(false) != Over {
			t.Errorf("%s: %v (%v), want %v", q.Name, v, known, c.want)
		}
		if _, known := r2(b.say(1, dark())); known != c.dark {
			t.Errorf("%s: known in the dark %v, want %v", q.Name, known, c.dark)
		}
		if v, known := r2(b.say(5*3600, dark())); known && q.Holds > 0 {
			t.Errorf("%s: still %v after 5 h", q.Name, v)
		}
	}
}

func r2(b *bed) (float64, bool) { return b.set.Rules[0].Value(&b.h, &b.m, b.l) }

func TestTruths(t *testing.T) {
	off := second(80)
	off.LeadOff = true
	for _, c := range []struct {
		when         string
		s            *topics.Second
		open, unsure topics.Rhythm
		want         Verdict
	}{
		{"signal.leadOff", second(80), 0, 0, Clear},
		{"signal.leadOff", off, 0, 0, Over},
		{"signal.leadOff", &topics.Second{SinceSampleS: 3}, 0, 0, Unknown},
		{"signal.suspended", dark(), 0, 0, Over},
		{"signal.suspended", second(80), 0, 0, Clear},
		{"rhythm.af", second(80), topics.Rhythm_RHYTHM_AF, 0, Over},
		{"rhythm.af", dark(), topics.Rhythm_RHYTHM_AF, 0, Over},
		{"rhythm.af", second(80), 0, 0, Clear},
		{"rhythm.af", dark(), 0, 0, Unknown},
		{"rhythm.af", second(80), 0, topics.Rhythm_RHYTHM_AF, Unknown},
		{"rhythm.vf", second(80), topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER, 0, Over},
		{"rhythm.vf", second(80), topics.Rhythm_RHYTHM_VF, 0, Over},
		{"rhythm.vt", second(80), topics.Rhythm_RHYTHM_VT, 0, Over},
		{"rhythm.svt", second(80), topics.Rhythm_RHYTHM_SVT, 0, Over},
		{"rhythm.idioventricular", second(80), topics.Rhythm_RHYTHM_IDIOVENTRICULAR, 0, Over},
		{"rhythm.bigeminy", second(80), topics.Rhythm_RHYTHM_BIGEMINY, 0, Over},
		{"rhythm.trigeminy", second(80), topics.Rhythm_RHYTHM_TRIGEMINY, 0, Over},
		{"rhythm.trigeminy", second(80), topics.Rhythm_RHYTHM_BIGEMINY, 0, Clear},
	} {
		b := newBed(t, written(c.when))
		b.m.Open, b.m.Unsure = 1<<c.open&^1, 1<<c.unsure&^1
		if got := b.say(1, c.s).judge(false); got != c.want {
			t.Errorf("%s by %v, open %v, unsure %v: %v, want %v", c.when, c.s, c.open, c.unsure, got, c.want)
		}
	}
}

func TestTimeOfDay(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   string
		zone *time.Location
		want Verdict
	}{
		{"2026-07-01T20:30:00Z", berlin, Over}, // 22:30 in summer
		{"2026-12-01T20:30:00Z", berlin, Clear},
		{"2026-12-01T04:59:59Z", berlin, Over},
		{"2026-12-01T05:00:00Z", berlin, Clear},
		{"2026-12-01T05:00:00Z", time.UTC, Over},
		{"2026-12-01T05:00:00Z", nil, Over},
		{"1970-01-01T00:00:00Z", time.UTC, Unknown},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		b := newBed(t, written("timeOfDay >= 22h || timeOfDay < 6h"))
		b.m = Moment{Second: second(80), NowUs: at.UnixMicro(), Zone: c.zone}
		if got := b.judge(false); got != c.want {
			t.Errorf("%s in %v: %v, want %v", c.at, c.zone, got, c.want)
		}
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		value string
		say   func(*bed)
		want  float64 // NaN: it cannot be told
	}{
		{"hr.mean(4s)", func(b *bed) { b.say(9, second(60)).say(2, second(80)) }, 70},
		{"hr.min(4s)", func(b *bed) { b.say(9, second(60)).say(3, second(80)) }, 60},
		{"hr.min(4s)", func(b *bed) { b.say(9, second(60)).say(4, second(80)) }, 80},
		{"hr.max(4s)", func(b *bed) { b.say(9, second(133)).say(1, second(80)) }, 133},
		{"hr.mean(4s)", func(b *bed) { b.say(9, second(60)).say(2, dark()) }, 60},
		{"hr.mean(4s)", func(b *bed) { b.say(9, second(60)).say(3, dark()) }, math.NaN()},
		{"hr.mean(1min)", func(b *bed) { b.say(60, second(60)).say(30, second(80)) }, 70},
		{"hr.mean(10min)", func(b *bed) { b.say(600, second(60)).say(300, second(80)) }, 70},
		{"hr.min(10min)", func(b *bed) { b.say(601, second(80)).say(1, second(55)).say(580, second(80)) }, 55},
		{"hr.min(10min)", func(b *bed) { b.say(601, second(80)).say(1, second(55)).say(600, second(80)) }, 80},
		{"hr.mean(24h)", func(b *bed) { b.say(12*3600+1440, second(60)) }, 60},
		{"hr.mean(24h)", func(b *bed) { b.say(11*3600, second(60)) }, math.NaN()},
		{"hr.slope(1min)", func(b *bed) {
			for i := range 60 {
				b.say(1, second(60+float64(i)))
			}
		}, 60},
		{"hr.slope(10min)", func(b *bed) {
			for i := range 1200 {
				b.say(1, second(60+float64(i/10)))
			}
		}, 6},
		{"hr.slope(2s)", func(b *bed) { b.say(9, second(60)) }, math.NaN()},
		{"rr.min(10s)", func(b *bed) { b.say(1, rr(400, 900)).say(5, rr(700)) }, 400},
		{"rr.max(10s)", func(b *bed) { b.say(1, rr(1900, 400)).say(5, rr(700)) }, 1900},
		{"rr.max(10s)", func(b *bed) { // 20 /min
			for range 9 {
				b.say(1, rr(3000)).say(2, second(20))
			}
		}, 3000},
		{"beats.v.count(10s)", func(b *bed) { b.say(8, rr(1, 2, 3, 4)).say(2, rr(1)) }, 8},
		{"beats.s.count(1min)", func(b *bed) { b.say(100, rr(1, 2, 3)) }, 60},
		{"beats.s.count(2min)", func(b *bed) { b.say(200, rr(1, 2, 3)) }, 120},
		{"spo2.mean(1min)", func(b *bed) { b.say(1, second(80)).vital("59408-5", 91, "%").say(40, second(80)) }, 91},
	} {
		r := written("hr > 1")
		r.Value = c.value
		b := newBed(t, r)
		b.m.Second = dark()
		c.say(b)
		v, known := r2(b)
		if known != !math.IsNaN(c.want) || known && math.Abs(v-c.want) > max(0.11, c.want/100) { // of minutes, it moves by a sixtieth
			t.Errorf("%s: %v (%v), want %v", c.value, v, known, c.want)
		}
	}
}

// A window that is half over its bucket is exact to it; one of seconds exact.
func TestWindowsOfSecondsAreExact(t *testing.T) {
	r := written("hr.max(30s) > 134")
	b := newBed(t, r)
	if got := b.say(30, second(134)).judge(false); got != Clear {
		t.Errorf("134 > 134: %v", got)
	}
	for q := range vocabulary {
		q := &vocabulary[q]
		if !q.Windows() {
			continue
		}
		for i := range 1000 {
			v := q.From + float64(i)/100*(q.To-q.From)/10
			v = q.From + math.Round((v-q.From)*q.per)/q.per
			if got := q.decode(q.encode(v)); got != v {
				t.Fatalf("%s: %v comes back as %v", q.Name, v, got)
			}
		}
		if (q.To-q.From)*q.per > 65534 {
			t.Errorf("%s: its range does not go into 16 bits", q.Name)
		}
	}
}

func TestTheNearestName(t *testing.T) {
	for name, want := range map[string]string{"hrt": "hr", "spO2": "spo2", "SPO2": "spo2", "temprature": "temperature", "rhytm.af": "rhythm.af", "heartRate": "hr", "xyz": ""} {
		if got := near(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for from, to := range otherwise {
		if quantity(to) == nil && to != fnKnown && !statisticOf(to) {
			t.Errorf("%s is said to be %s, which there is not", from, to)
		}
	}
}

func TestLOINC(t *testing.T) {
	for _, q := range vocabulary {
		for _, c := range q.LOINC {
			if why := wrongLOINC(c); why != "" {
				t.Errorf("%s: %s: %s", q.Name, c, why)
			}
		}
	}
	for _, c := range []string{"", "-", "8867", "8867-", "8867-5", "88x7-4", "12345678-9", "8867-44"} {
		if wrongLOINC(c) == "" {
			t.Errorf("%q is taken for a code", c)
		}
	}
	b := newBed(t, written(`loinc("8867-4") > 90`))
	if got := b.say(1, second(80)).vital("8867-4", 91, "whatever").judge(false); got != Over {
		t.Error(got)
	}
	if got := b.say(3601, second(80)).judge(false); got != Unknown {
		t.Errorf("after an hour: %v", got)
	}
}

func TestSpell(t *testing.T) {
	for d, want := range map[time.Duration]string{30 * time.Second: "30s", 5 * time.Minute: "5min", 90 * time.Minute: "1h30min", 0: "0s", 1500 * time.Millisecond: "1.5s", -time.Minute: "-1min"} {
		if got := spell(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for text, want := range map[string]string{
		"hr.mean(30s)>1": `hr.mean(duration("30s"))>1`, "1h30min": `duration("1h30m0s")`, "a30s": "a30s", "'30s'": "'30s'", "1.5s": `duration("1.5s")`, "30sx": "30sx", "5u": "5u", "1e5": "1e5", "30": "30",
	} {
		if got := lower(text).text; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if s := fmt.Sprint(strings.Repeat("é", 3)); lower(s).text != s {
		t.Error("letters are changed")
	}
}
