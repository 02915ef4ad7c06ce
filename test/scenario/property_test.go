package scenario

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/driver"
	"heartwire/topics"
)

var (
	seedFlag = flag.Uint64("seed", 0, "the luck of TestAnyLuckGivesTheSameAlarms, as a failure printed it; 0: the usual ones")
	runsFlag = flag.Int("runs", 16, "how many times TestAnyLuckGivesTheSameAlarms tries")
)

// Whatever happens on the way, the alarms are the same: of one log, wherever
// processes die, abort and hand over, to the last byte, identities included; and
// of one heart, however the link delivers it (twice, in another order, long after
// its gap was stated), the same episodes with the same onset, priority and end.
func TestAnyLuckGivesTheSameAlarms(t *testing.T) {
	var raised, crashes atomic.Int64
	t.Run("runs", func(t *testing.T) {
		for i := range *runsFlag {
			seed := max(*seedFlag, 1) + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				n, c, err := anyLuck(rand.New(rand.NewPCG(seed, 6)))
				if err != nil {
					t.Fatalf("-seed %d -runs 1: %v", seed, err)
				}
				raised.Add(int64(n))
				crashes.Add(int64(c))
			})
		}
	})
	t.Logf("%d runs, %d alarms, %d crashes, aborts and moves", *runsFlag, raised.Load(), crashes.Load())
	if !t.Failed() && *seedFlag == 0 && (raised.Load() < 50 || crashes.Load() < 100) {
		t.Error("so few prove nothing")
	}
}

func anyLuck(luck *rand.Rand) (raised, crashes int, err error) {
	var plain, delivered []*topics.Frame
	for p := range 2 {
		list, err := ofLuck(luck, p)
		if err != nil {
			return 0, 0, err
		}
		lost := losses(luck, len(list))
		plain = append(plain, without(list, lost)...)
		delivered = append(delivered, shaken(luck, list, lost)...)
	}
	people := deeds(luck)
	clean, err := folded(plain, people)
	if err != nil {
		return 0, 0, err
	}
	rough, err := folded(delivered, people)
	if err != nil {
		return 0, 0, err
	}
	if err := sameLives(clean, rough); err != nil {
		return 0, 0, err
	}
	for _, smooth := range []*chain{clean, rough} {
		broken := newChain(smooth.frames)
		broken.answered = smooth.answered
		if err := broken.roughly(luck); err != nil {
			return 0, 0, err
		}
		if err := equal(smooth, broken); err != nil {
			return 0, 0, err
		}
		crashes += broken.crashes
	}
	for _, list := range clean.lives() {
		raised += len(list)
	}
	return raised, crashes, nil
}

// hearts are what a script of luck is made of. None is of a rate or a length
// about a limit, where a second more or less decides whether it is an alarm.
var hearts = []string{
	"16s sinus 72", "20s sinus 60..90", "25s sinus 132", "25s sinus 30", "25s sinus 175", "10s vt 190", "10s asystole", "12s vf", "40s pvc 20/min",
	"30s af 80", "20s couplet 6/min", "5s dropout", "17s dropout", "12s noise 2mV", "50s noise 2mV", "15s lead-off all", "15s lead-off II",
}

// ofLuck are the frames of a patient whom anything may befall.
func ofLuck(luck *rand.Rand, p int) (list []*topics.Frame, err error) {
	script := "25s sinus 72"
	for range 4 + luck.IntN(3) {
		script += fmt.Sprintf("; %s; %ds sinus 74", hearts[luck.IntN(len(hearts))], 14+luck.IntN(12))
	}
	s, err := parse("script: " + script)
	if err != nil {
		return nil, err
	}
	source, err := s.patient(luck.Uint64())
	if err != nil {
		return nil, err
	}
	for f, err := range s.frames(source) {
		if err != nil {
			return nil, err
		}
		f.Patient = fmt.Sprintf("p%02d", p)
		f.GetSamples().Device = "patch-" + f.Patient
		list = append(list, f)
	}
	return list, nil
}

// losses are runs of frames that do not come in time, by the first, and how many.
func losses(luck *rand.Rand, frames int) map[int]int {
	lost := map[int]int{}
	for range luck.IntN(3) {
		lost[60+luck.IntN(frames-120)] = 1 + luck.IntN(14)
	}
	return lost
}

func isLost(lost map[int]int, i int) bool {
	for from, n := range lost {
		if i >= from && i < from+n {
			return true
		}
	}
	return false
}

func without(list []*topics.Frame, lost map[int]int) (out []*topics.Frame) {
	for i, f := range list {
		if !isLost(lost, i) {
			out = append(out, f)
		}
	}
	return out
}

// shaken is what a bad link makes of frames: some come late, but within what
// beats waits for, some twice, and some of those that were lost after all, when
// their gap has been stated.
func shaken(luck *rand.Rand, list []*topics.Frame, lost map[int]int) (out []*topics.Frame) {
	last := list[len(list)-1].GetSamples().GetArrivalUs() // nothing comes after it: both worlds end at one time
	later := func(f *topics.Frame, ms int) {
		if us := f.GetSamples().GetArrivalUs() + int64(ms)*1000; us < last || ms == 0 {
			out = append(out, arriving(f, us))
		}
	}
	for i, f := range list {
		switch {
		case isLost(lost, i):
			if luck.IntN(2) == 0 {
				later(f, 6000+luck.IntN(20000))
			}
			continue
		case i > 8 && i < len(list)-8 && luck.IntN(8) == 0:
			later(f, luck.IntN(900))
		default:
			later(f, 0)
		}
		if luck.IntN(12) == 0 {
			later(f, 900+luck.IntN(20000))
		}
	}
	return out
}

