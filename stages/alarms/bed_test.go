package alarms_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/fold"
	"heartwire/stages/alarms"
	"heartwire/topics"
)

const began = int64(1_700_000_000_000_000) // µs

// bed plays a script of seconds to the stage and writes down what it says, a
// line a record: the second, the priority, the text.
type bed struct {
	t       *testing.T
	fold    *fold.Partition[alarms.State, *alarms.State, *topics.Chart, *topics.Alarm]
	key     string
	log     []topics.Record[*topics.Chart]
	second  int
	ticks   uint64
	last    *topics.Second
	story   []string
	said    []*topics.Alarm
	sinceS  float64
	silentS float64
	skipped int64            // offsets that were forgotten
	written func() time.Time // labels of the records; nil: none
	rr      []float64        // ms, of the next second
	asked   int              // answers
	every   bool             // candidates that were suppressed are in the story
	samples float64          // a second; 0: none are counted
}

func newBed(t *testing.T, key string) *bed {
	return &bed{t: t, key: key, last: &topics.Second{}, fold: fold.New[alarms.State, *alarms.State](alarms.Stage(), topics.Charts, 0, 0)}
}

func (b *bed) put(c *topics.Chart) {
	b.t.Helper()
	r := topics.Record[*topics.Chart]{Key: topics.Key(c.GetPatient()), Offset: int64(len(b.log)) + b.skipped, Value: c}
	if b.written != nil {
		r.Time = b.written()
	}
	b.log = append(b.log, r)
	if err := b.fold.Fold(r); err != nil {
		b.t.Fatal(err)
	}
	said, bad := b.fold.Take()
	for _, x := range bad {
		b.t.Fatalf("condemned %v: %v", x.Record.Value, x.Err)
	}
	for _, x := range said {
		b.said = append(b.said, x.Value)
		if line := b.line(x.Value); line != "" {
			b.story = append(b.story, line)
		}
	}
	b.fold.Commit()
}

// line is a record as a story tells it.
func (b *bed) line(x *topics.Alarm) string {
	person := func(p string) string {
		if p == "" {
			return ""
		}
		return " by " + p
	}
	switch k := x.GetKind().(type) {
	case *topics.Alarm_State:
		return fmt.Sprintf("%d %s", b.second, b.state(k.State)+person(k.State.GetChange().GetPerson())+")")
	case *topics.Alarm_Outcome:
		if k.Outcome.GetAccepted() {
			return ""
		}
		return fmt.Sprintf("%d refused: %s%s", b.second, k.Outcome.GetCode(), person(k.Outcome.GetPerson()))
	case *topics.Alarm_Silence:
		what := "pause"
		if k.Silence.GetStandby() {
			what = "standby"
		}
		switch {
		case k.Silence.GetRestated():
			what += " again"
		case k.Silence.GetOn():
			what += fmt.Sprintf(" of %v", time.Duration(k.Silence.GetUntilUs()-x.GetTimeUs())*time.Microsecond)
		default:
			what += " ended: " + k.Silence.GetEnded()
		}
		return fmt.Sprintf("%d %s%s", b.second, what, person(k.Silence.GetPerson()))
	case *topics.Alarm_Suppressed:
		if !b.every {
			return ""
		}
		p := k.Suppressed
		by := ""
		if p.GetBy() != "" {
			by = " by " + p.GetBy()
		}
		return fmt.Sprintf("%d suppressed %d %s (%s%s)", b.second, p.GetCount(), p.GetRule(), p.GetWhy(), by)
	}
	b.t.Fatalf("no story tells %v", x)
	return ""
}

func (b *bed) state(a *topics.AlarmState) string {
	how := a.GetChange().GetWhat()
	switch {
	case a.Restated:
		how = "again"
	case a.Condition == topics.AlarmCondition_ALARM_CONDITION_ENDED:
		how = "ended: " + a.EndReason
	case how == "value" || how == "limit":
		how = fmt.Sprintf("v%d", a.Version)
	}
	return fmt.Sprintf("%s %s (%s", strings.TrimPrefix(a.Priority.String(), "PRIORITY_"), a.Text, how)
}

