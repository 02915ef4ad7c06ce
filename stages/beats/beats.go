// Package beats finds the beats: it folds the frames of a patient into
// annotations, each at a sample of the device.
//
// Frames are put in order first (sequence.go): what is twice is dropped, what
// is missing is waited for and then stated as a gap, what comes later still is
// folded apart and marked late; what the log forgot unread is a gap of its own
// kind (overtaken.go). Then the leads are watched (quality.go), one of
// them is chosen, and its QRS complexes are found (qrs.go) in the
// energy of the slope of the band-passed signal (filter.go) at 180 Hz, whatever the rate of the
// device (resample.go).
//
// Classes: each beat is compared with the patient's own shapes (template.go)
// and intervals (rr.go), and judged by ensembles of trees (class.go, model.go)
// once the next beat is known or 1.1 s have passed. A beat that follows a pace
// pulse in a patient with a pacemaker is Q. See DESIGN.md.
package beats

import (
	"errors"
	"fmt"
	"time"

	"heartwire/stages"
	"heartwire/topics"
)

// Name is the stage's name.
const Name = "beats"

// Version is the version of the state's encoding.
const Version = 4

// Config are the times of the stage. They are part of what it says: a site
// that changes them gets other annotations from the same frames.
type Config struct {
	Wait   time.Duration // how long a missing run is waited for, in ticks
	Late   time.Duration // a frame whose last sample is older than this on arrival is late
	Buffer time.Duration // samples that are kept while something before them is missing
}

// DefaultConfig waits 2 s, calls late what is over 10 s old, and keeps 12 s.
func DefaultConfig() Config {
	return Config{Wait: 2 * time.Second, Late: 10 * time.Second, Buffer: 12 * time.Second}
}

// Validate tells all that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Wait < 0 || c.Wait > time.Minute {
		errs = append(errs, fmt.Errorf("wait: %v, want 0 to 1m", c.Wait))
	}
	if c.Late < time.Second {
		errs = append(errs, fmt.Errorf("late: %v, want at least 1s", c.Late))
	}
	if c.Buffer < time.Second || c.Buffer > time.Minute {
		errs = append(errs, fmt.Errorf("buffer: %v, want 1s to 1m", c.Buffer))
	}
	return errors.Join(errs...)
}

// New is the stage. It is for any number of keys and goroutines: all that it
// remembers is in the State.
func New(c Config) stages.Stage[State, *topics.Frame, *topics.Annotation] {
	return stages.Stage[State, *topics.Frame, *topics.Annotation]{Name: Name, Version: Version, Processor: processor{c}, Migrate: migrate}
}

type processor struct{ Config }

// Process folds one frame. An error says what is wrong with the frame.
func (p processor) Process(s *State, r topics.Record[*topics.Frame], emit func(*topics.Annotation)) error {
	v := voice{emit: emit, patient: string(r.Key), paced: s.paced}
	s.patient = v.patient
	switch k := r.Value.GetKind().(type) {
	case *topics.Frame_Samples:
		if err := validate(k.Samples); err != nil {
			return err
		}
		s.samples(p.Config, k.Samples, v)
	case *topics.Frame_Binding:
		s.binding(k.Binding, v)
	case *topics.Frame_Presence:
		s.presence(k.Presence, v)
	default:
		return fmt.Errorf("a frame without samples, binding or presence")
	}
	return nil
}

// Advance lets the wait for missing runs run out.
func (p processor) Advance(s *State, t *topics.Tick, emit func(*topics.Annotation)) error {
	s.advance(p.Config, t.Elapsed(), voice{emit: emit, patient: s.patient, paced: s.paced})
	return nil
}

// voice says annotations of one patient.
type voice struct {
	emit    func(*topics.Annotation)
	patient string
	paced   bool // the patient has a pacemaker
}
