package alarms_test

import (
	"fmt"
	"strings"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

// What people do, with what is refused and why.
func TestLives(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"acknowledged, it sounds again while it goes on", "5 hr 72; 5 flat; ! acknowledge asystole by nurse-1; 130 flat; ! acknowledge asystole by nurse-2; 20 hr 60; ! reset asystole by nurse-2", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"10 HIGH ASYSTOLE 5.3 > 4 s (acknowledged by nurse-1)",
			"16 HIGH ASYSTOLE 11.3 > 4 s (v3)",
			"22 HIGH ASYSTOLE 17.3 > 4 s (v4)",
			"31 HIGH ASYSTOLE 26.3 > 4 s (v5)",
			"45 HIGH ASYSTOLE 40.3 > 4 s (v6)",
			"66 HIGH ASYSTOLE 61.3 > 4 s (v7)",
			"68 HIGH ASYSTOLE 63.3 > 4 s (timed-out)", // she has heard it, and has not said that she goes
			"97 HIGH ASYSTOLE 92.3 > 4 s (v9)",
			"130 HIGH ASYSTOLE 125.3 > 4 s (sounding)",
			"140 HIGH ASYSTOLE 135.3 > 4 s (acknowledged by nurse-2)",
			"151 HIGH ASYSTOLE 135.3 > 4 s (latched)",
			"160 HIGH ASYSTOLE 135.3 > 4 s (ended: reset by nurse-2)",
		}},
		{"a MEDIUM one after five minutes", "5 hr 134; ! acknowledge hr.high by nurse-1; 310 hr 134; 20 hr 72", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 MEDIUM HR 134 > 120 (acknowledged by nurse-1)",
			"305 MEDIUM HR 134 > 120 (sounding)",
			"326 MEDIUM HR 134 > 120 (ended: over)",
		}},
		{"what has latched does not sound again", "5 hr 72; 6 flat; ! acknowledge asystole by nurse-1; 200 hr 60", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"11 HIGH ASYSTOLE 6.3 > 4 s (acknowledged by nurse-1)",
			"22 HIGH ASYSTOLE 6.3 > 4 s (latched)",
			"68 HIGH ASYSTOLE 6.3 > 4 s (timed-out)",
		}},
		{"the next episode speaks for one that has latched", "5 hr 72; 6 flat; 20 hr 60; 6 flat; ! reset asystole by nurse-1; ! accept asystole by nurse-1; 11 hr 60; ! reset asystole by nurse-1", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"22 HIGH ASYSTOLE 6.3 > 4 s (latched)",
			"35 HIGH ASYSTOLE 6.3 > 4 s (ended: again)",
			"35 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"37 refused: not-latched by nurse-1",
			"37 HIGH ASYSTOLE 6.3 > 4 s (accepted by nurse-1)",
			"48 HIGH ASYSTOLE 6.3 > 4 s (latched)",
			"48 HIGH ASYSTOLE 6.3 > 4 s (ended: reset by nurse-1)",
		}},
		{"another rule's episode leaves one that has latched", "5 hr 72; 6 flat; 12 hr 60; 5 hr 200; 12 hr 60", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"22 HIGH ASYSTOLE 6.3 > 4 s (latched)",
			"24 HIGH HR 200 > 140 (raised)",
			"39 HIGH HR 200 > 140 (latched)",
		}},
		{"two who accept", "5 hr 134; ! accept hr.high by nurse-1; ! accept hr.high by nurse-2; ! accept hr.high by nurse-1; ! reject hr.high by nurse-2; ! reject hr.high by nurse-1; ! accept hr.high by nurse-2", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 MEDIUM HR 134 > 120 (accepted by nurse-1)",
			"5 refused: taken by nurse-2",
			"5 refused: accepted by nurse-1",
			"5 refused: taken by nurse-2",
			"5 MEDIUM HR 134 > 120 (rejected by nurse-1)",
			"5 MEDIUM HR 134 > 120 (accepted by nurse-2)",
		}},
		{"nobody answers, then somebody rejects, then nobody", "5 hr 72; 8 flat; ! reject asystole by doctor-1; ! reject asystole by doctor-1; 70 noise; ! reject asystole by doctor-2; ! accept asystole by doctor-3; 70 noise", []string{
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"13 HIGH ASYSTOLE 8.3 > 4 s (rejected by doctor-1)",
			"13 refused: rejected by doctor-1",
			"44 MEDIUM SIGNAL POOR (raised)",
			"73 HIGH ASYSTOLE 8.3 > 4 s (timed-out)",
			"83 HIGH ASYSTOLE 8.3 > 4 s (rejected by doctor-2)",
			"83 HIGH ASYSTOLE 8.3 > 4 s (accepted by doctor-3)",
		}},
		{"one alarm is paused, and sounds again", "5 hr 134; ! pause hr.high by nurse-1 for 30; 31 hr 134; ! pause hr.high by nurse-1; 10 hr 134; ! resume hr.high by nurse-2; ! resume hr.high by nurse-2; ! pause hr.high by nurse-1 for 601", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"35 MEDIUM HR 134 > 120 (sounding)",
			"36 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"46 MEDIUM HR 134 > 120 (resumed by nurse-2)",
			"46 refused: not-paused by nurse-2",
			"46 refused: too-long by nurse-1",
		}},
		{"all are paused, for as long as usual", "5 hr 134; ! pause patient by nurse-1; 2 hr 134 battery 9; 125 hr 134", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 pause of 2m0s by nurse-1",
			"5 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"6 LOW BATTERY 9 < 15 % (raised)",
			"125 pause ended: over",
			"125 MEDIUM HR 134 > 120 (sounding)",
			"125 LOW BATTERY 9 < 15 % (sounding)",
		}},
		{"a pause of one within a pause of all", "5 hr 134; ! pause hr.high by nurse-1 for 20; ! pause patient by nurse-2 for 60; 62 hr 134", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"5 pause of 1m0s by nurse-2",
			"25 MEDIUM HR 134 > 120 (paused)",
			"65 pause ended: over",
			"65 MEDIUM HR 134 > 120 (sounding)",
		}},
		{"a new HIGH breaks the pause", "5 hr 134; ! pause patient by nurse-1 for 60; 6 flat; ! pause patient by nurse-1 for 60; 10 flat; ! resume patient by nurse-2; ! resume patient by nurse-2", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 pause of 1m0s by nurse-1",
			"5 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"9 HIGH ASYSTOLE 4.3 > 4 s (raised)",
			"9 pause ended: broken",
			"9 MEDIUM HR 134 > 120 (sounding)",
			"9 MEDIUM HR 134 > 120 (ended: inhibited)",
			"11 pause of 1m0s by nurse-1",
			"11 HIGH ASYSTOLE 6.3 > 4 s (paused by nurse-1)",
			"17 HIGH ASYSTOLE 12.3 > 4 s (v3)",
			"21 pause ended: resumed by nurse-2",
			"21 HIGH ASYSTOLE 16.3 > 4 s (resumed by nurse-2)",
			"21 refused: not-paused by nurse-2",
		}},
		{"standby, and its return", "5 hr 134; ! standby bath by nurse-1 for 60; 4 flat; 70 hr 134", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 standby of 1m0s by nurse-1",
			"5 MEDIUM HR 134 > 120 (ended: standby by nurse-1)",
			"65 standby ended: over",
			"69 MEDIUM HR 134 > 120 (raised)",
		}},
		{"standby is said each hour, and ends by a word", "! standby off by nurse-1; ! standby bath by nurse-1 for 14401; ! standby bath by nurse-1; 1 hr 72; ! standby bath by nurse-1 for 14400; ! pause patient by nurse-1; 7300 hr 134; ! standby off by nurse-2; 4 hr 134", []string{
			"0 refused: not-on-standby by nurse-1",
			"0 refused: too-long by nurse-1",
			"0 refused: bad-duration by nurse-1",
			"1 standby of 4h0m0s by nurse-1",
			"1 refused: standby by nurse-1",
			"3601 standby again by nurse-1",
			"7201 standby again by nurse-1",
			"7301 standby ended: resumed by nurse-2",
			"7305 MEDIUM HR 134 > 120 (raised)",
		}},
		{"who does it must be named, and what", "5 hr 134; ! acknowledge hr.high; ! acknowledge patient by nurse-1; ! dance hr.high by nurse-1; ! acknowledge hr.high by nurse-1 alarm 00112233445566778899aabbccddeeff; ! accept hr.high by nurse-1 alarm nonsense; ! reset hr.high by nurse-1; ! acknowledge hr.high by nurse-1; ! acknowledge hr.high by nurse-2; ! pause patient by nurse-1 for -3; 15 hr 72; ! acknowledge hr.high by nurse-1", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 refused: no-person",
			"5 refused: no-alarm by nurse-1",
			"5 refused: unknown-action by nurse-1",
			"5 refused: unknown-alarm by nurse-1",
			"5 refused: unknown-alarm by nurse-1",
			"5 refused: not-latched by nurse-1",
			"5 MEDIUM HR 134 > 120 (acknowledged by nurse-1)",
			"5 refused: acknowledged by nurse-2",
			"5 refused: bad-duration by nurse-1",
			"16 MEDIUM HR 134 > 120 (ended: over)",
			"20 refused: ended by nurse-1",
		}},
		// A value that was said again is no other alarm; one that has latched is.
		{"the version that was seen", "10 hr 72; + vt 9 - 5 180; 1 hr 180; + vt 9 - 12 180; 6 hr 180; ! acknowledge vt by nurse-1 as 1; ! accept vt by nurse-2 as 1; ! pause vt by nurse-2 as 1; ! pause vt by nurse-2 as 9; ! pause vt by nurse-2 as 3; + vt 9 18 20 180; 12 hr 72; ! reject vt by nurse-2 as 4; ! reset vt by nurse-2 as 5; ! reset vt by nurse-2 as 6", []string{
			"10 HIGH VT 5 beats, 180 /min (raised)",
			"16 HIGH VT 12 beats, 180 /min (v2)",
			"17 HIGH VT 12 beats, 180 /min (acknowledged by nurse-1)",
			"17 HIGH VT 12 beats, 180 /min (accepted by nurse-2)",
			"17 refused: stale-version by nurse-2",
			"17 refused: stale-version by nurse-2",
			"17 HIGH VT 12 beats, 180 /min (paused by nurse-2)",
			"28 HIGH VT 20 beats, 180 /min (latched)",
			"29 refused: stale-version by nurse-2",
			"29 refused: stale-version by nurse-2",
			"29 HIGH VT 20 beats, 180 /min (ended: reset by nurse-2)",
		}},
		{"a repeat has no second effect", "5 hr 134; ! pause hr.high by nurse-1 for 30 id A; 10 hr 134; ! pause hr.high by nurse-1 for 30 id A; 21 hr 134; ! resume hr.high by nurse-1 id B; 1 hr 134; ! resume hr.high by nurse-1 id B", []string{
			"4 MEDIUM HR 134 > 120 (raised)",
			"5 MEDIUM HR 134 > 120 (paused by nurse-1)",
			"35 MEDIUM HR 134 > 120 (sounding)",
			"36 refused: not-paused by nurse-1",
			"37 refused: not-paused by nurse-1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newBed(t, "p01").play(c.script).want(c.want...)
		})
	}
}

