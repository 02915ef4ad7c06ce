// Package trial runs the alarms stage with other rules beside itself: over one
// chart, with the limits that stood there, with those that a file lays over them,
// and with one limit a little wider at a time. It is a stage like the one that
// it tries, and may be run over a log as a replay is, or over recordings. It
// begins from the states that the alarms stage has written down.
//
// What each variant says are records of the topic alarms; Variant tells which
// said it.
package trial

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/stages/alarms"
	"heartwire/topics"
)

// Variants of a trial; a sweep's is FirstSweep and its place in Config.Sweeps.
const (
	Base       = 0 // with the limits that stood in the chart
	Changed    = 1 // with those of Config.Layer over them
	FirstSweep = 2
)

// Config is what is tried.
type Config struct {
	Alarms alarms.Config
	Layer  *topics.Layer // laid over what is in force for each patient, as a layer above the patient's; nil: none
	Whole  bool          // it is laid over the defaults: what anybody has set does not hold
	Sweeps []Sweep
}

// New is the trial as a stage. Its name and version are those of the stage
// alarms, whose checkpoints it reads.
func New(c Config) stages.Stage[State, *topics.Chart, *topics.Alarm] {
	of := alarms.New(c.Alarms)
	return stages.Stage[State, *topics.Chart, *topics.Alarm]{
		Name: of.Name, Version: of.Version, Migrate: of.Migrate,
		Processor: processor{of: of.Processor, conf: c, groups: group(c.Sweeps)},
	}
}

type processor struct {
	of     stages.Processor[alarms.State, *topics.Chart, *topics.Alarm]
	conf   Config
	groups []sweepGroup
}

// event is what is folded: a record or a tick.
type event struct {
	record topics.Record[*topics.Chart]
	tick   *topics.Tick
}

// Process folds a record into each variant. An error says what about it the
// alarms stage would have condemned.
func (p processor) Process(s *State, r topics.Record[*topics.Chart], emit func(*topics.Alarm)) error {
	p.begin(s, r.Key, emit)
	if err := p.of.Process(&s.base, r, emit); err != nil {
		return err
	}
	p.follow(s, &event{record: r}, emit)
	return nil
}

// Advance lets time pass in each variant.
func (p processor) Advance(s *State, t *topics.Tick, emit func(*topics.Alarm)) error {
	if err := p.of.Advance(&s.base, t, emit); err != nil {
		return err
	}
	if s.begun {
		p.follow(s, &event{tick: t}, emit)
	}
	return nil
}

// begin gives each variant its limits, from the base as it is.
func (p processor) begin(s *State, key topics.Key, emit func(*topics.Alarm)) {
	if s.begun {
		return
	}
	s.begun, s.key = true, key
	s.sweeps = make([][]*alarms.State, len(p.groups))
	s.mark, _ = s.base.AppendBinary(nil)
	if p.conf.Layer == nil {
		return
	}
	s.changed = new(alarms.State)
	if err := s.changed.UnmarshalBinary(s.mark); err != nil {
		*s.changed = alarms.State{} // what the state has just written cannot be unreadable
	}
	p.limit(s.changed, key, p.laid(s.base.Force()), tagged(Changed, emit))
}

// laid is a patient's set with the layer over it.
func (p processor) laid(set *topics.Limits) *topics.Limits {
	if p.conf.Whole {
		set = &topics.Limits{Version: set.GetVersion(), Unit: set.GetUnit(), Limits: topics.DefaultLimits()}
	}
	return Lay(set, p.conf.Layer)
}

// limit gives a variant its limits. What cannot be in force is told, and what
// was before stays.
func (p processor) limit(v *alarms.State, key topics.Key, set *topics.Limits, emit func(*topics.Alarm)) {
	r := topics.Record[*topics.Chart]{Key: key, Value: &topics.Chart{Patient: string(key), Kind: &topics.Chart_Limits{Limits: set}}}
	if err := p.of.Process(v, r, emit); err != nil {
		emit(&topics.Alarm{Patient: string(key), Kind: &topics.Alarm_Outcome{Outcome: &topics.AnswerOutcome{Code: Refused, Problem: err.Error()}}})
	}
}

// Refused is the code of the outcome by which a variant says that a patient's
// limits cannot be what its rules make of them: those before stayed in force.
const Refused = "limits-refused"

