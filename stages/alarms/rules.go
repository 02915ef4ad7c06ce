package alarms

import (
	"math"
	"strconv"
	"time"

	cel "heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// rule is one line of the table: when it is an alarm, and in what words. How
// bad it is, and its limit, stand in topics.BuiltIns and in the limits in force.
type rule struct {
	name      string
	version   uint32 // rises when the rule decides otherwise
	technical bool
	worsens   bool // HIGH when a HIGH alarm is open as it begins

	// value is what is judged, as it is shown, so that text and decision
	// agree; known is false where it cannot be told now.
	value func(*topics.Second) (v float64, known bool)
	of    []topics.Rhythm // it is judged by episodes of these, and not by value
	told  func(nowUs int64, h *heard) float64
	whole bool // when they have ended: what goes on may become worse at once
	lags  bool // it looks back on what a worse one has spoken for
	below bool // too low is the alarm, not too high
	equal bool // the limit itself is beyond it
	// calm is the time for which the condition must be over before the alarm
	// ends: what comes back within it is the same episode.
	calm  time.Duration
	under []int // the rules that speak for it
	onset func(nowUs int64, s *topics.Second) int64

	words   string
	unit    string    // UCUM
	suffix  string    // in the text
	places  int       // decimals in the text
	bare    bool      // the text is the words alone
	written bool      // by people
	program *cel.Rule // of one written by people, compiled; nil: it cannot be judged
	limited bool      // somebody has set its own limit
	step    float64
	grow    float64 // the worst value is said again when it changed by step, or by this share
}

const (
	// What flickers about a limit, with its hysteresis, within this time is
	// one alarm: a person who comes for the first would be called again before
	// arriving.
	calmBody = 10 * time.Second
	// Samples that come again for 3 s are data again. No flicker follows: it
	// takes 10 s of silence to raise the next one.
	calmData = 3 * time.Second
	// A reboot is over when it is seen; it stays to be read.
	calmReboot = 30 * time.Second

	// Samples older than this, and their frame's length, are not now.
	notNow = 2.0 // s

	inBeats = " beats"
)

// Places of the rules in the table, which are those in topics.BuiltIns.
const (
	ruleVF = iota
	ruleAsystole
	ruleVT
	ruleExtremeHigh
	ruleExtremeLow
	ruleVRun
	ruleSVT
	ruleAFFast
	ruleHRHigh
	ruleHRLow
	rulePause
	ruleNoCapture
	ruleAF
	ruleIdioventricular
	ruleBigeminy
	ruleTrigeminy
	ruleCouplet
	ruleRonT
	rulePVC
	ruleDroppedBeat
	ruleNoData
	ruleLeadOff
	ruleSignalPoor
	ruleBatteryLow
	ruleClockWrong
	ruleFramesLong
	ruleRebooted
	ruleDataLost
	ruleBroken
	ruleCount
)

// rules is the table. What inhibits stands before what it inhibits.
var rules = [ruleCount]rule{
	ruleVF: {
		name: topics.RuleVF, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER}, told: seconds, equal: true, calm: calmBody,
		words: "VF", unit: "s", suffix: " s", step: 4, grow: 1,
	},
	ruleAsystole: {
		name: topics.RuleAsystole, version: 2,
		value: sinceBeat, equal: true, calm: calmBody, under: []int{ruleVF}, onset: lastBeat,
		words: "ASYSTOLE", unit: "s", suffix: " s", places: 1, grow: 0.5, step: 1,
	},
	ruleVT: {
		name: topics.RuleVT, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_VT}, told: beats, equal: true, calm: calmBody, under: []int{ruleVF},
		words: "VT", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleExtremeHigh: {
		name: topics.RuleHRExtremeHigh, version: 2,
		value: rated((*topics.Second).GetRateSlow, hasRateSlow), lags: true, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleExtremeLow: {
		name: topics.RuleHRExtremeLow, version: 2, below: true,
		value: rated((*topics.Second).GetRateFast, hasRateFast), lags: true, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleVRun: {
		name: topics.RuleVRun, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_V_RUN}, told: beats, whole: true, equal: true, calm: calmBody, under: []int{ruleVF, ruleVT},
		words: "V RUN", unit: "{beats}", suffix: inBeats, step: 5,
	},
	ruleSVT: {
		name: topics.RuleSVT, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_SVT}, told: beats, equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh},
		words: "SVT", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleAFFast: {
		// The rate is judged while there is AF: fastAF.
		name: topics.RuleAFFast, version: 1,
		value: rated((*topics.Second).GetRate, hasRate), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh}, onset: now,
		words: "AF", unit: "/min", suffix: " /min", step: 5,
	},
	ruleHRHigh: {
		name: topics.RuleHRHigh, version: 2,
		value: rated((*topics.Second).GetRate, hasRate), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh, ruleSVT, ruleAFFast}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleHRLow: {
		name: topics.RuleHRLow, version: 2, below: true,
		value: rated((*topics.Second).GetRate, hasRate), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeLow}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	rulePause: {
		name: topics.RulePause, version: 1,
		value: longest, equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole}, onset: pauseBegan,
		words: "PAUSE", unit: "s", suffix: " s", places: 1, step: 0.5,
	},
	ruleNoCapture: {
		name: topics.RuleNoCapture, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_NO_CAPTURE}, told: beats, equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole},
		words: "NO CAPTURE", unit: "{pulses}", suffix: " pulses", step: 5, grow: 1,
	},
	ruleAF: {
		name: topics.RuleAF, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_AF}, told: perMinute, equal: true, calm: calmAF, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh, ruleAFFast},
		words: "AF", unit: "/min", suffix: " /min", step: 10,
	},
	ruleIdioventricular: {
		name: topics.RuleIdioventricular, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_IDIOVENTRICULAR}, told: beats, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "IDIOVENTRICULAR", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleBigeminy: {
		name: topics.RuleBigeminy, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_BIGEMINY}, told: beats, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "BIGEMINY", unit: "{beats}", suffix: inBeats, step: 10, grow: 1,
	},
	ruleTrigeminy: {
		name: topics.RuleTrigeminy, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_TRIGEMINY}, told: beats, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "TRIGEMINY", unit: "{beats}", suffix: inBeats, step: 10, grow: 1,
	},
	ruleCouplet: {
		name: topics.RuleCouplet, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_COUPLET}, told: beats, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "COUPLET", unit: "{beats}", suffix: inBeats, step: 1,
	},
	ruleRonT: {
		name: topics.RuleRonT, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_R_ON_T}, told: millis, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "R ON T", unit: "ms", suffix: " ms", step: 1e9,
	},
	rulePVC: {
		name: topics.RulePVC, version: 1,
		value: pvcs, calm: calmEctopy, under: []int{ruleVF, ruleVT, ruleIdioventricular, ruleBigeminy, ruleTrigeminy}, onset: now,
		words: "PVC", unit: "/min", suffix: " /min", step: 5,
	},
	ruleDroppedBeat: {
		name: topics.RuleDroppedBeat, version: 1,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_DROPPED_BEAT}, told: tenths, equal: true, calm: calmEctopy, under: []int{ruleVF, ruleAsystole, rulePause},
		words: "DROPPED BEAT", unit: "s", suffix: " s", places: 1, step: 1,
	},
	ruleNoData: {
		name: topics.RuleNoData, version: 1, technical: true, worsens: true,
		value: noSamples, equal: true, calm: calmData, onset: lastSample,
		words: "NO DATA", unit: "s", suffix: " s", grow: 1, step: 10,
	},
	ruleLeadOff: {
		name: topics.RuleLeadOff, version: 1, technical: true, worsens: true,
		value: leadsOff, equal: true, calm: calmBody, onset: leadFell,
		words: "LEAD OFF", unit: "s", bare: true, grow: 1, step: 60,
	},
	ruleSignalPoor: {
		name: topics.RuleSignalPoor, version: 1, technical: true,
		value: poor, equal: true, calm: calmBody, onset: now,
		words: "SIGNAL POOR", bare: true,
		step: 1,
	},
	ruleBatteryLow: {
		name: topics.RuleBatteryLow, version: 1, technical: true, below: true,
		value: battery, equal: true, calm: calmBody, onset: now,
		words: "BATTERY", unit: "%", suffix: " %", step: 5,
	},
	ruleClockWrong: {
		name: topics.RuleClockWrong, version: 1, technical: true,
		value: clockOff, calm: calmBody, onset: now,
		words: "CLOCK WRONG", unit: "s", suffix: " s", grow: 1, step: 60,
	},
	ruleFramesLong: {
		name: topics.RuleFramesLong, version: 1, technical: true,
		value: frameLength, calm: calmBody, onset: now,
		words: "FRAMES", unit: "s", suffix: " s", places: 1, step: 1,
	},
	ruleRebooted: {
		name: topics.RuleRebooted, version: 1, technical: true,
		value: rebooted, equal: true, calm: calmReboot, onset: now,
		words: "REBOOTED", bare: true, step: 1,
	},
	ruleDataLost: {
		name: topics.RuleDataLost, version: 1, technical: true,
		// No second tells it: lost judges.
		value: always, equal: true, calm: calmLost, onset: now,
		words: "DATA LOST", bare: true, step: 1,
	},
	ruleBroken: {
		name: topics.RuleBroken, version: 1, technical: true,
		// judgeBroken judges.
		value: always, equal: true, calm: calmData, onset: now,
		words: "RULE CANNOT BE JUDGED", bare: true, step: 1,
	},
}

