package trial_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/stages/alarms/compare"
	"heartwire/stages/alarms/lives"
	"heartwire/stages/alarms/trial"
	"heartwire/stages/stagetest"
	"heartwire/topics"
)

const began = int64(1_700_000_000_000_000)

type chart = topics.Record[*topics.Chart]

// night is a patient's chart of so many seconds, as chance has it: a rate that
// wanders and jumps, rhythms that come and go, noise, leads that fall off, silence.
func night(seed uint64, patient string, seconds int) (log []chart) {
	r := rand.New(rand.NewPCG(seed, 1))
	put := func(us int64, kind *topics.Chart) {
		kind.TimeUs = us
		if kind.GetTick() == nil {
			kind.Patient = patient
		}
		log = append(log, chart{Key: topics.Key(kind.GetPatient()), Offset: int64(len(log)), Origin: topics.Origin{Source: "annotations", Offset: int64(len(log))}, Value: kind})
	}
	rate, v, away, noise := 75.0, 0.0, 0, 0
	open := map[topics.Rhythm]*topics.Episode{}
	kinds := []topics.Rhythm{topics.Rhythm_RHYTHM_AF, topics.Rhythm_RHYTHM_SVT, topics.Rhythm_RHYTHM_BIGEMINY, topics.Rhythm_RHYTHM_VT, topics.Rhythm_RHYTHM_TRIGEMINY}
	for i := range seconds {
		us := began + int64(i)*1e6
		if i == seconds/2 {
			put(us, &topics.Chart{Kind: &topics.Chart_Limits{Limits: &topics.Limits{Version: 9, Unit: "4W", Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 110, DurationS: 2, Hysteresis: 3, Layer: "patient", Author: "doctor-1"}}}}})
		}
		rate += r.NormFloat64()*1.5 + (80-rate)*0.01
		if r.IntN(90) == 0 {
			rate = []float64{128, 139, 152, 47, 38, 72, 121}[r.IntN(7)]
		}
		if v *= 0.97; r.IntN(60) == 0 {
			v = float64(r.IntN(40))
		}
		if away--; r.IntN(400) == 0 {
			away = r.IntN(40)
		}
		if noise--; r.IntN(300) == 0 {
			noise = r.IntN(30)
		}
		for _, k := range kinds {
			e := open[k]
			switch {
			case e == nil && r.IntN(300) == 0:
				open[k] = &topics.Episode{Rhythm: k, Device: "d", Boot: 1, Onset: uint64(i * 250), OnsetUs: us, Beats: 12, Rate: rate}
				put(us, &topics.Chart{Kind: &topics.Chart_Episode{Episode: proto.CloneOf(open[k])}})
			case e != nil && r.IntN(25) == 0:
				end := uint64(i * 250)
				e.End, e.EndUs = &end, us
				put(us, &topics.Chart{Kind: &topics.Chart_Episode{Episode: e}})
				delete(open, k)
			}
		}
		s := &topics.Second{Quality: 0.9, Lead: "II", FrameS: 0.25, Device: "d", Boot: 1, Sample: uint64(i * 250), SampleUs: us, VPerMinute: uint32(v), SinceBeatS: proto.Float64(60 / rate)}
		switch {
		case away > 0:
			s.SinceSampleS, s.SinceBeatS = float64(40-away), nil
		case noise > 0:
			s.Suspended, s.Quality, s.SinceBeatS = true, 0.1, nil
		default:
			s.Rate, s.RateFast, s.RateSlow = &rate, proto.Float64(rate), proto.Float64(rate-2)
			s.Rr = []*topics.RR{{Ms: 60000 / rate, Class: topics.BeatClass_BEAT_CLASS_N, TimeUs: us}}
			s.Rate = proto.Float64(rate)
		}
		put(us, &topics.Chart{Kind: &topics.Chart_Second{Second: s}})
		put(us, topics.Charts.Wrap(&topics.Tick{N: uint64(i + 1), Owner: 1, ElapsedUs: 1e6, WallUs: us}))
	}
	return log
}

