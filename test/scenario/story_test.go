package scenario

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/stages/alarms"
	"heartwire/stages/alarms/rules"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

const (
	began   = int64(1_700_000_000_000_000) // µs of the first sample
	frameMS = 250
)

// story is what the stages said of a scenario. All times are in s from the
// first sample.
type story struct {
	now        float64 // of the log
	rate       float64
	alarms     []said
	rhythm     []episode
	beats      []beat
	rates      []reading
	people     []deed // what people do, and have not done yet
	rules      *rules.File
	refuse     []string
	candidates []candidate
	newest     map[string]*topics.AlarmState // of a rule
	heaviest   int                           // bytes, of the alarms stage's state
}

// reading is a heart rate as it was said, in /min.
type reading struct{ at, rate float64 }

// said is a change of an alarm and when it was decided.
type said struct {
	at   float64
	what string // raised HIGH asystole
	rule string
	text string
	is   []string // latched; sounding, acknowledged, paused; open, accepted, rejected, timed-out
}

type episode struct {
	rhythm     topics.Rhythm
	onset, end float64
	ended      bool
	at         float64 // when it was first said to be what it is
}

type beat struct {
	at    float64
	class string
}

// play folds the samples of a source through the stages as they run in a site.
func (s scenario) play(source patch.Source) (story, error) {
	return tell(s.frames(source), story{rate: source.Rate(), people: s.people, rules: s.rules})
}

// tell is what the stages say of frames, and of what people do meanwhile.
func tell(frames iter.Seq2[*topics.Frame, error], st story) (story, error) {
	st.newest = map[string]*topics.AlarmState{}
	log := driver.Fold(alarms.Stage(), topics.Charts, topics.Alarms,
		st.weigh(st.act(driver.Tap(driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
			driver.Tap(driver.Fold(beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations,
				driver.Tap(driver.Ticks(frames, 0), st.frame)), st.annotation)), st.chart))))
	for r, err := range log {
		if err != nil {
			return st, err
		}
		if a := r.Value.GetState(); a != nil {
			st.alarm(a)
		}
		st.outcome(r.Value.GetOutcome())
		if p := r.Value.GetSuppressed(); p != nil {
			st.candidates = append(st.candidates, candidate{st.now, p.GetRule(), p.GetWhy()})
		}
	}
	return st, nil
}

func (s *story) frame(f *topics.Frame) {
	if us := f.GetTick().GetWallUs() + f.GetSamples().GetArrivalUs(); us > 0 {
		s.now = float64(us-began) / 1e6
	}
}

func (s *story) annotation(a *topics.Annotation) {
	if b := a.GetBeat(); b != nil && !a.GetLate() {
		s.beats = append(s.beats, beat{float64(a.GetSample()) / s.rate, className(b.GetClass())})
	}
}

func (s *story) chart(c *topics.Chart) {
	if sec := c.GetSecond(); sec != nil && sec.Rate != nil {
		s.rates = append(s.rates, reading{s.now, sec.GetRate()})
	}
	e := c.GetEpisode()
	if e == nil {
		return
	}
	now := episode{rhythm: e.GetRhythm(), onset: float64(e.GetOnset()) / s.rate, at: s.now}
	if e.End != nil {
		now.ended, now.end = true, float64(e.GetEnd())/s.rate
	}
	i := slices.IndexFunc(s.rhythm, func(o episode) bool { return o.onset == now.onset && family(o.rhythm) == family(now.rhythm) })
	if i < 0 {
		s.rhythm = append(s.rhythm, now)
		return
	}
	if s.rhythm[i].rhythm == now.rhythm {
		now.at = s.rhythm[i].at
	}
	s.rhythm[i] = now
}

// family is what one episode can turn into while it goes on.
func family(r topics.Rhythm) topics.Rhythm {
	switch r {
	case topics.Rhythm_RHYTHM_COUPLET, topics.Rhythm_RHYTHM_V_RUN, topics.Rhythm_RHYTHM_IDIOVENTRICULAR:
		return topics.Rhythm_RHYTHM_VT
	case topics.Rhythm_RHYTHM_VENTRICULAR_FLUTTER:
		return topics.Rhythm_RHYTHM_VF
	}
	return r
}

