package scenario

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// deliver gives a list of frames as a bridge would, in the order of their arrival.
func deliver(frames []*topics.Frame) iter.Seq2[*topics.Frame, error] {
	return func(yield func(*topics.Frame, error) bool) {
		for _, f := range frames {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (s scenario) delivered(t *testing.T, seed uint64) (list []*topics.Frame, rate float64) {
	t.Helper()
	source, err := s.patient(seed)
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range s.frames(source) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list, source.Rate()
}

// arriving is a frame that came at another time.
func arriving(f *topics.Frame, us int64) *topics.Frame {
	f = proto.Clone(f).(*topics.Frame)
	f.GetSamples().ArrivalUs = us
	return f
}

// held lets one frame in so many wait until three after it have come.
func held(frames []*topics.Frame, one int) (list []*topics.Frame) {
	const places = 750 / frameMS
	list = slices.Clone(frames)
	for i := one; i+places < len(list); i += one {
		f := arriving(list[i], list[i+places].GetSamples().GetArrivalUs())
		copy(list[i:], list[i+1:i+places+1])
		list[i+places] = f
	}
	return list
}

func twice(frames []*topics.Frame) (list []*topics.Frame) {
	for i, f := range frames {
		list = append(list, f)
		if i > 7 && i%3 == 0 {
			list = append(list, arriving(frames[i-7], f.GetSamples().GetArrivalUs()))
		}
	}
	return list
}

func swapped(frames []*topics.Frame) []*topics.Frame {
	list := slices.Clone(frames)
	for i := 1; i+1 < len(list); i += 2 {
		a, b := list[i], list[i+1]
		list[i], list[i+1] = arriving(b, a.GetSamples().GetArrivalUs()), arriving(a, b.GetSamples().GetArrivalUs())
	}
	return list
}

// known is all of a story but when each thing was said.
func (s *story) known() string {
	var b strings.Builder
	for _, a := range s.alarms {
		fmt.Fprintln(&b, a.what)
	}
	for _, e := range s.rhythm {
		fmt.Fprintln(&b, rhythmName(e.rhythm), e.onset, e.end, e.ended)
	}
	for _, a := range s.beats {
		fmt.Fprintln(&b, a.at, a.class)
	}
	return b.String()
}

// Frames that come twice, in another order or late, but before their gap is
// stated, change no beat, no rhythm and no alarm.
func TestDeliveryChangesNoStory(t *testing.T) {
	for _, file := range []string{"vt.txt", "vf.txt", "asystole.txt", "bigeminy.txt", "af.txt"} {
		t.Run(strings.TrimSuffix(file, ".txt"), func(t *testing.T) {
			t.Parallel()
			s, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			frames, rate := s.delivered(t, 1)
			clean, err := tell(deliver(frames), story{rate: rate})
			if err != nil {
				t.Fatal(err)
			}
			for name, other := range map[string][]*topics.Frame{"twice": twice(frames), "swapped": swapped(frames), "held": held(frames, 23)} {
				got, err := tell(deliver(other), story{rate: rate})
				if err != nil {
					t.Fatal(err)
				}
				if got.known() != clean.known() {
					t.Errorf("%s: the story is\n%swant\n%s", name, &got, &clean)
				}
			}
		})
	}
}

// A device that changes its rate in mid-stream is learned anew, and watched on:
// nothing is joined across, nothing false is said, and what comes after is
// found in time.
func TestRateChangesInMidStream(t *testing.T) {
	t.Parallel()
	for _, rate := range []string{"128", "360", "1000"} {
		before, err := parse("script: 40s sinus 72; 1s vt 180")
		if err != nil {
			t.Fatal(err)
		}
		after, err := parse("rate: " + rate + "\nscript: 1s vt 180; 40s sinus 72; 20s vt 180; 40s sinus 72; 12s asystole; 20s sinus 72")
		if err != nil {
			t.Fatal(err)
		}
		frames, hz := before.delivered(t, 1)
		last := frames[len(frames)-1].GetSamples()
		next := last.GetFirst() + uint64(last.GetCount())
		more, _ := after.delivered(t, 1)
		shift := int64(float64(next) * 1e6 / hz)
		for _, f := range more {
			r := f.GetSamples()
			r.First += next
			r.TimeUs += shift
			r.ArrivalUs += shift
		}
		got, err := tell(deliver(append(frames, more...)), story{rate: hz})
		if err != nil {
			t.Fatal(err)
		}
		want, err := parse("script: 1s sinus 72\nnever:\n0..82 alarm vt\nalarms: among others\n84..89 raised HIGH vt\n108..124 ended HIGH vt\n146..148.25 raised HIGH asystole\n164..168 ended HIGH asystole")
		if err != nil {
			t.Fatal(err)
		}
		if wrong := want.wrong(&got); wrong != "" {
			t.Errorf("to %s Hz: %s; the story is\n%s", rate, wrong, &got)
		}
	}
}