// play folds a log into a state of one key.
func play[S any](t *testing.T, stage stages.Stage[S, *topics.Chart, *topics.Alarm], s *S, log []chart, say func(*topics.Alarm)) {
	t.Helper()
	for _, r := range log {
		var err error
		if tick := r.Value.GetTick(); tick != nil {
			err = stage.Processor.Advance(s, tick, say)
		} else {
			err = stage.Processor.Process(s, r, say)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// run gives what each variant said.
func run(t *testing.T, c trial.Config, log []chart) []lives.Log {
	logs := make([]lives.Log, trial.FirstSweep+len(c.Sweeps))
	play(t, trial.New(c), new(trial.State), log, func(a *topics.Alarm) { logs[trial.Variant(a)].Take(a) })
	return logs
}

// all is a trial in which each path is taken.
func all() trial.Config {
	return trial.Config{Alarms: alarms.DefaultConfig(), Sweeps: trial.Sweeps(nil), Layer: &topics.Layer{
		Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 130, DurationS: 10, Hysteresis: 2}, {Rule: topics.RuleSVT, Value: 5, Off: true}},
		Rules:  []*topics.Rule{{Name: "fast", Version: 1, When: "hr.mean(30s) > 100", Value: "hr.mean(30s)", Priority: topics.Priority_PRIORITY_LOW}},
	}}
}

func TestConformance(t *testing.T) {
	log := slices.Concat(night(1, "p01", 160), night(2, "p02", 120))
	slices.SortStableFunc(log, func(a, b chart) int { return int((a.Value.GetTimeUs() - b.Value.GetTimeUs()) / 1e6) })
	ticks := uint64(0)
	log = slices.DeleteFunc(log, func(r chart) bool { // one clock for both
		if n := r.Value.GetTick().GetN(); n > 0 && n <= ticks {
			return true
		} else if n > 0 {
			ticks = n
		}
		return false
	})
	c := all()
	c.Sweeps = slices.DeleteFunc(c.Sweeps, func(w trial.Sweep) bool {
		return w.Duration || w.Rule != topics.RuleHRHigh && w.Rule != topics.RuleNoData
	})
	stagetest.Run(t, trial.New(c), topics.Charts, log)
}

// The base is the very stage, whatever runs beside it.
func TestTheBaseIsTheStage(t *testing.T) {
	log := night(3, "p01", 3000)
	var want, got []*topics.Alarm
	play(t, alarms.Stage(), new(alarms.State), log, func(a *topics.Alarm) { want = append(want, a) })
	play(t, trial.New(all()), new(trial.State), log, func(a *topics.Alarm) {
		if trial.Variant(a) == trial.Base {
			got = append(got, a)
		}
	})
	if len(want) < 50 || !slices.EqualFunc(want, got, func(a, b *topics.Alarm) bool { return proto.Equal(a, b) }) {
		t.Fatalf("%d records of the stage, %d of the base, or they differ", len(want), len(got))
	}
}

// The same rules make no difference, and others that are given do.
func TestSameRulesSameAlarms(t *testing.T) {
	for seed := range uint64(4) {
		log := night(seed, "p01", 2500)
		log = slices.DeleteFunc(log, func(r chart) bool { return r.Value.GetLimits() != nil })
		span := compare.Span{From: began, To: began + 2500e6}
		logs := run(t, trial.Config{Alarms: alarms.DefaultConfig(), Layer: &topics.Layer{Limits: topics.DefaultLimits()}}, log)
		base, same := logs[trial.Base].Lives(), logs[trial.Changed].Lives()
		if list := compare.Compare(base, same, span); len(list) > 0 || len(base) < 10 {
			t.Fatalf("seed %d: %d alarms, %d differ, as %+v", seed, len(base), len(list), list[:min(1, len(list))])
		}
		logs = run(t, all(), log)
		if list := compare.Compare(logs[trial.Base].Lives(), logs[trial.Changed].Lives(), span); len(list) == 0 {
			t.Fatalf("seed %d: other rules make no difference", seed)
		}
	}
}

// A sweep that runs only where it can differ raises what it raises when it runs
// all the time.
func TestSweepsPartInTime(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(2) {
		log := night(10+seed, "p01", 2500)
		conf := trial.Config{Alarms: alarms.DefaultConfig(), Sweeps: trial.Sweeps(nil)}
		logs := run(t, conf, log)
		for i, w := range conf.Sweeps {
			// Alone it runs as the changed variant does, from the first record on.
			alone := run(t, trial.Config{Alarms: conf.Alarms, Layer: &topics.Layer{}, Sweeps: nil}, widened(log, w))
			family := alarms.FamilyOf(w.Rule).Rules()
			want, got := raised(alone[trial.Base].Lives(), family), raised(logs[trial.FirstSweep+i].Lives(), family)
			if !slices.Equal(want, got) {
				t.Fatalf("seed %d: %+v raises\n%v, alone\n%v", seed, w, got, want)
			}
			seen[w.Rule] += len(want)
		}
	}
	for _, rule := range []string{topics.RuleHRHigh, topics.RuleHRLow, topics.RulePVC, topics.RuleAF, topics.RuleBigeminy, topics.RuleSVT, topics.RuleNoData} {
		if seen[rule] == 0 {
			t.Errorf("no sweep of %s raised anything", rule)
		}
	}
}

// widened is a log in which a patient's limit stands as a sweep has it.
func widened(log []chart, w trial.Sweep) (out []chart) {
	set := func(l *topics.Limits) *topics.Chart {
		return &topics.Chart{Patient: "p01", TimeUs: began, Kind: &topics.Chart_Limits{Limits: w.Widen(l)}}
	}
	out = append(out, chart{Key: "p01", Value: set(new(alarms.State).Force())})
	for _, r := range log {
		if l := r.Value.GetLimits(); l != nil {
			r.Value = set(l)
		}
		out = append(out, r)
	}
	return out
}

// raised are when each rule's alarms were raised, and until when they went on.
func raised(list []*lives.Life, rules []string) (out []string) {
	for _, l := range list {
		if slices.Contains(rules, l.Rule) {
			out = append(out, fmt.Sprint(l.Rule, " ", (l.RaisedUs-began)/1e6, " ", (l.OverUs-began)/1e6, " ", l.Priority))
		}
	}
	return out
}

// A trial begins from what the alarms stage has written down: an alarm that was
// open then is the same one.
func TestItBeginsFromTheStagesOwnState(t *testing.T) {
	log := night(3, "p01", 3000)
	var s alarms.State
	say := func(*topics.Alarm) {}
	play(t, alarms.Stage(), &s, log[:2000], say)
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var of trial.State
	if err := of.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	var want, got []*topics.Alarm
	play(t, alarms.Stage(), &s, log[2000:], func(a *topics.Alarm) { want = append(want, a) })
	play(t, trial.New(all()), &of, log[2000:], func(a *topics.Alarm) {
		if trial.Variant(a) == trial.Base {
			got = append(got, a)
		}
	})
	if len(want) == 0 || !slices.EqualFunc(want, got, func(a, b *topics.Alarm) bool { return proto.Equal(a, b) }) {
		t.Fatalf("%d records of the stage, %d of the base, or they differ", len(want), len(got))
	}
}

// What a layer lays over a patient's own limits takes their place, whole.
func TestLay(t *testing.T) {
	set := &topics.Limits{Version: 4, Unit: "4W", PauseS: 60,
		Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 150, DurationS: 9}, {Rule: topics.RuleHRLow, Value: 45}},
		Rules:  []*topics.Rule{{Name: "a", When: "hr > 1"}, {Name: "b", When: "hr > 2"}},
	}
	got := trial.Lay(set, &topics.Layer{Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 130}}, Rules: []*topics.Rule{{Name: "b", When: "hr > 3"}}})
	want := &topics.Limits{Version: 4, Unit: "4W", PauseS: 60,
		Limits: []*topics.Limit{{Rule: topics.RuleHRLow, Value: 45}, {Rule: topics.RuleHRHigh, Value: 130, Layer: trial.Layer}},
		Rules:  []*topics.Rule{{Name: "b", When: "hr > 3"}, {Name: "a", When: "hr > 1"}},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A patient's own rate low that is above the file's rate high cannot be: it is told, and the patient keeps what was.
func TestLimitsThatCannotBeAreToldAndLeftOut(t *testing.T) {
	log := night(4, "p01", 600)
	low := &topics.Chart{Patient: "p01", TimeUs: began, Kind: &topics.Chart_Limits{Limits: &topics.Limits{Version: 3, Limits: []*topics.Limit{{Rule: topics.RuleHRLow, Value: 95, DurationS: 3, Hysteresis: 2}}}}}
	log = slices.Insert(log, 0, chart{Key: "p01", Value: low})
	c := trial.Config{Alarms: alarms.DefaultConfig(), Layer: &topics.Layer{Limits: []*topics.Limit{{Rule: topics.RuleHRHigh, Value: 90}}}}
	told := ""
	play(t, trial.New(c), new(trial.State), log[:20], func(a *topics.Alarm) {
		if o := a.GetOutcome(); o.GetCode() == trial.Refused && trial.Variant(a) == trial.Changed {
			told = o.GetProblem()
		}
	})
	if want := "limit hr.low of 95 is not below hr.high of 90: want a rate between them"; told != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestSweepsStayWithinBounds(t *testing.T) {
	for _, w := range trial.Sweeps(&topics.Bounds{Bounds: []*topics.Bound{{Rule: topics.RuleHRHigh, From: 90, To: 135}}}) {
		b := topics.FindBuiltIn(w.Rule)
		switch {
		case b.Lethal() || b.Follows != "":
			t.Errorf("%+v is of a lethal rule, or of one that goes by another's limit", w)
		case w.Duration && !b.DurationS.Holds(w.To), !w.Duration && !b.Value.Holds(w.To):
			t.Errorf("%+v cannot be set", w)
		case w.Rule == topics.RuleHRHigh && !w.Duration && w.To > 135:
			t.Errorf("%+v is beyond the site's bound", w)
		}
	}
}