func (s *story) alarm(a *topics.AlarmState) {
	if s.newest != nil {
		s.newest[a.GetRule()] = a
	}
	latched := a.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_LATCHED
	how := a.GetChange().GetWhat()
	switch {
	case a.GetRestated() || how == "value" || how == "limit":
		return
	case how == "latched":
		how = "ended" // its condition, and it stays
	case a.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED && a.GetEndReason() != "over":
		how = a.GetEndReason()
	}
	priority := name(a.GetPriority().String(), "PRIORITY_")
	is := []string{strings.ToLower(name(a.GetSignal().String(), "ALARM_SIGNAL_")), strings.ToLower(name(a.GetResponsibility().String(), "RESPONSIBILITY_"))}
	if latched {
		is = append(is, "latched")
	}
	s.alarms = append(s.alarms, said{s.now, how + " " + priority + " " + a.GetRule(), a.GetRule(), a.GetText(), is})
}

func name(of, prefix string) string {
	return strings.ReplaceAll(strings.TrimPrefix(of, prefix), "_", "-")
}

// String is the story as people read it when it is not the one that was wanted.
func (s *story) String() string {
	var b strings.Builder
	for _, a := range s.alarms {
		fmt.Fprintf(&b, "  %6.2f %s: %s %v\n", a.at, a.what, a.text, a.is)
	}
	for _, c := range s.candidates {
		fmt.Fprintf(&b, "  %6.2f suppressed %s: %s\n", c.at, c.rule, c.why)
	}
	for _, e := range s.rhythm {
		end := "goes on"
		if e.ended {
			end = fmt.Sprintf("%.2f", e.end)
		}
		fmt.Fprintf(&b, "  %6.2f..%s %s, said at %.2f\n", e.onset, end, rhythmName(e.rhythm), e.at)
	}
	counts := make(map[string]int)
	for _, a := range s.beats {
		counts[a.class]++
	}
	fmt.Fprintf(&b, "  beats %v\n", counts)
	return b.String()
}

// frames are what the bridge would make of the patch's samples, each frame
// arriving as its last sample is measured.
func (s scenario) frames(source patch.Source) iter.Seq2[*topics.Frame, error] {
	n := int(source.Rate() * frameMS / 1000)
	return func(yield func(*topics.Frame, error) bool) {
		if s.paced && !yield(&topics.Frame{Patient: "p01", Kind: &topics.Frame_Binding{Binding: &topics.Binding{
			Device: "patch-01", Bound: true, AtUs: began, Paced: true,
		}}}, nil) {
			return
		}
		var b patch.Block
		for first := 0; float64(first) < float64(s.length)*source.Rate(); first += n {
			if err := source.Read(&b, n); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(nil, err)
				return
			}
			if !yield(frame(source, &b), nil) {
				return
			}
		}
	}
}

func frame(source patch.Source, b *patch.Block) *topics.Frame {
	at := func(sample uint64) int64 { return began + int64(float64(sample)*1e6/source.Rate()) }
	out := &topics.Samples{
		Device: "patch-01", Boot: 1, First: b.First, Rate: source.Rate(), Count: uint32(b.Len()),
		TimeUs: at(b.First), ArrivalUs: at(b.First + uint64(b.Len())), PacePulses: append([]uint32(nil), b.Pulses...),
	}
	for i, spec := range source.Leads() {
		l := &topics.Lead{Name: spec.Name, MicrovoltsPerCount: spec.MicrovoltsPerCount, Off: b.Off[i], Deltas: make([]int32, b.Len())}
		last := int32(0)
		for k, c := range b.Counts[i] {
			l.Deltas[k], last = c-last, c
		}
		out.Leads = append(out.Leads, l)
	}
	if b.Missing != nil {
		out.Missing = make([]byte, (b.Len()+7)/8)
		for k, is := range b.Missing {
			if is {
				out.Missing[k/8] |= 1 << (k % 8)
			}
		}
	}
	return &topics.Frame{Patient: "p01", Kind: &topics.Frame_Samples{Samples: out}}
}
