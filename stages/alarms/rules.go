package alarms

import (
	"math"
	"strconv"
	"time"

	"heartwire/topics"
)

// rule is one line of the table: when it is an alarm, how bad, and in what words.
type rule struct {
	name      string
	version   uint32 // rises when the rule decides otherwise
	priority  topics.Priority
	technical bool
	worsens   bool // HIGH when a HIGH alarm is open as it begins

	// value is what is judged, as it is shown, so that text and decision
	// agree; known is false where it cannot be told now.
	value func(*topics.Second) (v float64, known bool)
	of    []topics.Rhythm // it is judged by episodes of these, and not by value
	told  func(nowUs int64, h *heard) float64
	whole bool // when they have ended: what goes on may become worse at once
	limit func(*limits) limit
	lags  bool // it looks back on what a worse one has spoken for
	below bool // too low is the alarm, not too high
	equal bool // the limit itself is beyond it
	// calm is the time for which the condition must be over before the alarm
	// ends: what comes back within it is the same episode.
	calm  time.Duration
	under []int // the rules that speak for it
	onset func(nowUs int64, s *topics.Second) int64

	words  string
	unit   string // UCUM
	suffix string // in the text
	places int    // decimals in the text
	bare   bool   // the text is the words alone
	step   float64
	grow   float64 // the worst value is said again when it changed by step, or by this share
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

	clockLimit   = 60.0 // s: a clock that is off by more puts a note in the wrong minute
	batteryLimit = 15.0 // %: from there on the page shows it on every tile size
	batteryBack  = 2.0
	poorFor      = 30 * time.Second // movement makes shorter noise
	frameLimit   = 1.0              // s: the time budgets hold up to it

	inBeats = " beats"

	// Extremes, ALARMS: above max(140, high + 20), below min(40, low − 10).
	extremeHigh, highBy = 140.0, 20.0
	extremeLow, lowBy   = 40.0, 10.0
)

// Places of the rules in the table.
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
	ruleCount
)