// Rules are the names of all rules there are, in the order of the table, for
// those who must know that they have thought of each.
func Rules() []string {
	names := make([]string, 0, ruleCount)
	for i := range rules {
		names = append(names, rules[i].name)
	}
	return names
}

// verdict judges a second. An alarm that is open is judged by the limit in
// force with its hysteresis.
func (r *rule) verdict(s *topics.Second, l *limit, open bool) verdict {
	v, known := r.value(s)
	switch {
	case !known || math.IsNaN(v):
		return unknown
	case r.beyond(v, l.value):
		return over
	case open && l.hysteresis > 0 && r.beyond(v, l.value-r.sign()*l.hysteresis):
		return within
	}
	return clear
}

func (r *rule) beyond(v, limit float64) bool {
	return r.sign()*(v-limit) > 0 || r.equal && v == limit
}

func (r *rule) sign() float64 {
	if r.below {
		return -1
	}
	return 1
}

// text is what people read, value and limit included: HR 134 > 120.
func (r *rule) text(value, limit float64, d detail) string {
	switch {
	case r.bare:
		return r.words
	case len(r.of) > 0:
		return d.tell(r, value)
	case r.written:
		return r.tell(value, limit)
	}
	b := append([]byte(r.words), ' ')
	b = strconv.AppendFloat(b, value, 'f', r.places, 64)
	switch than := strconv.FormatFloat(value, 'f', r.places, 64) == strconv.FormatFloat(limit, 'f', r.places, 64); {
	case than && r.below:
		b = append(b, " ≤ "...)
	case than:
		b = append(b, " ≥ "...)
	case value < limit:
		b = append(b, " < "...)
	default:
		b = append(b, " > "...)
	}
	b = strconv.AppendFloat(b, limit, 'f', -1, 64)
	return string(append(b, r.suffix...))
}

