package alarms

import (
	"bytes"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// ill are two patients of one partition: one with a HIGH alarm that nurse-1 has
// accepted and acknowledged, a MEDIUM one, and one that has ended; another with
// one of the same rule.
type ill struct {
	t     *testing.T
	s     [2]State
	ids   [2]map[string]string // by rule
	ended string
	n     int64
}

func newIll(t *testing.T) *ill {
	b := &ill{t: t, ids: [2]map[string]string{{}, {}}}
	b.limits(&topics.Limits{Version: 3, PauseS: 60, Limits: topics.DefaultLimits()})
	for i := range 40 {
		rate := 72.0
		if i >= 5 && i < 10 || i >= 30 {
			rate = 134
		}
		b.second(rate, i >= 34)
	}
	b.want(0, &topics.Answer{Id: "1", Action: topics.Action_ACTION_ACCEPT, Alarm: b.ids[0][topics.RuleAsystole], Person: "nurse-1"}, "")
	b.want(0, &topics.Answer{Id: "2", Action: topics.Action_ACTION_ACKNOWLEDGE, Alarm: b.ids[0][topics.RuleAsystole], Person: "nurse-1"}, "")
	return b
}

func (b *ill) put(p int, c *topics.Chart) (said []*topics.Alarm, err error) {
	b.n++
	r := topics.Record[*topics.Chart]{Key: topics.Key("p0" + string(rune('0'+p))), Offset: b.n, Value: c}
	err = processor{}.Process(&b.s[p], r, func(a *topics.Alarm) {
		said = append(said, a)
		if st := a.GetState(); p == 0 && st.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
			b.ended = st.GetId()
		} else if st != nil {
			b.ids[p][st.GetRule()] = st.GetId()
		}
	})
	return said, err
}