// rules is the table. What inhibits stands before what it inhibits.
var rules = [ruleCount]rule{
	ruleVF: {
		name: "vf", version: 1, priority: topics.Priority_PRIORITY_HIGH,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER}, told: seconds, limit: fixed(limit{value: 4}), equal: true, calm: calmBody,
		words: "VF", unit: "s", suffix: " s", step: 4, grow: 1,
	},
	ruleAsystole: {
		name: topics.RuleAsystole, version: 2, priority: topics.Priority_PRIORITY_HIGH,
		value: sinceBeat, limit: set(asystole), equal: true, calm: calmBody, under: []int{ruleVF}, onset: lastBeat,
		words: "ASYSTOLE", unit: "s", suffix: " s", places: 1, grow: 0.5, step: 1,
	},
	ruleVT: {
		name: "vt", version: 1, priority: topics.Priority_PRIORITY_HIGH,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_VT}, told: beats, limit: fixed(limit{value: 5}), equal: true, calm: calmBody, under: []int{ruleVF},
		words: "VT", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleExtremeHigh: {
		name: "hr.extreme-high", version: 2, priority: topics.Priority_PRIORITY_HIGH,
		value: rated((*topics.Second).GetRateSlow, hasRateSlow), lags: true, limit: tooHigh, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleExtremeLow: {
		name: "hr.extreme-low", version: 2, priority: topics.Priority_PRIORITY_HIGH, below: true,
		value: rated((*topics.Second).GetRateFast, hasRateFast), lags: true, limit: tooLow, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleVRun: {
		name: "v-run", version: 1, priority: topics.Priority_PRIORITY_MEDIUM,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_V_RUN}, told: beats, whole: true, limit: fixed(limit{value: 3}), equal: true, calm: calmBody, under: []int{ruleVF, ruleVT},
		words: "V RUN", unit: "{beats}", suffix: inBeats, step: 5,
	},
	ruleSVT: {
		name: "svt", version: 1, priority: topics.Priority_PRIORITY_MEDIUM,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_SVT}, told: beats, limit: fixed(limit{value: 5}), equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh},
		words: "SVT", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleAFFast: {
		// The rate is judged while there is AF: fastAF.
		name: "af-fast", version: 1, priority: topics.Priority_PRIORITY_MEDIUM,
		value: rated((*topics.Second).GetRate, hasRate), limit: set(hrHigh), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh}, onset: now,
		words: "AF", unit: "/min", suffix: " /min", step: 5,
	},
	ruleHRHigh: {
		name: topics.RuleHRHigh, version: 2, priority: topics.Priority_PRIORITY_MEDIUM,
		value: rated((*topics.Second).GetRate, hasRate), limit: set(hrHigh), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh, ruleSVT, ruleAFFast}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	ruleHRLow: {
		name: topics.RuleHRLow, version: 2, priority: topics.Priority_PRIORITY_MEDIUM, below: true,
		value: rated((*topics.Second).GetRate, hasRate), limit: set(hrLow), calm: calmBody, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeLow}, onset: now,
		words: "HR", unit: "/min", step: 5,
	},
	rulePause: {
		name: "pause", version: 1, priority: topics.Priority_PRIORITY_MEDIUM,
		value: longest, limit: fixed(limit{value: pauseS}), equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole}, onset: paused,
		words: "PAUSE", unit: "s", suffix: " s", places: 1, step: 0.5,
	},
	ruleNoCapture: {
		name: "no-capture", version: 1, priority: topics.Priority_PRIORITY_MEDIUM,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_NO_CAPTURE}, told: beats, limit: fixed(limit{value: 3}), equal: true, calm: calmBody, under: []int{ruleVF, ruleAsystole},
		words: "NO CAPTURE", unit: "{pulses}", suffix: " pulses", step: 5, grow: 1,
	},
	ruleAF: {
		name: "af", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_AF}, told: perMinute, limit: fixed(limit{value: 0}), equal: true, calm: calmAF, under: []int{ruleVF, ruleAsystole, ruleVT, ruleExtremeHigh, ruleAFFast},
		words: "AF", unit: "/min", suffix: " /min", step: 10,
	},
	ruleIdioventricular: {
		name: "idioventricular", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_IDIOVENTRICULAR}, told: beats, limit: fixed(limit{value: 3}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "IDIOVENTRICULAR", unit: "{beats}", suffix: inBeats, step: 5, grow: 1,
	},
	ruleBigeminy: {
		name: "bigeminy", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_BIGEMINY}, told: beats, limit: fixed(limit{value: 6}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "BIGEMINY", unit: "{beats}", suffix: inBeats, step: 10, grow: 1,
	},
	ruleTrigeminy: {
		name: "trigeminy", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_TRIGEMINY}, told: beats, limit: fixed(limit{value: 9}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "TRIGEMINY", unit: "{beats}", suffix: inBeats, step: 10, grow: 1,
	},
	ruleCouplet: {
		name: "couplet", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_COUPLET}, told: beats, limit: fixed(limit{value: 2}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "COUPLET", unit: "{beats}", suffix: inBeats, step: 1,
	},
	ruleRonT: {
		name: "r-on-t", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_R_ON_T}, told: millis, limit: fixed(limit{value: 0}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleVT},
		words: "R ON T", unit: "ms", suffix: " ms", step: 1e9,
	},
	rulePVC: {
		name: "pvc", version: 1, priority: topics.Priority_PRIORITY_LOW,
		value: pvcs, limit: fixed(limit{value: pvcLimit, hysteresis: pvcBack}), calm: calmEctopy, under: []int{ruleVF, ruleVT, ruleIdioventricular, ruleBigeminy, ruleTrigeminy}, onset: now,
		words: "PVC", unit: "/min", suffix: " /min", step: 5,
	},
	ruleDroppedBeat: {
		name: "dropped-beat", version: 1, priority: topics.Priority_PRIORITY_LOW,
		of: []topics.Rhythm{topics.Rhythm_RHYTHM_DROPPED_BEAT}, told: tenths, limit: fixed(limit{value: 0}), equal: true, calm: calmEctopy, under: []int{ruleVF, ruleAsystole, rulePause},
		words: "DROPPED BEAT", unit: "s", suffix: " s", places: 1, step: 1,
	},
	ruleNoData: {
		name: topics.RuleNoData, version: 1, priority: topics.Priority_PRIORITY_MEDIUM, technical: true, worsens: true,
		value: silence, limit: set(noData), equal: true, calm: calmData, onset: lastSample,
		words: "NO DATA", unit: "s", suffix: " s", grow: 1, step: 10,
	},
	ruleLeadOff: {
		name: topics.RuleLeadOff, version: 1, priority: topics.Priority_PRIORITY_MEDIUM, technical: true, worsens: true,
		value: leadsOff, limit: set(leadOff), equal: true, calm: calmBody, onset: leadFell,
		words: "LEAD OFF", unit: "s", bare: true, grow: 1, step: 60,
	},
	ruleSignalPoor: {
		name: "signal-poor", version: 1, priority: topics.Priority_PRIORITY_MEDIUM, technical: true,
		value: poor, limit: fixed(limit{value: 1, duration: poorFor}), equal: true, calm: calmBody, onset: now,
		words: "SIGNAL POOR", bare: true,
		step: 1,
	},
	ruleBatteryLow: {
		name: "battery-low", version: 1, priority: topics.Priority_PRIORITY_LOW, technical: true, below: true,
		value: battery, limit: fixed(limit{value: batteryLimit, hysteresis: batteryBack}), equal: true, calm: calmBody, onset: now,
		words: "BATTERY", unit: "%", suffix: " %", step: 5,
	},
	ruleClockWrong: {
		name: "clock-wrong", version: 1, priority: topics.Priority_PRIORITY_LOW, technical: true,
		value: clockOff, limit: fixed(limit{value: clockLimit, hysteresis: 5}), calm: calmBody, onset: now,
		words: "CLOCK WRONG", unit: "s", suffix: " s", grow: 1, step: 60,
	},
	ruleFramesLong: {
		name: "frames-long", version: 1, priority: topics.Priority_PRIORITY_LOW, technical: true,
		value: frameLength, limit: fixed(limit{value: frameLimit}), calm: calmBody, onset: now,
		words: "FRAMES", unit: "s", suffix: " s", places: 1, step: 1,
	},
	ruleRebooted: {
		name: "rebooted", version: 1, priority: topics.Priority_PRIORITY_LOW, technical: true,
		value: rebooted, limit: fixed(limit{value: 1}), equal: true, calm: calmReboot, onset: now,
		words: "REBOOTED", bare: true, step: 1,
	},
	ruleDataLost: {
		name: "data-lost", version: 1, priority: topics.Priority_PRIORITY_HIGH, technical: true,
		// No second tells it: lost judges.
		value: always, limit: fixed(limit{value: 1}), equal: true, calm: calmLost, onset: now,
		words: "DATA LOST", bare: true, step: 1,
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
func (r *rule) verdict(s *topics.Second, l limit, open bool) verdict {
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

func set(i int) func(*limits) limit { return func(l *limits) limit { return l.at(i) } }

func fixed(l limit) func(*limits) limit { return func(*limits) limit { return l } }

// The extremes go with the limits, and stay when those are turned off.
func tooHigh(l *limits) limit {
	high := l.at(hrHigh)
	return limit{value: max(extremeHigh, high.value+highBy), hysteresis: high.hysteresis}
}

func tooLow(l *limits) limit {
	low := l.at(hrLow)
	return limit{value: min(extremeLow, low.value-lowBy), hysteresis: low.hysteresis}
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

func silence(s *topics.Second) (float64, bool) { return math.Floor(s.GetSinceSampleS()), true }

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