// follow lets the variants fold what the base has folded. Sweeps run only from
// where their rule is beyond the limit in the base until they are alike again:
// a wider limit changes nothing before.
func (p processor) follow(s *State, e *event, emit func(*topics.Alarm)) {
	if s.changed != nil {
		p.step(s.changed, e, p.laid, tagged(Changed, emit))
	}
	for g := range p.groups {
		of := &p.groups[g]
		switch {
		case s.sweeps[g] != nil:
			for k, v := range s.sweeps[g] {
				p.step(v, e, of.sweeps[k].Widen, tagged(of.first+k, emit))
			}
		case !s.base.Quiet(of.family):
			p.part(s, g, e, emit)
		}
	}
	if len(p.groups) == 0 {
		return
	}
	s.since.add(e)
	if s.count++; s.count >= markEvery {
		p.markBase(s)
	}
}

// markEvery is how many events are folded again where sweeps part from the
// base: more are kept in memory, fewer cost a state written down more often.
const markEvery = 32

// step folds one event into a variant.
func (p processor) step(v *alarms.State, e *event, limits func(*topics.Limits) *topics.Limits, emit func(*topics.Alarm)) {
	switch set := e.record.Value.GetLimits(); {
	case e.tick != nil:
		_ = p.of.Advance(v, e.tick, emit) // it has no error: the base passed it
	case set != nil:
		p.limit(v, e.record.Key, limits(set), emit)
	default:
		_ = p.of.Process(v, e.record, emit) // what the base can fold a variant can
	}
}

// part lets the sweeps of a group begin where the base was marked.
func (p processor) part(s *State, g int, e *event, emit func(*topics.Alarm)) {
	of := &p.groups[g]
	s.sweeps[g] = make([]*alarms.State, len(of.sweeps))
	for k := range of.sweeps {
		v, say := new(alarms.State), tagged(of.first+k, emit)
		if err := v.UnmarshalBinary(s.mark); err != nil {
			*v = alarms.State{}
		}
		p.limit(v, s.key, of.sweeps[k].Widen(v.Force()), say)
		s.since.each(func(e *event) { p.step(v, e, of.sweeps[k].Widen, silent) })
		p.step(v, e, of.sweeps[k].Widen, say)
		s.sweeps[g][k] = v
	}
}

func silent(*topics.Alarm) {}

// markBase writes the base down, and lets go of sweeps that are as it is.
func (p processor) markBase(s *State) {
	for g := range p.groups {
		if s.sweeps[g] == nil || !s.base.Quiet(p.groups[g].family) {
			continue
		}
		alike := true
		for _, v := range s.sweeps[g] {
			alike = alike && s.base.Alike(v)
		}
		if alike {
			s.sweeps[g] = nil
		}
	}
	s.mark, _ = s.base.AppendBinary(s.mark[:0])
	s.since.clear()
	s.count = 0
}

// variantField is a field that topics.Alarm does not have, in which a variant's
// number stands. Whoever reads the record otherwise passes over it.
const variantField = 1000

func tagged(n int, emit func(*topics.Alarm)) func(*topics.Alarm) {
	return func(a *topics.Alarm) {
		a.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, variantField, protowire.VarintType), uint64(n)))
		emit(a)
	}
}

// Variant is which variant said it.
func Variant(a *topics.Alarm) int {
	b := a.ProtoReflect().GetUnknown()
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		b = b[n:]
		if field == variantField && kind == protowire.VarintType {
			if v, n := protowire.ConsumeVarint(b); n > 0 {
				return int(v)
			}
		}
		if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
			break
		}
		b = b[n:]
	}
	return Base
}

// Lay gives a set in force with a layer over it: its limits and rules take the
// place of those of the same names, as if it had been put above the patient's own.
func Lay(set *topics.Limits, l *topics.Layer) *topics.Limits {
	out := &topics.Limits{Version: set.GetVersion(), Unit: set.GetUnit(), Profile: set.GetProfile(), PauseS: set.GetPauseS(), PauseMaxS: set.GetPauseMaxS()}
	if l.GetPauseS() != 0 {
		out.PauseS = l.GetPauseS()
	}
	own := map[string]bool{}
	for _, r := range l.GetRules() {
		own[r.GetName()] = true
		out.Rules = append(out.Rules, r)
	}
	for _, r := range set.GetRules() {
		if !own[r.GetName()] {
			out.Rules = append(out.Rules, r)
		}
	}
	for _, x := range l.GetLimits() {
		own[x.GetRule()] = true
	}
	for _, x := range set.GetLimits() {
		if !own[x.GetRule()] {
			out.Limits = append(out.Limits, x)
		}
	}
	for _, x := range l.GetLimits() {
		x = proto.CloneOf(x)
		x.Layer = Layer
		out.Limits = append(out.Limits, x)
	}
	return out
}

// Layer is the name that a trial's layer has in what a variant says.
const Layer = "trial"
