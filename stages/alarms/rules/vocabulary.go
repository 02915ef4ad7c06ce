package rules

import (
	"math"
	"slices"
	"strings"
	"time"

	"heartwire/topics"
)

// Kind is what a quantity is.
type Kind uint8

const (
	Number Kind = iota
	Truth
	TimeOfDay // a duration since midnight
)

// String is the kind in words.
func (k Kind) String() string { return [...]string{"number", "truth", "time of day"}[k] }

// Quantity is one named thing that a rule can read.
type Quantity struct {
	Name  string
	Kind  Kind
	Unit  string        // UCUM; empty: it has none
	From  float64       // the least that a body or a device can give
	To    float64       // and the most: what lies beyond is never reached
	Holds time.Duration // for which a value that has come stays known; 0: it is said each second
	Doc   string
	LOINC []string // the vitals that it is, by code

	per    float64 // codes a unit in a window; 0: it has no windows
	counts bool    // its window is a count, and no mean
	read   func(*Moment) sample
}

// Windows reports that it can be asked of a time: hr.mean(30s).
func (q *Quantity) Windows() bool { return q.per > 0 }

// Held is for how long a value that has come stays known; empty: it is said each second.
func (q *Quantity) Held() string {
	if q.Holds == 0 {
		return ""
	}
	return spell(q.Holds)
}

// Statistics are what can be asked of a window of it.
func (q *Quantity) Statistics() []string {
	switch {
	case q.counts:
		return []string{count.String()}
	case q.Windows():
		return []string{mean.String(), least.String(), most.String(), slope.String()}
	}
	return nil
}

// sample is what a quantity is in one second: v, and in windows from lo to hi.
// NaN is what is not known.
type sample struct{ v, lo, hi float64 }

var unknownSample = sample{math.NaN(), math.NaN(), math.NaN()}

func exactly(v float64) sample { return sample{v, v, v} }

func when(known bool, v float64) sample {
	if !known {
		return unknownSample
	}
	return exactly(v)
}

func truth(known, b bool) sample {
	if b {
		return when(known, 1)
	}
	return when(known, 0)
}

// Moment is what is known in one second of a patient, beside what History has.
type Moment struct {
	Second *topics.Second
	NowUs  int64          // UTC µs, in sample time: the time of the chart
	Zone   *time.Location // of the site
	// Rhythms that go on now, and those of which it cannot be told, as bits by
	// topics.Rhythm.
	Open, Unsure uint32
}

// notNow: samples older than this, and their frame's length, are not now (s).
const notNow = 2.0

// live reports a second in which the heart could be seen.
func (m *Moment) live() bool {
	s := m.Second
	return s.GetSinceSampleS() <= notNow+s.GetFrameS() && !s.GetSuspended() && !s.GetLeadOff()
}

func (m *Moment) arriving() bool { return m.Second.GetSinceSampleS() <= notNow+m.Second.GetFrameS() }

const (
	limitName      = "limit"
	hysteresisName = "hysteresis"
)

// How long a value that was measured once says how somebody is now. What a
// monitor sends by itself comes at least each minute: after two it has stopped.
// A continuous glucose monitor sends each 5 min, and may miss two. What a person
// measures holds until the next round is due (NEWS2, Royal College of Physicians
// 2017: hourly at 5 points or a red score, else 4 to 6 h).
const (
	monitored = 2 * time.Minute
	sensed    = 15 * time.Minute
	hourly    = time.Hour
	byRound   = 4 * time.Hour
	analysed  = 10 * time.Minute // twice the 5 min of a variability
	beatHeld  = 4 * time.Second  // an asystole by then
)

