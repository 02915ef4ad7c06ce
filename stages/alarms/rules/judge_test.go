package rules

import (
	"math"
	"testing"
	"time"

	"heartwire/topics"
)

// bed gives one rule its seconds.
type bed struct {
	t   testing.TB
	set *Set
	l   Limit
	h   History
	at  int
	m   Moment
}

func newBed(t testing.TB, r *topics.Rule, limit ...Limit) *bed {
	t.Helper()
	set, failed := new(Programs).Set([]*topics.Rule{r})
	for _, f := range failed {
		t.Fatal(f.Err)
	}
	return &bed{t: t, set: set, l: append(limit, NoLimit)[0], m: Moment{NowUs: began, Zone: time.UTC}}
}

// say is n seconds, each as s.
func (b *bed) say(n int, s *topics.Second) *bed {
	for range n {
		b.at++
		b.m.Second, b.m.NowUs = s, began+int64(b.at)*1e6
		b.h.Add(b.set, time.Duration(b.at)*time.Second, &b.m)
	}
	return b
}

func (b *bed) vital(loinc string, v float64, ucum string) *bed {
	b.h.Vital(b.set, &topics.Vital{Loinc: loinc, Value: v, Ucum: ucum}, b.m.NowUs)
	return b
}

func (b *bed) judge(open bool) Verdict {
	return b.set.Rules[0].Judge(&b.h, &b.m, b.l, open)
}

// dark is a second in which nothing is known of the heart.
func dark() *topics.Second { return &topics.Second{Suspended: true, FrameS: 0.25} }

func TestThreeValues(t *testing.T) {
	spo2 := "spo2 < 90"
	for _, c := range []struct {
		name, when string
		say        func(*bed)
		want       Verdict
	}{
		{"unknown is unknown", "hr > 130", func(b *bed) { b.say(1, dark()) }, Unknown},
		{"not unknown is unknown", "!(hr > 130)", func(b *bed) { b.say(1, dark()) }, Unknown},
		{"never came", spo2, func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"came", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", 85, "%") }, Over},
		{"came too long ago", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", 85, "%").say(121, second(80)) }, Unknown},
		{"just not too long ago", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", 85, "%").say(120, second(80)) }, Over},
		{"in a unit that it cannot have", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", 0.85, "1") }, Unknown},
		{"beyond what it can be", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", -3, "%") }, Unknown},
		{"no number", spo2, func(b *bed) { b.say(1, second(80)).vital("59408-5", math.NaN(), "%") }, Unknown},
		{"false and unknown", "hr > 130 && spo2 < 90", func(b *bed) { b.say(1, second(80)) }, Clear},
		{"unknown and false", "spo2 < 90 && hr > 130", func(b *bed) { b.say(1, second(80)) }, Clear},
		{"true and unknown", "hr > 130 && spo2 < 90", func(b *bed) { b.say(1, second(140)) }, Unknown},
		{"true or unknown", "hr > 130 || spo2 < 90", func(b *bed) { b.say(1, second(140)) }, Over},
		{"unknown or true", "spo2 < 90 || hr > 130", func(b *bed) { b.say(1, second(140)) }, Over},
		{"false or unknown", "hr > 130 || spo2 < 90", func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"two unknown", "spo2 < 90 && pulse > 3 && glucose < 50", func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"known is told", "!known(spo2)", func(b *bed) { b.say(1, second(80)) }, Over},
		{"known of a window", "known(hr.mean(30s))", func(b *bed) { b.say(14, second(80)) }, Clear},
		{"half of a window", "known(hr.mean(30s))", func(b *bed) { b.say(15, second(80)) }, Over},
		{"a choice", "known(spo2) ? spo2 < 90 : hr > 130", func(b *bed) { b.say(1, second(140)) }, Over},
		{"a choice by what is unknown", "spo2 < 90 ? hr > 130 : hr > 20", func(b *bed) { b.say(1, second(140)) }, Unknown},
		{"division by zero", "60 / (hr - 80) > 3", func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"division by zero or true", "60 / (hr - 80) > 3 || hr == 80", func(b *bed) { b.say(1, second(80)) }, Over},
		{"beyond all bounds", "hr * 1e308 > 3", func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"no limit", "hr > limit", func(b *bed) { b.say(1, second(80)) }, Unknown},
		{"numbers are numbers", "hr / 3 > 26 && hr / 3 < 27 && hr * 1.5 == 120 && -hr < 0", func(b *bed) { b.say(1, second(80)) }, Over},
	} {
		b := newBed(t, written(c.when))
		c.say(b)
		if got := b.judge(false); got != c.want {
			t.Errorf("%s: %s: %v, want %v", c.name, c.when, got, c.want)
		}
	}
}

func TestClear(t *testing.T) {
	r := written("hr > limit")
	r.Clear = "hr < limit - hysteresis"
	b := newBed(t, r, Limit{130, 5})
	for _, c := range []struct {
		rate float64
		open bool
		want Verdict
	}{{131, false, Over}, {130, false, Clear}, {130, true, Within}, {125, true, Within}, {124, true, Clear}, {131, true, Over}} {
		if got := b.say(1, second(c.rate)).judge(c.open); got != c.want {
			t.Errorf("%v /min, open %v: %v, want %v", c.rate, c.open, got, c.want)
		}
	}
	if got := b.say(1, dark()).judge(true); got != Unknown {
		t.Errorf("in the dark: %v", got)
	}
	r.Clear = "spo2 > 90"
	if got := newBed(t, r, Limit{130, 0}).say(1, second(120)).judge(true); got != Unknown {
		t.Errorf("a clear that cannot be told: %v", got)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		value, unit string
		v           float64
		limit       float64
		want        string
	}{
		{"hr.mean(30s)", "/min", 134.2, 130, "HR MEAN 134 > 130 /min"},
		{"hr.mean(30s)", "", 134.2, 130, "HR MEAN 134 > 130"},
		{"hr.mean(30s)", "/min", 130.2, 130, "HR MEAN 130 ≥ 130 /min"},
		{"spo2", "%", 84.52, 88, "HR MEAN 84.5 < 88 %"},
		{"glucose / 18", "mmol/L", 3.127, 3.13, "HR MEAN 3.13 ≤ 3.13 mmol/L"},
		{"spo2", "%", math.NaN(), 88, "HR MEAN"},
		{"spo2", "{beats}", 7, math.NaN(), "HR MEAN 7 beats"},
		{"pvc.perMinute", "/min", 7, 8, "HR MEAN 7 /min"}, // it is not what is held against the limit
		{"", "%", 7, 8, "HR MEAN"},
	} {
		r := written("hr > limit || spo2 < limit || limit > glucose / 18 || hr.mean(30s) > limit")
		r.Words, r.Value, r.Unit = "HR MEAN", c.value, c.unit
		rule, err := Compile(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.Text(c.v, Limit{c.limit, 0}); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