// What is refused changes nothing but that it was answered.
func TestARefusalChangesNothing(t *testing.T) {
	b := newBed(t, "p01").play("5 hr 134; ! accept hr.high by nurse-1; ! acknowledge hr.high by nurse-1")
	before := b.newest(topics.RuleHRHigh)
	b.play("! accept hr.high by nurse-2; ! reject hr.high by nurse-2; ! acknowledge hr.high by nurse-2; ! reset hr.high by nurse-2; ! resume hr.high by nurse-2; ! pause hr.high by nurse-2 for 1e4")
	for _, a := range b.said[len(b.said)-6:] {
		o := a.GetOutcome()
		if o == nil || o.GetAccepted() || o.GetCode() == "" || o.GetProblem() == "" || o.GetVersion() != before.GetVersion() || o.GetAlarm() != before.GetId() {
			t.Errorf("the outcome is %v", a)
		}
	}
	b.play("3500 hr 134").play("200 hr 134")
	for _, a := range b.said {
		if st := a.GetState(); st.GetRestated() && (st.GetResponsible() != "nurse-1" || st.GetResponsibility() != topics.Responsibility_RESPONSIBILITY_ACCEPTED) {
			t.Errorf("said again as %v", st)
		}
	}
}

// Each answer has one outcome, and its repeat the same.
func TestEachAnswerHasItsOutcome(t *testing.T) {
	b := newBed(t, "p01").play("5 hr 134; ! accept hr.high by nurse-1 id X; 2 hr 134; ! accept hr.high by nurse-1 id X")
	var outcomes []*topics.AnswerOutcome
	for _, a := range b.said {
		if o := a.GetOutcome(); o != nil {
			outcomes = append(outcomes, o)
		}
	}
	if len(outcomes) != 2 || outcomes[0].String() != outcomes[1].String() || !outcomes[0].GetAccepted() || outcomes[0].GetVersion() != 2 {
		t.Errorf("the outcomes are %v", outcomes)
	}
	var s alarms.State
	for _, c := range []*topics.Chart{
		{Kind: &topics.Chart_Answer{Answer: &topics.Answer{Person: "nurse-1"}}}, {Kind: &topics.Chart_Standby{Standby: &topics.Standby{Person: "nurse-1"}}},
		{Kind: &topics.Chart_Answer{Answer: &topics.Answer{Id: "A", Person: strings.Repeat("nurse", 100)}}},
		{Kind: &topics.Chart_Standby{Standby: &topics.Standby{Id: "A", On: true, DurationS: 60, Person: "nurse-1", Reason: strings.Repeat("bath", 100)}}},
	} {
		err := alarms.Stage().Processor.Process(&s, topics.Record[*topics.Chart]{Key: "p01", Value: c}, func(*topics.Alarm) { t.Error("it is said") })
		if err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%v", err)
		}
	}
}

