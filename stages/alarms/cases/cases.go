// Package cases tries rules that people wrote: it plays what is given of a
// patient to the alarms stage as it runs, second by second, and tells which
// alarms came. It reads no clock and sends nothing anywhere.
package cases

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"heartwire/stages/alarms"
	"heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// Change is what became of a rule's alarm, so long after the beginning.
type Change struct {
	At   time.Duration
	What string // raised, ended
	Text string
}

// String is the change in one line.
func (c Change) String() string { return fmt.Sprintf("%v %s %s", c.At, c.What, c.Text) }

// Play gives what came of the case's rule, and what is wrong with that by what
// the case expects; empty: nothing.
func Play(l *topics.Layer, c rules.Case, zone string) (changes []Change, wrong string, err error) {
	p := player{rule: c.Rule, now: began, device: &topics.Second{Lead: "II", Device: "case", Boot: 1}, values: map[string]float64{}}
	if err := p.begin(l, c, zone); err != nil {
		return nil, "", err
	}
	for _, g := range c.Given {
		if err := p.take(g.Values); err != nil {
			return nil, "", err
		}
		for range int(g.For / time.Second) {
			if err := p.second(); err != nil {
				return nil, "", err
			}
		}
	}
	return p.changes, compare(p.changes, c.Expect), nil
}

// compare says in what the changes are not those that are wanted.
func compare(got []Change, want []rules.Expect) string {
	for i, w := range want {
		at := fmt.Sprintf("%v..%v", w.From, w.To)
		switch {
		case i >= len(got):
			return fmt.Sprintf("not %s within %s", w.What, at)
		case got[i].What != w.What:
			return fmt.Sprintf("%s at %v, and must be %s within %s", got[i].What, got[i].At, w.What, at)
		case got[i].At < w.From || got[i].At > w.To:
			return fmt.Sprintf("%s at %v, and must be within %s", w.What, got[i].At, at)
		case w.Text != "" && got[i].Text != w.Text:
			return fmt.Sprintf("%s as %q, and must be %q", w.What, got[i].Text, w.Text)
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("%s at %v, and must not be", got[len(want)].What, got[len(want)].At)
	}
	return ""
}

const began = int64(1_767_225_600_000_000) // µs: midnight of a New Year, UTC

// player plays a case to the stage.
type player struct {
	rule    string
	state   alarms.State
	stage   processor
	zone    *time.Location
	n       int
	now     int64
	device  *topics.Second
	values  map[string]float64
	codes   []string // vitals that are given by code, in the order in which they came
	changes []Change
}

type processor interface {
	Process(*alarms.State, topics.Record[*topics.Chart], func(*topics.Alarm)) error
	Advance(*alarms.State, *topics.Tick, func(*topics.Alarm)) error
}

func (p *player) begin(l *topics.Layer, c rules.Case, zone string) error {
	conf := alarms.Config{Zone: zone}
	if err := conf.Validate(); err != nil {
		return err
	}
	p.stage = alarms.New(conf).Processor
	p.zone, _ = time.LoadLocation(zone)
	for _, g := range c.Given[0].Values { // the day begins where the case says
		if g.Name == "timeOfDay" && g.V == g.V {
			day := time.UnixMicro(began).In(p.zone)
			p.now = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, int(g.V), 0, p.zone).UnixMicro()
		}
	}
	set := &topics.Limits{Version: 1, Limits: topics.DefaultLimits(), Rules: l.GetRules()}
	for _, x := range l.GetLimits() {
		set.Limits = append(set.Limits, x)
	}
	return p.put(&topics.Chart{Kind: &topics.Chart_Limits{Limits: set}})
}

func (p *player) put(c *topics.Chart) error {
	c.Patient = "case"
	p.n++
	return p.stage.Process(&p.state, topics.Record[*topics.Chart]{Key: "case", Offset: int64(p.n), Value: c}, p.said)
}

func (p *player) said(a *topics.Alarm) {
	s := a.GetState()
	if s.GetRule() != p.rule {
		return
	}
	c := Change{At: time.Duration(p.device.GetSample()) * time.Second, What: "raised", Text: s.GetText()}
	switch {
	case s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED, s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_LATCHED:
		c.What = "ended"
	case s.GetVersion() > 1:
		return
	}
	p.changes = append(p.changes, c)
}

// take takes what is given from now on.
func (p *player) take(values []rules.Value) error {
	for _, v := range values {
		switch {
		case v.Name == "timeOfDay" && p.device.GetSample() > 0:
			return fmt.Errorf("timeOfDay is given in the first step alone: from then on it goes by itself")
		case strings.HasPrefix(v.Name, "rhythm."):
			if err := p.rhythm(v); err != nil {
				return err
			}
		}
		if strings.HasPrefix(v.Name, "loinc(") && !slices.Contains(p.codes, v.Name) {
			p.codes = append(p.codes, v.Name)
		}
		if v.V != v.V {
			delete(p.values, v.Name)
		} else {
			p.values[v.Name] = v.V
		}
	}
	return nil
}