// tick is the end of a second.
func (b *bed) tick() {
	b.t.Helper()
	b.ticks++
	b.put(topics.Charts.Wrap(&topics.Tick{N: b.ticks, Owner: 1, ElapsedUs: 1e6}))
}

// play reads a script: "10 hr 72" is ten seconds of a heart at 72 /min. Words
// set fields until they are set again; hr - is an unknown rate, beat a silence
// that begins here, gone one of samples.
//
// What a person does is said before the second that follows: ! action, a rule or
// patient, by whom; for seconds, as version, id, alarm, reason. ! standby bath by
// whom for seconds, ! standby off by whom.
//
// An episode is said before the second that follows: + what, its onset in
// seconds of the script, its end or - while it goes on, beats, rate, and cut.
//
//	12 hr 134; 5 flat; 30 gone; + vt 40 - 5 180; 3 hr 180; + vt 40 46 18 180
func (b *bed) play(script string) *bed {
	b.t.Helper()
	for _, part := range strings.Split(script, ";") {
		words := strings.Fields(part)
		if words[0] == "+" {
			b.episode(words[1:])
			continue
		}
		if words[0] == "!" {
			b.act(words[1:])
			continue
		}
		n, err := strconv.Atoi(words[0])
		if err != nil {
			b.t.Fatalf("%q: %v", part, err)
		}
		sec := b.set(words[1:])
		for range n {
			b.say(sec)
			sec.Rebooted = false
		}
	}
	return b
}

func (b *bed) episode(words []string) {
	b.t.Helper()
	var v [4]float64
	for i, w := range words[1:5] {
		if w == "-" {
			continue
		}
		var err error
		if v[i], err = strconv.ParseFloat(w, 64); err != nil {
			b.t.Fatal(err)
		}
	}
	us := func(s float64) int64 { return began + int64(s*1e6) }
	e := &topics.Episode{
		Rhythm:  topics.Rhythm(topics.Rhythm_value["RHYTHM_"+strings.ToUpper(strings.ReplaceAll(words[0], "-", "_"))]),
		OnsetUs: us(v[0]), Beats: uint32(v[2]), Rate: v[3], Cut: len(words) > 5,
	}
	if words[2] != "-" {
		e.End, e.EndUs = proto.Uint64(1), us(v[1])
	}
	b.put(&topics.Chart{Patient: b.key, TimeUs: us(float64(b.second)), Kind: &topics.Chart_Episode{Episode: e}})
}

// act is what a person does.
func (b *bed) act(words []string) {
	b.t.Helper()
	more := map[string]string{}
	for i := 2; i+1 < len(words); i += 2 {
		more[words[i]] = words[i+1]
	}
	b.asked++
	a := &topics.Answer{
		Id: fmt.Sprintf("answer-%d", b.asked), Action: topics.Action(topics.Action_value["ACTION_"+strings.ToUpper(words[0])]),
		Person: more["by"], Reason: more["reason"], Channel: "page",
	}
	if more["id"] != "" {
		a.Id = more["id"]
	}
	if f, err := strconv.ParseFloat(more["for"], 64); err == nil {
		a.DurationS = f
	}
	if v, err := strconv.ParseUint(more["as"], 10, 32); err == nil {
		a.Version = uint32(v)
	}
	if words[0] == "standby" {
		b.put(&topics.Chart{Patient: b.key, Kind: &topics.Chart_Standby{Standby: &topics.Standby{
			On: words[1] != "off", Reason: words[1], Person: a.Person, DurationS: a.DurationS, Id: a.Id, Channel: a.Channel,
		}}})
		return
	}
	if a.Alarm = more["alarm"]; a.Alarm == "" && words[1] != "patient" {
		a.Alarm = b.newest(words[1]).GetId()
	}
	b.put(&topics.Chart{Patient: b.key, Kind: &topics.Chart_Answer{Answer: a}})
}