// act is what somebody does at a tick about the newest alarm of a patient.
type act struct {
	tick    uint64
	patient string
	action  topics.Action
	all     bool
	forS    float64
}

func deeds(luck *rand.Rand) (list []act) {
	for i := range 8 {
		a := act{tick: 30 + uint64(luck.IntN(120)), patient: fmt.Sprintf("p%02d", i%2), action: topics.Action(1 + luck.IntN(6)), forS: float64(luck.IntN(60))}
		a.all = a.action == topics.Action_ACTION_PAUSE && luck.IntN(2) == 0
		list = append(list, a)
	}
	return list
}

// folded is the chain over frames, in the order of their arrival, to which
// people answer as they see it: what they saw is what they see again.
func folded(frames []*topics.Frame, people []act) (*chain, error) {
	frames = slices.Clone(frames)
	slices.SortStableFunc(frames, func(a, b *topics.Frame) int {
		return int(a.GetSamples().GetArrivalUs() - b.GetSamples().GetArrivalUs())
	})
	var log []topics.Record[*topics.Frame]
	for r, err := range driver.Ticks(deliver(frames), 3*time.Second) {
		if err != nil {
			return nil, err
		}
		log = append(log, r)
	}
	c := newChain(log)
	done := map[uint64][]*topics.Chart{}
	c.answered = func(tick uint64) (list []*topics.Chart) {
		if list, seen := done[tick]; seen {
			return list
		}
		for i, a := range people {
			if a.tick != tick {
				continue
			}
			answer := &topics.Answer{Id: fmt.Sprint(i), Action: a.action, Person: fmt.Sprint("nurse-", i%3), DurationS: a.forS}
			if !a.all {
				answer.Alarm = c.newestAlarm(a.patient)
			}
			list = append(list, &topics.Chart{Patient: a.patient, Kind: &topics.Chart_Answer{Answer: answer}})
		}
		done[tick] = list
		return list
	}
	return c, c.smoothly()
}

// life is what of an alarm does not depend on when a thing is known.
type life struct {
	rule     string
	priority topics.Priority
	onset    float64 // s
	end      string  // why it ended; empty: not until now
}

// lives are the alarms of each patient, by rule, in the order of their onsets.
func (c *chain) lives() map[string][]life {
	all, at := map[string][]life{}, map[string]int{}
	for _, r := range c.alarms {
		s := r.Value.GetState()
		of := string(r.Key) + " " + s.GetRule()
		switch s.GetChange().GetWhat() {
		case "raised":
			at[s.GetId()] = len(all[of])
			all[of] = append(all[of], life{s.GetRule(), s.GetPriority(), float64(s.GetOnsetUs()-began) / 1e6, ""})
		case "ended":
			all[of][at[s.GetId()]].end = s.GetEndReason()
		}
	}
	return all
}

// bySecond are the rules whose onset is that of a Second, and so as coarse as
// the time at which samples come.
var bySecond = []string{
	topics.RuleHRHigh, topics.RuleHRLow, topics.RuleHRExtremeHigh, topics.RuleHRExtremeLow, topics.RuleAFFast, topics.RulePVC,
	topics.RuleNoData, topics.RuleLeadOff, topics.RuleSignalPoor, topics.RuleBroken,
}

// same reports one alarm of two deliveries. One that calms as a worse one
// begins ends by either: a second decides.
func (l life) same(o life) bool {
	d := math.Abs(l.onset - o.onset)
	ended := l.end == o.end || l.end == "" || o.end == "" || l.end+o.end == "inhibitedover" || l.end+o.end == "overinhibited"
	return l.rule == o.rule && l.priority == o.priority && (d < 0.001 || d <= 2 && slices.Contains(bySecond, l.rule)) && ended
}

// sameLives holds the alarms of two deliveries of one heart against each other.
// Of one that a worse one silenced a second decides, too, whether it was said
// before that: a pause that becomes asystole, a rate on its way to an extreme.
func sameLives(a, b *chain) error {
	got, want := b.lives(), a.lives()
	for of := range want {
		if _, ok := got[of]; !ok {
			got[of] = nil
		}
	}
	for of, list := range got {
		others := want[of]
		for i, j := 0, 0; i < len(list) || j < len(others); {
			switch {
			case i < len(list) && j < len(others) && list[i].same(others[j]):
				i, j = i+1, j+1
			case i < len(list) && list[i].end == "inhibited":
				i++
			case j < len(others) && others[j].end == "inhibited":
				j++
			default:
				return fmt.Errorf("delivered otherwise the alarms of %s are\n%v\nand were\n%v", of, list, others)
			}
		}
	}
	return nil
}

// equal holds what two chains have said of one log against each other, to the byte.
func equal(a, b *chain) error {
	for i := range min(len(a.alarms), len(b.alarms)) {
		x, y := a.alarms[i], b.alarms[i]
		p, err1 := proto.MarshalOptions{Deterministic: true}.Marshal(x.Value)
		q, err2 := proto.MarshalOptions{Deterministic: true}.Marshal(y.Value)
		if err1 != nil || err2 != nil || x.Key != y.Key || x.Origin != y.Origin || !bytes.Equal(p, q) {
			return fmt.Errorf("after crashes, aborts and moves record %d is\n%v %v\nand was\n%v %v", i, y.Origin, y.Value, x.Origin, x.Value)
		}
	}
	if len(a.alarms) != len(b.alarms) {
		return fmt.Errorf("after crashes, aborts and moves there are %d records, and were %d", len(b.alarms), len(a.alarms))
	}
	return nil
}
