package rules

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/cel"

	"heartwire/stages"
	"heartwire/topics"
)

// say is a second of anything.
func say(r *rand.Rand, h *History, set *Set, m *Moment) {
	rate := 40 + 120*r.Float64()
	m.Second = &topics.Second{Quality: r.Float64(), FrameS: 0.25, VPerMinute: r.Uint32N(12), Lead: "II"}
	switch r.IntN(12) {
	case 0:
		m.Second.Suspended = true
	case 1:
		m.Second.LeadOff = true
	case 2:
		m.Second.SinceSampleS = 10
	default:
		m.Second.Rate = &rate
		m.Second.Rr = []*topics.RR{{Ms: 60000 / rate, Class: topics.BeatClass(r.IntN(5))}}
	}
	if r.IntN(20) == 0 {
		q := vocabulary[r.IntN(len(vocabulary))]
		if len(q.LOINC) > 0 {
			h.Vital(set, &topics.Vital{Loinc: q.LOINC[0], Value: q.From + r.Float64()*(q.To-q.From), Ucum: q.Unit}, m.NowUs-r.Int64N(1e8))
		}
	}
	if r.IntN(100) == 0 {
		h.Variability(set, &topics.Variability{MeanMs: 800, SdnnMs: 50 * r.Float64(), RmssdMs: 40}, m.NowUs)
	}
	m.Open = r.Uint32N(1<<14) & r.Uint32() & r.Uint32()
}

func encode(h *History) []byte {
	var e stages.Encoder
	h.Append(&e)
	return e.B
}

func decode(t *testing.T, b []byte) History {
	t.Helper()
	d := stages.NewDecoder(b)
	h := DecodeHistory(d)
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	return h
}

// A history that was written down and read again anywhere gives the same
// verdicts and values, to the last bit, and so does one that was never.
func TestAHistoryThatWasReadAgainJudgesTheSame(t *testing.T) {
	set := five(t)
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		var never, often History
		m := &Moment{Zone: time.UTC}
		at := 0
		for i := range 3000 {
			at += 1 + r.IntN(40)*r.IntN(2)*(r.IntN(30)/29) // now and then some seconds are missing
			m.NowUs = began + int64(at)*1e6
			twin := rand.New(rand.NewPCG(seed, uint64(i)))
			say(twin, &never, set, m)
			twin = rand.New(rand.NewPCG(seed, uint64(i)))
			say(twin, &often, set, m)
			never.Add(set, time.Duration(at)*time.Second, m)
			often.Add(set, time.Duration(at)*time.Second, m)
			if r.IntN(50) == 0 {
				b := encode(&often)
				often = decode(t, b)
				if !bytes.Equal(encode(&often), b) {
					t.Fatalf("seed %d, second %d: read again, other bytes are written", seed, i)
				}
			}
			for _, rule := range set.Rules {
				for _, open := range []bool{false, true} {
					if a, b := rule.Judge(&never, m, Limit{110, 5}, open), rule.Judge(&often, m, Limit{110, 5}, open); a != b {
						t.Fatalf("seed %d, second %d, %s: %v, read again %v", seed, i, rule, a, b)
					}
				}
				va, ka := rule.Value(&never, m, Limit{110, 5})
				if vb, kb := rule.Value(&often, m, Limit{110, 5}); va != vb || ka != kb {
					t.Fatalf("seed %d, second %d, %s: %v, read again %v", seed, i, rule, va, vb)
				}
			}
		}
	}
}

func TestFitKeepsWhatIsStillRead(t *testing.T) {
	b := newBed(t, written("hr.mean(30s) > 100"))
	b.say(40, second(120))
	wider, _ := new(Programs).Set([]*topics.Rule{written("hr.mean(1min) > 100 && hr.mean(30s) > 100 && spo2 > 3")})
	b.set = wider
	if v := b.h.window(&read{quantity: quantity("hr"), stat: mean, seconds: 30}); v != 120 {
		t.Error(v)
	}
	b.say(1, second(120))
	if v := b.h.window(&read{quantity: quantity("hr"), stat: mean, seconds: 60}); v != 120 {
		t.Errorf("31 of 60 s are known: %v", v)
	}
	b.h.Fit(nil)
	if len(encode(&b.h)) > 2 {
		t.Error("no rule, and something is remembered")
	}
}

func TestNothingIsJoinedAcrossACut(t *testing.T) {
	b := newBed(t, written("hr.mean(30s) > 100 && spo2 < 90"))
	b.say(30, second(120)).vital("59408-5", 85, "%")
	if got := b.judge(false); got != Over {
		t.Error(got)
	}
	b.h.Cut()
	for i := range 14 {
		if got := b.say(1, second(120)).judge(false); got != Unknown {
			t.Errorf("%d s after it: %v", i+1, got)
		}
	}
	if got := b.say(1, second(120)).judge(false); got != Over {
		t.Error(got)
	}
}