// The record of an alarm alone tells who silenced it, for how long, and by what it was judged.
func TestARecordExplainsItself(t *testing.T) {
	latching := true
	b := newBed(t, "p01").limits(7, &topics.Limit{
		Rule: topics.RuleHRHigh, Value: 110, DurationS: 5, Hysteresis: 4, Unit: "/min", Layer: topics.LayerPatient, Author: "doctor-1", Reason: "post-op",
		SetUs: 77, ExpiresUs: 99, Latching: &latching, Priority: topics.Priority_PRIORITY_HIGH,
	})
	b.last.Device, b.last.Boot, b.last.Quality = "patch-7", 3, 0.8
	b.samples = 250
	b.play("10 hr 72; 7 hr 118; ! pause hr.high by nurse-1 for 90 reason visit")
	st := b.newest(topics.RuleHRHigh)
	l := st.GetLimitInForce()
	if l.GetLayer() != "patient" || l.GetAuthor() != "doctor-1" || l.GetReason() != "post-op" || l.GetSetUs() != 77 || l.GetExpiresUs() != 99 ||
		l.GetValue() != 110 || l.GetDurationS() != 5 || l.GetHysteresis() != 4 || l.GetPriority() != topics.Priority_PRIORITY_HIGH || !l.GetLatching() {
		t.Errorf("the limit in force is %v", l)
	}
	if st.GetSignal() != topics.AlarmSignal_ALARM_SIGNAL_PAUSED || st.GetSignalBy() != "nurse-1" || st.GetSignalUntilUs() != began+(17+90)*1e6 || !st.GetLatching() {
		t.Errorf("the pause is %v", st)
	}
	ch := st.GetChange()
	if ch.GetWhat() != "paused" || ch.GetPerson() != "nurse-1" || ch.GetChannel() != "page" || ch.GetReason() != "visit" || ch.GetAnswer() != "answer-1" {
		t.Errorf("the change is %v", ch)
	}
	if st.GetPriority() != topics.Priority_PRIORITY_HIGH || st.GetRuleVersion() != 2 || st.GetLimitsVersion() != 7 || st.GetValue() != 118 || st.GetQuality() != 0.9 {
		t.Errorf("the alarm is %v", st)
	}
	if st.GetDevice() != "patch-7" || st.GetBoot() != 3 || st.GetOnsetUs() != began+11e6 || st.GetOnsetSample() != 11*250 || st.GetRaisedUs() != began+16e6 {
		t.Errorf("it began at %v", st)
	}
}

