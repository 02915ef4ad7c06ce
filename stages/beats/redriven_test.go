package beats_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/beats"
	"heartwire/topics"
)

// A frame that was rejected and is redriven arrives when it is redriven: all
// that is said of it is late, whatever has become of the patient, and the live
// analysis says what it would have said without it.
func TestRedrivenFramesAreLate(t *testing.T) {
	frames := regular(250, 60, 70).frames()
	var back []*topics.Frame
	for _, f := range frames[40:60] {
		f = proto.CloneOf(f)
		f.GetSamples().ArrivalUs = frames[len(frames)-1].GetSamples().GetArrivalUs() + 3600e6
		back = append(back, f)
	}
	rest := slices.Concat(frames[:40], frames[60:])
	for name, state := range map[string]func(*beats.State){
		"while it goes on": func(s *beats.State) { foldInto(t, s, ticked(rest)) },
		"once a new boot has begun": func(s *beats.State) {
			h := regular(250, 20, 70)
			h.boot = 2
			foldInto(t, s, ticked(append(rest, h.frames()...)))
		},
		"to a key that is not known": func(*beats.State) {},
	} {
		t.Run(name, func(t *testing.T) {
			var with, without beats.State
			state(&with)
			state(&without)
			said := foldInto(t, &with, back)
			found := 0
			for _, a := range said {
				if !a.GetLate() && a.GetDeviceState() == nil {
					t.Errorf("not late: %v", a)
				}
				if a.GetBeat() != nil {
					found++
				}
			}
			if found == 0 {
				t.Error("no beat is found in it")
			}
			h := regular(250, 80, 70)
			h.boot, h.startUs = 3, h.startUs+7200e6
			live := func(s *beats.State) (list []*topics.Annotation) {
				for _, a := range foldInto(t, s, h.frames()) {
					if !a.GetLate() {
						list = append(list, a)
					}
				}
				return list
			}
			same(t, live(&with), live(&without))
		})
	}
}