// newest is the newest record of a rule's alarm; nil: there is none.
func (b *bed) newest(rule string) *topics.AlarmState {
	for i := len(b.said) - 1; i >= 0; i-- {
		if a := b.said[i].GetState(); a.GetRule() == rule {
			return a
		}
	}
	return nil
}

func (b *bed) set(words []string) *topics.Second {
	b.t.Helper()
	sec := proto.CloneOf(b.last)
	sec.Suspended, sec.LeadOff, sec.Quality, sec.Lead = false, false, 0.9, "II"
	b.rr = nil
	rates := func(v *float64) { sec.Rate, sec.RateFast, sec.RateSlow = v, v, v }
	flat, gone := false, false
	for i := 0; i < len(words); i++ {
		number := func() float64 {
			i++
			v, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return v
		}
		switch words[i] {
		case "hr":
			rates(proto.Float64(number()))
		case "noise":
			sec.Suspended = true
			rates(nil)
		case "off":
			sec.LeadOff, sec.Suspended = true, true
			rates(nil)
		case "flat":
			flat = true
		case "gone":
			gone = true
		case "battery":
			sec.BatteryPercent = proto.Uint32(uint32(number()))
		case "clock":
			sec.ClockOffsetS = number()
		case "frames":
			sec.FrameS = number()
		case "v": // a minute
			sec.VPerMinute = uint32(number())
		case "rr": // ms
			b.rr = append(b.rr, number())
		case "q":
			sec.Quality = number()
		case "reboot":
			sec.Rebooted = true
		default:
			b.t.Fatalf("no word %q", words[i])
		}
	}
	if !flat {
		b.sinceS = -1
	} else if b.sinceS < 0 {
		b.sinceS = 0.3
	}
	if !gone {
		b.silentS = -1
	} else if b.silentS < 0 {
		b.silentS = 0
	}
	b.last = sec
	return sec
}

// say says one second and its tick.
func (b *bed) say(model *topics.Second) {
	b.t.Helper()
	b.second++
	sec := proto.CloneOf(model)
	sec.SampleUs = began + int64(b.second)*1e6
	at := sec.SampleUs
	sec.Sample = uint64(float64(b.second) * b.samples)
	for _, ms := range b.rr {
		sec.Rr = append(sec.Rr, &topics.RR{Class: topics.BeatClass_BEAT_CLASS_N, Ms: ms, TimeUs: at})
	}
	b.rr = nil
	switch {
	case b.silentS >= 0:
		b.silentS++
		sec.SinceSampleS = b.silentS
		sec.SampleUs -= int64(b.silentS * 1e6)
	case sec.Suspended:
	case b.sinceS >= 0:
		b.sinceS++
		sec.SinceBeatS = proto.Float64(b.sinceS)
		if b.sinceS >= 4 {
			sec.Rate, sec.RateFast, sec.RateSlow = new(float64), nil, nil
		}
	default:
		sec.SinceBeatS = proto.Float64(0.4)
	}
	if sec.SinceSampleS >= 10 {
		sec.Rate, sec.RateFast, sec.RateSlow, sec.SinceBeatS = nil, nil, nil, nil
	}
	if sec.LeadOff {
		sec.LeadOffS = 1
	}
	b.put(&topics.Chart{Patient: b.key, TimeUs: at, Kind: &topics.Chart_Second{Second: sec}})
	b.tick()
}

func (b *bed) limits(version uint64, list ...*topics.Limit) *bed {
	b.t.Helper()
	b.put(&topics.Chart{Patient: b.key, Kind: &topics.Chart_Limits{Limits: &topics.Limits{Version: version, Limits: list}}})
	return b
}

func (b *bed) leave() *bed {
	b.t.Helper()
	b.put(&topics.Chart{Patient: b.key, Kind: &topics.Chart_Binding{Binding: &topics.Binding{Device: "patch-1"}}})
	return b
}

// want compares the story with what it must be, a line each.
func (b *bed) want(lines ...string) {
	b.t.Helper()
	got, want := strings.Join(b.story, "\n"), strings.Join(lines, "\n")
	if got != want {
		b.t.Errorf("the story is\n%s\n\nand must be\n%s", got, want)
	}
}