func TestLimitsOfARule(t *testing.T) {
	yes, half := true, 0.5
	for _, c := range []struct {
		name   string
		limit  *topics.Limit
		script string
		want   []string
	}{
		{"a priority that changes, and sounds again", &topics.Limit{Rule: topics.RuleAF, Priority: topics.Priority_PRIORITY_MEDIUM}, "5 hr 84; + af 2 - 40 84; 3 hr 84; 80 hr 84; 1 hr 134", []string{
			"5 MEDIUM AF 84 /min (raised)",
		}},
		{"PVC at 6, for 5 s", &topics.Limit{Rule: topics.RulePVC, Value: 6, DurationS: 5, Hysteresis: 1}, "3 hr 72 v 5; 4 hr 72 v 7; 2 hr 72 v 6; 8 hr 72 v 7", []string{"15 LOW PVC 7 > 6 /min (raised)"}},
		{"a rule that is off", &topics.Limit{Rule: topics.RuleAF, Off: true}, "5 hr 84; + af 2 - 40 84; 30 hr 84", nil},
		{"a rule that latches", &topics.Limit{Rule: topics.RulePause, Value: 3, Latching: &yes}, "5 hr 72; 1 hr 60 rr 3200; 15 hr 60", []string{
			"6 MEDIUM PAUSE 3.2 > 3 s (raised)", "17 MEDIUM PAUSE 3.2 > 3 s (latched)",
		}},
		{"a gate that the signal does not pass", &topics.Limit{Rule: topics.RuleHRLow, Value: 50, DurationS: 3, Quality: &half}, "5 hr 72; 10 hr 46 q 0.4; 2 hr 46 q 0.9; 3 hr 46 q 0.4; 4 hr 46 q 0.9; 20 hr 72 q 0.4", []string{
			"24 MEDIUM HR 46 < 50 (raised)",
		}},
		{"an extreme of its own", &topics.Limit{Rule: topics.RuleHRExtremeHigh, Value: 170, Hysteresis: 2}, "5 hr 72; 8 hr 160; 1 hr 175", []string{
			"9 MEDIUM HR 160 > 120 (raised)", "14 HIGH HR 175 > 170 (raised)", "14 MEDIUM HR 160 > 120 (ended: inhibited)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) { newBed(t, "p01").limits(1, c.limit).play(c.script).want(c.want...) })
	}
}

func TestAPriorityThatChangesIsSaid(t *testing.T) {
	at := func(p topics.Priority) *topics.Limit {
		return &topics.Limit{Rule: topics.RuleHRHigh, Value: 120, DurationS: 3, Hysteresis: 2, Priority: p}
	}
	b := newBed(t, "p01").play("5 hr 134; ! acknowledge hr.high by nurse-1; 2 hr 134")
	b.limits(1, at(topics.Priority_PRIORITY_HIGH)).play("70 hr 134; ! pause patient by nurse-1; 1 hr 134")
	b.limits(2, at(topics.Priority_PRIORITY_LOW)).play("2 hr 134; ! acknowledge hr.high by nurse-1; 1000 hr 134")
	b.want(
		"4 MEDIUM HR 134 > 120 (raised)",
		"5 MEDIUM HR 134 > 120 (acknowledged by nurse-1)",
		"8 HIGH HR 134 > 120 (priority)", // and sounds
		"67 HIGH HR 134 > 120 (timed-out)",
		"77 pause of 2m0s by nurse-1",
		"77 HIGH HR 134 > 120 (paused by nurse-1)",
		"79 LOW HR 134 > 120 (priority)",
		"80 LOW HR 134 > 120 (acknowledged by nurse-1)",
		"197 pause ended: over",
	)
}

func TestSuppressedCandidatesAreSaidAndCounted(t *testing.T) {
	gate := 0.5
	b := newBed(t, "p01").limits(1, &topics.Limit{Rule: topics.RuleAF, Off: true}, &topics.Limit{Rule: topics.RuleHRLow, Value: 50, DurationS: 3, Quality: &gate})
	b.every = true
	b.play("10 hr 72; 2 hr 134; 10 hr 72; 2 hr 134; 10 hr 72; 1 hr 140; 10 hr 72") // three are short
	b.play("10 hr 46 q 0.3; 5 hr 72 q 0.9; + af 40 - 40 84; 30 hr 84; + af 40 90 80 84; 20 hr 72")
	b.play("2 hr 134; 3 noise; ! standby bath by nurse-1 for 30; 20 hr 200; 20 hr 72; 3 flat; 6 flat; 3 hr 46 q 0.9; 600 hr 72")
	b.want(
		"13 suppressed 1 hr.high (short)",
		"56 suppressed 1 hr.low (quality)",
		"91 suppressed 1 af (off)",
		"113 suppressed 1 hr.high (quality)",
		"115 standby of 30s by nurse-1",
		"136 suppressed 1 hr.extreme-high (standby)",
		"136 suppressed 1 hr.high (standby)",
		"145 standby ended: over",
		"159 HIGH ASYSTOLE 4.3 > 4 s (raised)",
		"164 HIGH ASYSTOLE 9.3 > 4 s (v2)",
		"168 suppressed 1 hr.low (inhibited by asystole)",
		"175 HIGH ASYSTOLE 9.3 > 4 s (latched)",
		"218 HIGH ASYSTOLE 9.3 > 4 s (timed-out)",
		"612 suppressed 2 hr.high (short)",
	)
	for _, a := range b.said {
		if p := a.GetSuppressed(); p.GetCount() == 2 && (p.GetWorst() != 140 || p.GetLimit() != 120 || p.GetOnsetUs() != began+23e6 || p.GetEndedUs() != began+36e6 || p.GetUnit() != "/min") {
			t.Errorf("counted as %v", p)
		}
	}
}

// One that goes on is said each hour, and when the key is left.
func TestACandidateThatGoesOnIsSaid(t *testing.T) {
	b := newBed(t, "p01").limits(1, &topics.Limit{Rule: topics.RuleAsystole, Value: 4, Off: true})
	b.every = true
	b.play("10 hr 72; 3610 flat").leave()
	b.want(
		"17 MEDIUM HR 0 < 50 (raised)",
		"3613 suppressed 1 asystole (off)",
		"3616 MEDIUM HR 0 < 50 (again)",
		"3620 MEDIUM HR 0 < 50 (ended: moved)",
		"3620 suppressed 1 asystole (off)",
	)
}

func TestInhibitedCandidatesAreSaid(t *testing.T) {
	b := newBed(t, "p01")
	b.every = true
	b.play("10 hr 72; + vt 9 - 5 180; 6 hr 180; + vt 9 16 20 180; 15 hr 72")
	b.want(
		"10 HIGH VT 5 beats, 180 /min (raised)",
		"16 HIGH VT 20 beats, 180 /min (v2)",
		"17 suppressed 1 hr.extreme-high (inhibited by vt)",
		"17 suppressed 1 hr.high (inhibited by vt)",
		"27 HIGH VT 20 beats, 180 /min (latched)",
	)
}

// A night that flickers writes dozens of records, and none is lost.
func TestANightOfFlickerIsCounted(t *testing.T) {
	b := newBed(t, "p01")
	const night = 8 * 3600
	for range night / 8 {
		b.play("2 hr 134; 6 hr 110")
	}
	b.play("700 hr 72")
	records, candidates := 0, uint32(0)
	for _, a := range b.said {
		if p := a.GetSuppressed(); p != nil {
			records++
			candidates += p.GetCount()
		}
	}
	if candidates != night/8 || records > 50 {
		t.Errorf("%d records stand for %d candidates of %d", records, candidates, night/8)
	}
}

// Many kinds of candidates at once are bounded too, and all are counted.
func TestEvictedTalliesAreCounted(t *testing.T) {
	b := newBed(t, "p01")
	var off []*topics.Limit
	for _, r := range topics.BuiltIns() {
		if r.Off != topics.OffNever && !r.Technical {
			l := r.Limit()
			l.Off = true
			off = append(off, l)
		}
	}
	off[7].Value, off[7].DurationS = 120, 3
	b.limits(1, off...)
	say := ""
	for k, name := range []string{"vf", "vt", "v-run", "svt", "af", "idioventricular", "bigeminy", "trigeminy", "couplet", "r-on-t", "dropped-beat", "no-capture"} {
		say += fmt.Sprintf("+ %s %d %d 4 100; ", name, k, k+1)
	}
	say += "1 hr 200 rr 4000 v 50; 3 hr 30; 2 hr 72 v 0; 5 flat; 2 hr 72; "
	b.play(say + say + say + "700 hr 72").leave()
	counted := map[string]uint32{}
	for _, a := range b.said {
		if p := a.GetSuppressed(); p != nil && p.GetWhy() == "off" {
			counted[p.GetRule()] += p.GetCount()
		}
	}
	for _, l := range off { // rhythms explain class V beats, and AF comes with no rate here
		if l.Rule != topics.RuleAFFast && l.Rule != topics.RulePVC && counted[l.Rule] < 3 {
			t.Errorf("%s was suppressed %d times, want 3", l.Rule, counted[l.Rule])
		}
	}
}