// vocabulary is all that a rule can read. Ranges are what Heartwire can
// measure of a heart, and for vitals what a living body or its sensor can give.
var vocabulary = []Quantity{
	{Name: "hr", Unit: "/min", To: 300, per: 10, Doc: "heart rate, as it is shown: mean over the last 12 RR less the shortest and the longest",
		read: func(m *Moment) sample { return when(m.Second.Rate != nil && m.live(), math.Round(m.Second.GetRate())) }},
	{Name: "hr.fast", Unit: "/min", To: 300, per: 10, Doc: "heart rate over the last 5 RR, by which an extreme bradycardia is judged",
		read: func(m *Moment) sample {
			return when(m.Second.RateFast != nil && m.live(), math.Round(m.Second.GetRateFast()))
		}},
	{Name: "hr.slow", Unit: "/min", To: 300, per: 10, Doc: "heart rate over the last 17 beats, by which an extreme tachycardia is judged",
		read: func(m *Moment) sample {
			return when(m.Second.RateSlow != nil && m.live(), math.Round(m.Second.GetRateSlow()))
		}},
	{Name: "rr", Unit: "ms", To: 10000, Holds: beatHeld, per: 1, Doc: "the newest RR interval; a window sees each of them", read: newestRR},
	{Name: "beat.age", Unit: "s", To: 3600, Doc: "since the last beat in valid signal",
		read: func(m *Moment) sample {
			s := m.Second
			return when(s.SinceBeatS != nil && !s.GetSuspended() && !s.GetLeadOff(), s.GetSinceBeatS())
		}},
	{Name: "pvc.perMinute", Unit: "/min", To: 300, per: 10, Doc: "class V beats in the last 60 s",
		read: func(m *Moment) sample { return when(m.live(), float64(m.Second.GetVPerMinute())) }},
	beats("beats.n", topics.BeatClass_BEAT_CLASS_N, "normal"),
	beats("beats.s", topics.BeatClass_BEAT_CLASS_S, "supraventricular ectopic"),
	beats("beats.v", topics.BeatClass_BEAT_CLASS_V, "ventricular ectopic"),
	beats("beats.f", topics.BeatClass_BEAT_CLASS_F, "fusion"),
	beats("beats.q", topics.BeatClass_BEAT_CLASS_Q, "paced or unclassifiable"),

	rhythm("rhythm.vf", "ventricular fibrillation or flutter", topics.Rhythm_RHYTHM_VF, topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER),
	rhythm("rhythm.vt", "ventricular tachycardia", topics.Rhythm_RHYTHM_VT),
	rhythm("rhythm.svt", "supraventricular tachycardia", topics.Rhythm_RHYTHM_SVT),
	rhythm("rhythm.af", "atrial fibrillation", topics.Rhythm_RHYTHM_AF),
	rhythm("rhythm.idioventricular", "accelerated idioventricular rhythm", topics.Rhythm_RHYTHM_IDIOVENTRICULAR),
	rhythm("rhythm.bigeminy", "bigeminy", topics.Rhythm_RHYTHM_BIGEMINY),
	rhythm("rhythm.trigeminy", "trigeminy", topics.Rhythm_RHYTHM_TRIGEMINY),

	{Name: "hrv.nn", Unit: "ms", To: 4000, Holds: analysed, Doc: "variability, of the last whole 5 min: mean of the normal intervals"},
	{Name: "hrv.sdnn", Unit: "ms", To: 1000, Holds: analysed, Doc: "variability: standard deviation of the normal intervals"},
	{Name: "hrv.rmssd", Unit: "ms", To: 1000, Holds: analysed, Doc: "variability: root mean square of successive differences"},
	{Name: "hrv.pnn50", Unit: "1", To: 1, Holds: analysed, Doc: "variability: share of successive differences above 50 ms"},
	{Name: "hrv.lf", Unit: "ms2", To: 1e6, Holds: analysed, Doc: "variability: power from 0.04 to 0.15 Hz"},
	{Name: "hrv.hf", Unit: "ms2", To: 1e6, Holds: analysed, Doc: "variability: power from 0.15 to 0.4 Hz"},
	{Name: "hrv.lfhf", Unit: "1", To: 1e4, Holds: analysed, Doc: "variability: lf by hf; unknown where hf is 0"},

	{Name: "spo2", Unit: "%", To: 100, Holds: monitored, per: 10, LOINC: []string{"59408-5", "2708-6"}, Doc: "oxygen saturation"},
	{Name: "pulse", Unit: "/min", To: 300, Holds: monitored, per: 10, LOINC: []string{"8889-8"}, Doc: "pulse rate by oximetry"},
	{Name: "respiration", Unit: "/min", To: 150, Holds: monitored, per: 10, LOINC: []string{"9279-1"}, Doc: "respiratory rate"},
	{Name: "co2", Unit: "mm[Hg]", To: 150, Holds: monitored, per: 10, LOINC: []string{"19889-5"}, Doc: "end-tidal carbon dioxide"},
	{Name: "temperature", Unit: "Cel", From: 13, To: 46, Holds: byRound, per: 100, LOINC: []string{"8310-5", "8329-5", "8331-1"}, Doc: "body temperature"},
	{Name: "glucose", Unit: "mg/dL", To: 1300, Holds: sensed, per: 10, LOINC: []string{"2339-0", "2345-7", "41653-7", "99504-3"}, Doc: "glucose; mmol/L are converted"},
	{Name: "bp.systolic", Unit: "mm[Hg]", To: 320, Holds: hourly, per: 10, LOINC: []string{"8480-6"}, Doc: "systolic blood pressure"},
	{Name: "bp.diastolic", Unit: "mm[Hg]", To: 250, Holds: hourly, per: 10, LOINC: []string{"8462-4"}, Doc: "diastolic blood pressure"},
	{Name: "bp.map", Unit: "mm[Hg]", To: 280, Holds: hourly, per: 10, LOINC: []string{"8478-0"}, Doc: "mean arterial pressure"},

	{Name: "signal.quality", Unit: "1", To: 1, per: 1000, Doc: "quality of the analysed lead, 0 to 1",
		read: func(m *Moment) sample { return when(m.arriving(), m.Second.GetQuality()) }},
	{Name: "signal.suspended", Kind: Truth, To: 1, Doc: "no lead can be analysed",
		read: func(m *Moment) sample { return truth(m.arriving(), m.Second.GetSuspended()) }},
	{Name: "signal.leadOff", Kind: Truth, To: 1, Doc: "every lead is off",
		read: func(m *Moment) sample { return truth(m.arriving(), m.Second.GetLeadOff()) }},
	{Name: "signal.age", Unit: "s", To: 1e7, Doc: "since the last sample came",
		read: func(m *Moment) sample { return exactly(m.Second.GetSinceSampleS()) }},
	{Name: "device.battery", Unit: "%", To: 100, per: 10, Doc: "charge of the patch",
		read: func(m *Moment) sample {
			return when(m.Second.BatteryPercent != nil, float64(m.Second.GetBatteryPercent()))
		}},
	{Name: "timeOfDay", Kind: TimeOfDay, To: math.Nextafter(86400, 0), Doc: "since midnight in the site's zone, by sample time: timeOfDay >= 22h || timeOfDay < 6h",
		read: sinceMidnight},
	{Name: limitName, From: math.Inf(-1), To: math.Inf(1), Doc: "the rule's own limit that is in force for the patient"},
	{Name: hysteresisName, To: math.Inf(1), Doc: "the hysteresis of that limit"},
}