func TestTheLargestState(t *testing.T) {
	var list []*topics.Rule
	codes := []string{"8867-4", "9279-1", "8310-5", "59408-5", "2339-0", "8480-6", "8462-4", "8478-0"}
	for i := range MaxRules {
		q := []string{"temperature", "respiration", "pvc.perMinute", "bp.diastolic", "device.battery", "signal.quality"}[i%6]
		when := fmt.Sprintf("%s.min(%dmin) > 20 && loinc(%q) > 3", q, 2+i, codes[i%8])
		r := written(when)
		r.Name = fmt.Sprintf("r%d", i)
		list = append(list, r)
	}
	set, failed := new(Programs).Set(list)
	if len(set.series) != maxSeries || len(failed) == 0 || !strings.Contains(failed[0].Err.Error(), "would need 17 windows: at most 16 are kept") {
		t.Fatalf("%d windows, %v", len(set.series), failed)
	}
	var h History
	m := &Moment{Second: second(80), NowUs: began}
	for i := range 100 {
		h.Add(set, time.Duration(i)*time.Minute, m)
		for _, c := range codes {
			h.Vital(set, &topics.Vital{Loinc: c, Value: 50}, began)
		}
	}
	if n := len(encode(&h)); n > 2800 {
		t.Errorf("%d bytes: want at most %d", n, 2800)
	}
}

// What CEL says at compile time is what it costs at most: metered programs of
// the same expressions never cost more. That is why none is metered at work.
func TestTheEstimateHolds(t *testing.T) {
	set := five(t)
	texts := []string{"hr > 1 ? hr > 2 && spo2 > 3 || known(pulse) : abs(hr - 3) / 4 > -spo2", "!(timeOfDay > 3h) || hr * 2 + 3 - 4 > limit"}
	for _, r := range texts {
		rule, err := Compile(written(r))
		if err != nil {
			t.Fatal(err)
		}
		set.Rules = append(set.Rules, rule)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var h History
	m := &Moment{Zone: time.UTC}
	for _, rule := range set.Rules {
		c := compiler{}
		parsed := c.compile("when", rule.Written.GetWhen(), cel.BoolType)
		metered, err := environment.PlanProgram(parsed.ast, cel.EvalOptions(cel.OptTrackCost))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			m.NowUs = began + int64(i)*1e6
			say(r, &h, set, m)
			h.Add(set, time.Duration(i)*time.Second, m)
			rule.with(&h, m, Limit{100, 5}, func(f *frame) {
				_, details, _ := metered.Eval(f)
				if cost := details.ActualCost(); cost == nil || *cost > rule.when.cost {
					t.Fatalf("%s costs %v, estimated %d", rule.Written.GetWhen(), cost, rule.when.cost)
				}
			})
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{
		"hr.mean(30s) > limit && pvc.perMinute > 6", "(timeOfDay >= 22h || timeOfDay < 6h) && respiration.max(2min) > 28", "known(spo2) ? spo2 < 90 : hr > 130",
		"60 / (hr - 80) > 3", "[1,2].all(x, x > 0)", "loinc('8867-4') > 3", "!(rhythm.af) || -hr < abs(3.5e3)", "hr.slope(10min) > 2 && 1h30min > 3s", "\"", "a.b.c(1s).d", "30s.mean(30s)", "hr\n> 3 // 30s",
		"9223372036854775808 > hr", "99999999999999h > timeOfDay", "hr.mean(duration('30s')) > 1u", "b'x'", "{}", "hr ? hr : hr", ".hr > 1", "hr.mean(30s", "has(hr.x)",
	} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, when string, seed uint64) {
		r := written(when)
		r.Clear, r.Value = when, "hr"
		err := Check(r)
		for _, p := range Problems(err) {
			if p.Line < 0 || p.Line > 0 && p.Column < 1 || p.Message == "" {
				t.Errorf("%q: %#v", when, p)
			}
		}
		rule, err := Compile(r)
		if err != nil {
			return
		}
		rule.always(NoLimit)
		rule.never(Limit{3, 1})
		set, failed := new(Programs).Set([]*topics.Rule{r})
		if len(failed) > 0 {
			return // more windows than can be kept
		}
		random := rand.New(rand.NewPCG(seed, 1))
		var h History
		m := &Moment{Zone: time.UTC}
		for i := range 20 {
			m.NowUs = began + int64(i)*1e6
			say(random, &h, set, m)
			h.Add(set, time.Duration(i)*time.Second, m)
			a, b := rule.Judge(&h, m, NoLimit, i%2 == 0), rule.Judge(&h, m, NoLimit, i%2 == 0)
			if a != b {
				t.Fatalf("%q: %v, then %v", when, a, b)
			}
		}
	})
}

func FuzzDecodeHistory(f *testing.F) {
	set := five(f)
	var h History
	m := &Moment{Second: second(80), NowUs: began}
	for i := range 100 {
		h.Add(set, time.Duration(i)*time.Second, m)
	}
	f.Add(encode(&h))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := stages.NewDecoder(b)
		h := DecodeHistory(d)
		if d.Err() != nil {
			return
		}
		set := five(t)
		m := &Moment{Second: second(80), NowUs: began}
		h.Add(set, time.Hour, m)
		for _, r := range set.Rules {
			r.Judge(&h, m, Limit{110, 5}, true)
		}
	})
}