// tell is the text of a rule that people wrote: HR MEAN 134 > 130 /min.
func (r *rule) tell(value, limit float64) string {
	if r.program == nil {
		return r.words
	}
	return r.program.Text(value, r.own(limit))
}

// live reports a second in which the heart could be seen.
func live(s *topics.Second) bool {
	return s.GetSinceSampleS() <= notNow+s.GetFrameS() && !s.GetSuspended() && !s.GetLeadOff()
}

func hasRate(s *topics.Second) bool     { return s.Rate != nil }
func hasRateFast(s *topics.Second) bool { return s.RateFast != nil }
func hasRateSlow(s *topics.Second) bool { return s.RateSlow != nil }

// rated judges a rate as it is shown, in whole beats a minute.
func rated(get func(*topics.Second) float64, has func(*topics.Second) bool) func(*topics.Second) (float64, bool) {
	return func(s *topics.Second) (float64, bool) { return math.Round(get(s)), has(s) && live(s) }
}

// Times that count up are shown as they have been completed.
func sinceBeat(s *topics.Second) (float64, bool) {
	return math.Floor(s.GetSinceBeatS()*10) / 10, s.SinceBeatS != nil && !s.GetSuspended() && !s.GetLeadOff()
}

func noSamples(s *topics.Second) (float64, bool) { return math.Floor(s.GetSinceSampleS()), true }

func leadsOff(s *topics.Second) (float64, bool) {
	known := s.GetSinceSampleS() <= notNow+s.GetFrameS()
	if !s.GetLeadOff() {
		return -1, known
	}
	return math.Floor(s.GetLeadOffS()), known
}

func poor(s *topics.Second) (float64, bool) {
	return truth(s.GetSuspended() && !s.GetLeadOff()), s.GetSinceSampleS() <= notNow+s.GetFrameS()
}

func battery(s *topics.Second) (float64, bool) {
	return float64(s.GetBatteryPercent()), s.BatteryPercent != nil
}

// clockOff is the distance of the device's clock; 0 is how it says that it has none.
func clockOff(s *topics.Second) (float64, bool) {
	return math.Round(math.Abs(s.GetClockOffsetS())), s.GetClockOffsetS() != 0
}

func frameLength(s *topics.Second) (float64, bool) {
	return math.Round(s.GetFrameS()*10) / 10, s.GetFrameS() > 0
}

func rebooted(s *topics.Second) (float64, bool) { return truth(s.GetRebooted()), true }

func always(*topics.Second) (float64, bool) { return 1, true }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func now(nowUs int64, _ *topics.Second) int64 { return nowUs }

func lastBeat(nowUs int64, s *topics.Second) int64 { return before(nowUs, s, s.GetSinceBeatS()) }

func leadFell(nowUs int64, s *topics.Second) int64 { return before(nowUs, s, s.GetLeadOffS()) }

// before is a time that much before the last sample.
func before(nowUs int64, s *topics.Second, seconds float64) int64 {
	at := s.GetSampleUs()
	if at == 0 {
		at = nowUs
	}
	return at - int64(min(max(seconds, 0), 86400)*1e6)
}

func lastSample(nowUs int64, s *topics.Second) int64 {
	if s.GetSampleUs() != 0 {
		return s.GetSampleUs()
	}
	return before(nowUs, s, s.GetSinceSampleS())
}
