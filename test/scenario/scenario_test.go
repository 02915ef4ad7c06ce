package scenario

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

const (
	began   = int64(1_700_000_000_000_000) // µs of the first sample
	frameMS = 250
)

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".txt"), func(t *testing.T) {
			t.Parallel()
			s, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			// Another seed is another person: none may change the story.
			for seed := range uint64(3) {
				s.check(t, seed+1)
			}
		})
	}
}

type scenario struct {
	script patch.Script
	length int // s
	want   []expectation
}

type expectation struct {
	from, to float64
	what     string // raised HIGH asystole
}

func read(file string) (s scenario, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		script, isScript := strings.CutPrefix(line, "script:")
		switch {
		case isScript:
			if s.script, err = patch.Parse(script); err != nil {
				return s, err
			}
			for _, step := range s.script.Steps {
				s.length += int(step.For.Seconds())
			}
		case line == "" || line == "alarms:":
		default:
			var e expectation
			when, what, _ := strings.Cut(line, " ")
			from, to, _ := strings.Cut(when, "..")
			var bad [2]error
			e.from, bad[0] = strconv.ParseFloat(from, 64)
			e.to, bad[1] = strconv.ParseFloat(to, 64)
			if err := errors.Join(bad[:]...); err != nil {
				return s, fmt.Errorf("%q: want FROM..TO, what, priority and rule: %w", line, err)
			}
			e.what = strings.Join(strings.Fields(what), " ")
			s.want = append(s.want, e)
		}
	}
	if s.length == 0 {
		return s, errors.New("no script of any length")
	}
	return s, nil
}

// said is a change of an alarm and when it was decided, in s from the first sample.
type said struct {
	at   float64
	what string
	text string
}

func (s scenario) check(t *testing.T, seed uint64) {
	t.Helper()
	got, err := s.play(seed)
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	for _, g := range got {
		fmt.Fprintf(&story, "  %6.2f %s: %s\n", g.at, g.what, g.text)
	}
	if len(got) != len(s.want) {
		t.Fatalf("seed %d: %d changes of alarms, want %d\n%s", seed, len(got), len(s.want), &story)
	}
	for i, w := range s.want {
		if g := got[i]; g.what != w.what || g.at < w.from || g.at > w.to {
			t.Fatalf("seed %d: want %v..%v %s, got %.2f %s\n%s", seed, w.from, w.to, w.what, g.at, g.what, &story)
		}
	}
}

// play folds the scenario through the stages as they run in a site.
func (s scenario) play(seed uint64) ([]said, error) {
	conf := patch.DefaultSynthConfig()
	conf.Script, conf.Seed = s.script, seed
	synth, err := patch.NewSynth(conf)
	if err != nil {
		return nil, err
	}
	log := driver.Fold(alarms.Stage(), topics.Charts, topics.Alarms,
		driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
			driver.Fold(beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations,
				driver.Ticks(s.frames(synth), 0))))
	var list []said
	tick := float64(frameMS)/1000 + 1 // the first comes a second after the first frame
	for r, err := range log {
		if err != nil {
			return nil, err
		}
		if r.Value.GetTick() != nil {
			tick++
			continue
		}
		a := r.Value.GetState()
		how := "raised"
		switch {
		case a.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED && a.GetEndReason() != "over":
			how = a.GetEndReason()
		case a.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED:
			how = "ended"
		case a.GetVersion() > 1:
			continue
		}
		priority := strings.TrimPrefix(a.GetPriority().String(), "PRIORITY_")
		list = append(list, said{tick, how + " " + priority + " " + a.GetRule(), a.GetText()})
	}
	return list, nil
}

// frames are what the bridge would make of the patch's samples, each frame
// arriving as its last sample is measured.
func (s scenario) frames(source patch.Source) iter.Seq2[*topics.Frame, error] {
	n := int(source.Rate() * frameMS / 1000)
	return func(yield func(*topics.Frame, error) bool) {
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