func (b *ill) limits(l *topics.Limits) {
	b.t.Helper()
	for p := range b.s {
		if _, err := b.put(p, &topics.Chart{Kind: &topics.Chart_Limits{Limits: proto.CloneOf(l)}}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *ill) second(rate float64, still bool) {
	us := 1_700_000_000_000_000 + b.n*1e6
	for p := range b.s {
		s := &topics.Second{Quality: 0.9, Lead: "II", SampleUs: us, Rate: &rate, RateFast: &rate, RateSlow: &rate, SinceBeatS: proto.Float64(0.4)}
		if still {
			s.SinceBeatS, s.Rate, s.RateFast, s.RateSlow = proto.Float64(4.5), nil, nil, nil
		}
		if _, err := b.put(p, &topics.Chart{TimeUs: us, Kind: &topics.Chart_Second{Second: s}}); err != nil {
			b.t.Fatal(err)
		}
		_ = processor{}.Advance(&b.s[p], &topics.Tick{N: uint64(b.n), ElapsedUs: 1e6}, func(a *topics.Alarm) {})
	}
}

// bytes are all that is kept of a patient but that something was answered.
func (b *ill) bytes(p int) []byte {
	outcomes := b.s[p].outcomes
	b.s[p].outcomes = nil
	out, err := b.s[p].AppendBinary(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.s[p].outcomes = outcomes
	return out
}

// want has an answer refused by a code, in words; an empty code is done.
func (b *ill) want(p int, a *topics.Answer, code string) {
	b.t.Helper()
	said, err := b.put(p, &topics.Chart{Kind: &topics.Chart_Answer{Answer: a}})
	b.outcome(said, err, code)
}

func (b *ill) outcome(said []*topics.Alarm, err error, code string) {
	b.t.Helper()
	if err != nil || len(said) == 0 {
		b.t.Fatalf("nothing is answered: %v", err)
	}
	o := said[len(said)-1].GetOutcome()
	if o.GetCode() != code || o.GetAccepted() != (code == "") || (o.GetProblem() == "") != (code == "") || code != "" && len(said) != 1 {
		b.t.Errorf("it said %v, want the code %q", said, code)
	}
}

// What people and programs ask for that cannot be is a clear refusal, and nothing is changed.
func TestBadAnswersChangeNothing(t *testing.T) {
	b := newIll(t)
	mine, other, ended := b.ids[0][topics.RuleAsystole], b.ids[1][topics.RuleAsystole], b.ended
	if mine == "" || other == "" || ended == "" || mine == other {
		t.Fatal("they are not as ill as they must be", b.ids, ended)
	}
	ack, pause := topics.Action_ACTION_ACKNOWLEDGE, topics.Action_ACTION_PAUSE
	for what, c := range map[string]struct {
		a    *topics.Answer
		code code
	}{
		"one that has ended":        {&topics.Answer{Action: ack, Alarm: ended, Person: "nurse-2"}, codeEnded},
		"another patient's":         {&topics.Answer{Action: ack, Alarm: other, Person: "nurse-2"}, codeUnknown},
		"twice":                     {&topics.Answer{Action: ack, Alarm: mine, Person: "nurse-1"}, codeAcknowledged},
		"by two people":             {&topics.Answer{Action: ack, Alarm: mine, Person: "nurse-2"}, codeAcknowledged},
		"accepted by two":           {&topics.Answer{Action: topics.Action_ACTION_ACCEPT, Alarm: mine, Person: "nurse-2"}, codeTaken},
		"a version of before":       {&topics.Answer{Action: pause, Alarm: mine, Person: "nurse-2", Version: 1}, codeStale},
		"a version to come":         {&topics.Answer{Action: pause, Alarm: mine, Person: "nurse-2", Version: 99}, codeStale},
		"a pause of NaN":            {&topics.Answer{Action: pause, Person: "nurse-2", DurationS: math.NaN()}, codeDuration},
		"a pause of one of NaN":     {&topics.Answer{Action: pause, Alarm: mine, Person: "nurse-2", DurationS: math.NaN()}, codeDuration},
		"a pause without end":       {&topics.Answer{Action: pause, Person: "nurse-2", DurationS: math.Inf(1)}, codeDuration},
		"a pause of less than none": {&topics.Answer{Action: pause, Person: "nurse-2", DurationS: -60}, codeDuration},
		"a pause too long":          {&topics.Answer{Action: pause, Person: "nurse-2", DurationS: 601}, codeTooLong},
		"a clock of 1970":           {&topics.Answer{Action: ack, Alarm: mine, Person: "nurse-2", TimeUs: 1}, codeAcknowledged},
		"a clock of the far future": {&topics.Answer{Action: ack, Alarm: mine, Person: "nurse-2", TimeUs: math.MaxInt64}, codeAcknowledged},
	} {
		before := b.bytes(0)
		c.a.Id = what
		b.want(0, c.a, string(c.code))
		if !bytes.Equal(before, b.bytes(0)) {
			t.Errorf("%s: it changed what is kept", what)
		}
	}
	for what, c := range map[string]struct {
		standby *topics.Standby
		code    code
	}{
		"of NaN":            {&topics.Standby{On: true, Person: "nurse-2", Reason: "bath", DurationS: math.NaN()}, codeDuration},
		"without end":       {&topics.Standby{On: true, Person: "nurse-2", Reason: "bath", DurationS: math.Inf(1)}, codeDuration},
		"of less than none": {&topics.Standby{On: true, Person: "nurse-2", Reason: "bath", DurationS: -60}, codeDuration},
		"of no time":        {&topics.Standby{On: true, Person: "nurse-2", Reason: "bath"}, codeDuration},
		"that is not on":    {&topics.Standby{Person: "nurse-2"}, codeNotStandby},
	} {
		before := b.bytes(0)
		c.standby.Id = what
		said, err := b.put(0, &topics.Chart{Kind: &topics.Chart_Standby{Standby: c.standby}})
		b.outcome(said, err, string(c.code))
		if !bytes.Equal(before, b.bytes(0)) {
			t.Errorf("standby %s: it changed what is kept", what)
		}
	}
}

// A set of limits that cannot be is condemned whole, and one of an older version
// passed over: the set before stays in force.
func TestBadSetsChangeNothing(t *testing.T) {
	set := func(change func(*topics.Limits, map[string]*topics.Limit)) *topics.Limits {
		l := &topics.Limits{Version: 4, Limits: topics.DefaultLimits()}
		by := map[string]*topics.Limit{}
		for _, x := range l.Limits {
			by[x.Rule] = x
		}
		by[topics.RulePause].Value = 4 // what must not come in force
		change(l, by)
		return l
	}
	nan := math.NaN()
	for what, c := range map[string]struct {
		set *topics.Limits
		ok  bool // passed over without a word
	}{
		"inverted":             {set(func(_ *topics.Limits, by map[string]*topics.Limit) { by[topics.RuleHRLow].Value = 130 }), false},
		"NaN":                  {set(func(_ *topics.Limits, by map[string]*topics.Limit) { by[topics.RuleHRHigh].Value = nan }), false},
		"a duration of NaN":    {set(func(_ *topics.Limits, by map[string]*topics.Limit) { by[topics.RuleHRHigh].DurationS = nan }), false},
		"a negative duration":  {set(func(_ *topics.Limits, by map[string]*topics.Limit) { by[topics.RuleHRHigh].DurationS = -3 }), false},
		"a quality of NaN":     {set(func(_ *topics.Limits, by map[string]*topics.Limit) { by[topics.RuleHRHigh].Quality = &nan }), false},
		"a pause of NaN":       {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.PauseS = nan }), false},
		"a negative pause":     {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.PauseS = -60 }), false},
		"a pause of at most ∞": {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.PauseMaxS = math.Inf(1) }), false},
		"a wait of NaN":        {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.AnswerWaitS = nan }), false},
		"a negative wait":      {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.AnswerWaitS = -60 }), false},
		"a wait too short":     {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.AnswerWaitS = 14 }), false},
		"a wait too long":      {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.AnswerWaitS = 301 }), false},
		"an older version":     {set(func(l *topics.Limits, _ map[string]*topics.Limit) { l.Version = 2 }), true},
	} {
		b := newIll(t)
		before := b.bytes(0)
		said, err := b.put(0, &topics.Chart{Kind: &topics.Chart_Limits{Limits: c.set}})
		if (err == nil) != c.ok || len(said) > 0 {
			t.Errorf("%s: it said %v, %v", what, said, err)
		}
		if !bytes.Equal(before, b.bytes(0)) {
			t.Errorf("%s: it changed what is kept", what)
		}
	}
}
