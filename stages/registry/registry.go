// Package registry answers requests: it keeps the site's patients, devices and
// bindings, the limits and rules of the site, its units and its patients, and
// who may do what; it gives each change a version, and tells those whom it
// concerns. A site's requests are one order, so the first of two that
// contradict each other wins, and the other is told.
//
// resolve.go puts the layers of limits together, effects.go tells whom that
// changes. DESIGN.md says why it is as it is.
package registry

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

// Config is what the registry must know beside its requests.
type Config struct {
	SiteKey []byte // the site's root key: names the keys of devices bound to nobody

	// CheckRule refuses a rule that cannot be, in words that say what to do. It
	// must be a function of the rule alone. nil: rules are refused.
	CheckRule func(*topics.Rule) error
}

// Name is the stage's name, and Version the version of its state's encoding.
const (
	Name    = "registry"
	Version = 2
)

// New is the stage. It writes to settings, frames and chart.
func New(c Config) (stages.Stage[State, *topics.Request, proto.Message], error) {
	return stages.Stage[State, *topics.Request, proto.Message]{
		Name: Name, Version: Version, Processor: processor{siteKey: c.SiteKey, check: c.CheckRule}, Migrate: migrate,
	}, nil
}

type processor struct {
	siteKey []byte
	check   func(*topics.Rule) error
}

// restateAfter is how often what holds is said again, so that any day's log
// can be read alone.
const restateAfter = 24 * time.Hour

// Process answers a request with one Outcome. A repeat of a request that was
// answered lately is answered by the same outcome again, and does nothing.
func (p processor) Process(s *State, r topics.Record[*topics.Request], emit func(proto.Message)) error {
	req := r.Value
	if req.GetId() == "" {
		return errors.New("a request has no id, so nobody could be answered: choose one that is new")
	}
	if len(req.Id) > maxName*4 {
		return fmt.Errorf("the id of a request has %d bytes, and %d are allowed", len(req.Id), maxName*4)
	}
	s.Site = req.GetSite()
	if o, ok := s.answered(req.Id); ok {
		emit(o.setting(req))
		return nil
	}
	t := turn{processor: p, state: s, before: *s, req: req, version: s.Version + 1}
	o := outcome{Request: req.Id, Accepted: true}
	if err := t.do(); err != nil {
		*s = t.before
		o.Accepted, o.Problem, o.Code = false, err.Error(), codeOf(err)
		t.out = nil
	} else if len(t.out) > 0 {
		s.Version = t.version
	}
	o.Version = s.Version
	for _, v := range t.out {
		emit(v)
	}
	s.remember(o)
	emit(o.setting(req))
	return nil
}

// Advance takes away what has expired, and says everything again once a day.
func (p processor) Advance(s *State, t *topics.Tick, emit func(proto.Message)) error {
	s.Wall = t.GetWallUs()
	s.Since += t.Elapsed()
	if s.due > 0 && s.Wall >= s.due {
		s.expire(p, emit)
	}
	if s.Since < restateAfter {
		return nil
	}
	s.Since = 0
	for i := range s.Patients {
		if p := &s.Patients[i]; !p.Discharged {
			c := chart(p.Name, s.Wall, s.limits(p))
			c.GetLimits().Restated = true
			emit(c)
		}
	}
	for i := range s.Devices {
		d := &s.Devices[i]
		if b := d.open(); b != nil {
			b := p.binding(s, d.Name, b.Patient, b.From)
			b.GetBinding().Restated = true
			emit(b)
		} else {
			c := s.unboundLimits(p, d, s.Wall)
			c.GetLimits().Restated = true
			emit(c)
		}
	}
	return nil
}

// turn is the work on one request. What it says is kept back until it is
// known that the whole request can be done; else the state is put back. Lists
// of the state are replaced, never changed, so that before is a whole state.
type turn struct {
	processor
	state   *State
	before  State
	req     *topics.Request
	version uint64
	out     []proto.Message
}

func (t *turn) say(v proto.Message) { t.out = append(t.out, v) }

func (t *turn) do() error {
	if err := t.checkTime(t.req.GetTimeUs()); err != nil {
		return err
	}
	switch k := t.req.Kind.(type) {
	case *topics.Request_PutPatient:
		return t.putPatient(k.PutPatient)
	case *topics.Request_Bind:
		return t.bind(k.Bind)
	case *topics.Request_Unbind:
		return t.unbind(k.Unbind)
	case *topics.Request_PutLayer:
		return t.putLayer(k.PutLayer)
	case *topics.Request_PutBounds:
		return t.putBounds(k.PutBounds)
	case *topics.Request_PutProfile:
		return t.putProfile(k.PutProfile)
	case *topics.Request_PutAccount:
		return t.putAccount(k.PutAccount)
	}
	return refuse(CodeBadRequest, "the request asks for nothing that this registry knows: it may be newer than the registry")
}

const (
	// maxBehind is how far the clock of whoever asks may be behind the site's,
	// and how old a request may become on its way.
	maxBehind = 10 * time.Minute
	// maxAhead is wide because the log's time stands still while a site is
	// switched off: its first request may come before its first tick.
	maxAhead = 366 * 24 * time.Hour
)

func (t *turn) checkTime(us int64) error {
	if us <= 0 {
		return refuse(CodeBadTime, "the request has no time: say when it was asked, in µs since 1970")
	}
	skew := us - t.state.Wall // both are times since 1970: it cannot overflow
	if t.state.Wall > 0 && (skew > maxAhead.Microseconds() || skew < -maxBehind.Microseconds()) {
		return refuse(CodeBadTime, "the request is from %s and the site is at %s: set the clock of the machine that asked",
			topics.MicroTime(us).Format(time.DateTime), topics.MicroTime(t.state.Wall).Format(time.DateTime))
	}
	return nil
}

// seen refuses when the object has changed since the one who asks has seen it.
func (t *turn) seen(version uint64) error {
	if t.req.Expected != nil && *t.req.Expected != version {
		return refuse(CodeStaleVersion, "version %d was expected and %d is in force: look again, and ask again", *t.req.Expected, version)
	}
	return nil
}

func (t *turn) setting(object string) *topics.Setting {
	return &topics.Setting{Object: object, Version: t.version, Author: t.req.GetAuthor(), TimeUs: t.req.GetTimeUs()}
}

// binding is the frame that tells a key of its device.
func (p processor) binding(s *State, device, patient string, at int64) *topics.Frame {
	b := &topics.Binding{Device: device, Bound: true, AtUs: at}
	if pt := find(s.Patients, patient); pt != nil {
		b.Paced, b.AgeGroup = pt.Paced, pt.AgeGroup
	}
	return &topics.Frame{Patient: patient, Kind: &topics.Frame_Binding{Binding: b}}
}