var rhythms = map[string]topics.Rhythm{
	"rhythm.vf": topics.Rhythm_RHYTHM_VF, "rhythm.vt": topics.Rhythm_RHYTHM_VT, "rhythm.svt": topics.Rhythm_RHYTHM_SVT, "rhythm.af": topics.Rhythm_RHYTHM_AF,
	"rhythm.idioventricular": topics.Rhythm_RHYTHM_IDIOVENTRICULAR, "rhythm.bigeminy": topics.Rhythm_RHYTHM_BIGEMINY, "rhythm.trigeminy": topics.Rhythm_RHYTHM_TRIGEMINY,
}

func (p *player) rhythm(v rules.Value) error {
	is := v.V == 1
	if was := p.values[v.Name] == 1; was == is {
		return nil
	}
	e := &topics.Episode{Rhythm: rhythms[v.Name], OnsetUs: p.now, Beats: 10, Rate: 100}
	if !is {
		end := uint64(0)
		e.End, e.EndUs, e.Cut = &end, p.now, v.V != v.V
	}
	return p.put(&topics.Chart{TimeUs: p.now, Kind: &topics.Chart_Episode{Episode: e}})
}

// second says one second of what is given, and its tick.
func (p *player) second() error {
	p.now += 1e6
	p.device.Sample++
	for _, q := range rules.Vocabulary() {
		if err := p.vital(q.Name); err != nil {
			return err
		}
	}
	for _, name := range p.codes {
		if err := p.vital(name); err != nil {
			return err
		}
	}
	if v := p.variability(); v != nil {
		if err := p.put(&topics.Chart{TimeUs: p.now, Kind: &topics.Chart_Variability{Variability: v}}); err != nil {
			return err
		}
	}
	if err := p.put(&topics.Chart{TimeUs: p.now, Kind: &topics.Chart_Second{Second: p.chart()}}); err != nil {
		return err
	}
	return p.stage.Advance(&p.state, &topics.Tick{N: p.device.GetSample(), ElapsedUs: 1e6}, p.said)
}

func (p *player) vital(name string) error {
	v, given := p.values[name]
	loinc, ucum, is := rules.Vital(name)
	if !given || !is {
		return nil
	}
	return p.put(&topics.Chart{TimeUs: p.now, Kind: &topics.Chart_Vital{Vital: &topics.Vital{Loinc: loinc, Value: v, Ucum: ucum}}})
}

func (p *player) variability() *topics.Variability {
	var v topics.Variability
	some := false
	for _, of := range []struct {
		name string
		at   *float64
	}{
		{"hrv.nn", &v.MeanMs}, {"hrv.sdnn", &v.SdnnMs}, {"hrv.rmssd", &v.RmssdMs}, {"hrv.pnn50", &v.Pnn50}, {"hrv.lf", &v.LfMs2}, {"hrv.hf", &v.HfMs2}, {"hrv.lfhf", &v.LfHf},
	} {
		x, given := p.values[of.name]
		if *of.at = x; !given {
			*of.at = math.NaN()
		}
		some = some || given
	}
	if !some {
		return nil
	}
	return &v
}

// chart is the Second of what is given. A rate is all three where the others
// are not given.
func (p *player) chart() *topics.Second {
	s := &topics.Second{Lead: "II", Device: "case", Boot: 1, Sample: p.device.GetSample(), SampleUs: p.now, FrameS: 0.25, Quality: 0.9}
	of := func(names ...string) *float64 {
		for _, name := range names {
			if v, given := p.values[name]; given {
				return &v
			}
		}
		return nil
	}
	s.Rate, s.RateFast, s.RateSlow, s.SinceBeatS = of("hr"), of("hr.fast", "hr"), of("hr.slow", "hr"), of("beat.age")
	if v := of("signal.quality"); v != nil {
		s.Quality = *v
	}
	s.SinceSampleS = p.values["signal.age"]
	s.LeadOff, s.Suspended = p.values["signal.leadOff"] == 1, p.values["signal.suspended"] == 1
	s.VPerMinute = uint32(p.values["pvc.perMinute"])
	if v := of("device.battery"); v != nil {
		charge := uint32(*v)
		s.BatteryPercent = &charge
	}
	ms := 0.0
	if v := of("rr"); v != nil {
		ms = *v
		s.Rr = append(s.Rr, &topics.RR{Ms: ms, Class: topics.BeatClass_BEAT_CLASS_N, TimeUs: p.now})
	}
	for _, b := range []struct {
		name  string
		class topics.BeatClass
	}{{"beats.n", topics.BeatClass_BEAT_CLASS_N}, {"beats.s", topics.BeatClass_BEAT_CLASS_S}, {"beats.v", topics.BeatClass_BEAT_CLASS_V}, {"beats.f", topics.BeatClass_BEAT_CLASS_F}, {"beats.q", topics.BeatClass_BEAT_CLASS_Q}} {
		for range int(p.values[b.name]) {
			s.Rr = append(s.Rr, &topics.RR{Ms: max(ms, 500), Class: b.class, TimeUs: p.now})
		}
	}
	return s
}