// Vocabulary is all that a rule can read, in the order in which people are
// shown it. Beside it there is loinc("8867-4"): any vital by its code, in the
// unit in which it was sent, for an hour after it was measured.
func Vocabulary() []Quantity { return slices.Clone(vocabulary) }

func quantity(name string) *Quantity {
	for i := range vocabulary {
		if vocabulary[i].Name == name {
			return &vocabulary[i]
		}
	}
	return nil
}

func beats(name string, class topics.BeatClass, words string) Quantity {
	return Quantity{Name: name, Unit: "{beats}", To: 10, per: 1, counts: true, Doc: words + " beats in this second; over a time: beats." + name[len("beats."):] + ".count(1min)",
		read: func(m *Moment) sample {
			n := 0
			for _, rr := range m.Second.GetRr() {
				if rr.GetClass() == class {
					n++
				}
			}
			return when(m.live(), float64(n))
		}}
}

// rhythm holds while an episode is open, though leads may have fallen off: an
// episode that nobody saw end has not ended.
func rhythm(name, words string, of ...topics.Rhythm) Quantity {
	var mask uint32
	for _, r := range of {
		mask |= 1 << r
	}
	return Quantity{Name: name, Kind: Truth, To: 1, Doc: words + " goes on",
		read: func(m *Moment) sample {
			if m.Open&mask != 0 {
				return exactly(1)
			}
			return truth(m.live() && m.Unsure&mask == 0, false)
		}}
}

func newestRR(m *Moment) sample {
	list := m.Second.GetRr()
	if len(list) == 0 || !m.live() {
		return unknownSample
	}
	s := exactly(list[len(list)-1].GetMs())
	for _, rr := range list {
		s.lo, s.hi = min(s.lo, rr.GetMs()), max(s.hi, rr.GetMs())
	}
	return s
}

func sinceMidnight(m *Moment) sample {
	if m.NowUs <= 0 {
		return unknownSample
	}
	zone := m.Zone
	if zone == nil {
		zone = time.UTC
	}
	h, min, s := time.UnixMicro(m.NowUs).In(zone).Clock()
	return exactly(float64(h*3600 + min*60 + s))
}

// near is the name of the vocabulary that is nearest to one that is not in it;
// empty: none is near.
func near(name string) string {
	if s, ok := otherwise[strings.ToLower(name)]; ok {
		return s
	}
	return nearest(name, append(names(), fnKnown, fnAbs, fnLOINC))
}

// names are those of the quantities, and of their windows without the time.
func names() (list []string) {
	for i := range vocabulary {
		list = append(list, vocabulary[i].Name)
	}
	for i := range vocabulary {
		for _, stat := range vocabulary[i].Statistics() {
			list = append(list, vocabulary[i].Name+"."+stat)
		}
	}
	return list
}

// otherwise are words that people use for what has another name here.
var otherwise = map[string]string{
	"heartrate": "hr", "heart.rate": "hr", "rate": "hr", "bpm": "hr", "hr.avg": "hr.mean", "hr.average": "hr.mean", "hr.trend": "hr.slope", "pvc": "pvc.perMinute", "pvcs": "pvc.perMinute",
	"sao2": "spo2", "sat": "spo2", "resp": "respiration", "rr.resp": "respiration", "temp": "temperature", "nibp": "bp.systolic", "bp": "bp.systolic", "sys": "bp.systolic",
	"map": "bp.map", "etco2": "co2", "af": "rhythm.af", "vt": "rhythm.vt", "vf": "rhythm.vf", "svt": "rhythm.svt", "bigeminy": "rhythm.bigeminy", "quality": "signal.quality",
	"leadoff": "signal.leadOff", "battery": "device.battery", "time": "timeOfDay", "now": "timeOfDay", "has": "known", "threshold": "limit", "sdnn": "hrv.sdnn", "rmssd": "hrv.rmssd",
}

// nearest is the candidate with the fewest changed letters (Levenshtein 1966),
// at most a third of the name; the first of equals.
func nearest(name string, candidates []string) (best string) {
	least := len(name)/3 + 1
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least || d == least && best == "" {
			best, least = c, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
