package scenario

import (
	"slices"
	"strings"
	"testing"

	"heartwire/pipeline/bridge/patch"
	"heartwire/pipeline/driver"
	"heartwire/pipeline/fold"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/rhythm"
	"heartwire/topics"
)

// The log forgets 20 s of a patient before the stage beats has read them. One
// HIGH alarm must tell so and end once there was time to see it, and nothing
// else may be made of it.
func TestForgottenFramesAreOneAlarm(t *testing.T) {
	t.Parallel()
	script, err := patch.Parse("220s sinus 72")
	if err != nil {
		t.Fatal(err)
	}
	conf := patch.DefaultSynthConfig()
	conf.Script, conf.Seed = script, 1
	synth, err := patch.NewSynth(conf)
	if err != nil {
		t.Fatal(err)
	}
	s := scenario{script: script, length: 220}
	p := fold.New[beats.State](beats.New(beats.DefaultConfig()), topics.Frames, 0, 0)
	annotations := func(yield func(topics.Record[*topics.Annotation], error) bool) {
		var n int64
		say := func() bool {
			said, bad := p.Take()
			for _, b := range bad {
				t.Errorf("condemned: %v", b.Err)
			}
			for _, a := range said {
				if !yield(topics.Record[*topics.Annotation]{Key: topics.Annotations.Key(a.Value), Origin: a.Origin, Offset: n, Value: a.Value}, nil) {
					return false
				}
				n++
			}
			p.Commit()
			return true
		}
		lost, told := int64(0), false
		for r, err := range driver.Ticks(s.frames(synth), 0) {
			if err != nil {
				t.Error(err)
				return
			}
			if at := r.Value.GetSamples().GetArrivalUs(); r.Offset > 100 && (at == 0 || at < began+40e6) && !told {
				lost++
				continue
			}
			if lost > 0 && !told {
				if err := p.Overtaken(r.Offset, lost); err != nil {
					t.Error(err)
				}
				told = true
			}
			if err := p.Fold(r); err != nil {
				t.Error(err)
			}
			if !say() {
				return
			}
			if tick := r.Value.GetTick(); tick != nil {
				if !yield(topics.Record[*topics.Annotation]{Offset: n, Value: topics.Annotations.Wrap(tick)}, nil) {
					return
				}
				n++
			}
		}
	}
	var story []string
	for r, err := range driver.Fold(alarms.Stage(), topics.Charts, topics.Alarms,
		driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts, annotations)) {
		if err != nil {
			t.Fatal(err)
		}
		if a := r.Value.GetState(); a != nil && a.GetChange().GetWhat() != "timed-out" {
			story = append(story, strings.TrimPrefix(a.GetPriority().String(), "PRIORITY_")+" "+a.GetRule()+" "+
				strings.TrimPrefix(a.GetCondition().String(), "ALARM_CONDITION_"))
		}
	}
	if want := []string{"HIGH data-lost ACTIVE", "HIGH data-lost ENDED"}; !slices.Equal(story, want) {
		t.Errorf("the alarms are %v, want %v", story, want)
	}
}
