package alarms

import (
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	cel "heartwire/stages/alarms/rules"
	"heartwire/topics"
)

// layers are those from which the limits in force come, each once.
func (s *State) layers() []*layer {
	var list []*layer
	add := func(of *layer) {
		for _, have := range list {
			if have == of {
				return
			}
		}
		if of != nil {
			list = append(list, of)
		}
	}
	if s.limits.set != nil {
		for i := range s.limits.set {
			add(s.limits.set[i].layer)
		}
	}
	for k := range s.free {
		add(s.free[k].limit.layer)
	}
	return list
}

// append writes the layers, and the limits that are not the defaults.
func (l *limits) append(e *stages.Encoder, layers []*layer) {
	e.Uint(uint64(len(layers)))
	for _, f := range layers {
		e.String(f.name)
		e.String(f.author)
		e.String(f.reason)
		e.Int(f.setUs)
		e.Int(f.expiresUs)
	}
	e.Bool(l.set != nil)
	if l.set == nil {
		return
	}
	e.Uint(l.version)
	e.Int(int64(l.pause))
	e.Int(int64(l.pauseMax))
	e.Int(int64(l.wait))
	n := 0
	for i := range l.set {
		if l.set[i] != defaults[i] {
			n++
		}
	}
	e.Uint(uint64(n))
	for i := range l.set {
		if l.set[i] != defaults[i] {
			e.String(rules[i].name)
			l.set[i].append(e, layers)
		}
	}
}

func (l *limits) decode(d *stages.Decoder, version uint32) []*layer {
	var layers []*layer
	for n := d.Len(5); n > 0; n-- {
		layers = append(layers, &layer{d.String(), d.String(), d.String(), d.Int(), d.Int()})
	}
	if *l = (limits{}); !d.Bool() {
		return layers
	}
	all := *defaults
	l.version, l.pause, l.pauseMax = d.Uint(), time.Duration(d.Int()), time.Duration(d.Int())
	if l.wait = defaultWait; version > 4 {
		l.wait = time.Duration(d.Int())
	}
	last := -1
	for n := d.Len(4); n > 0; n-- {
		i := ruleNamed(d.String())
		if i <= last {
			d.Fail("a limit of no rule, or out of order")
			return layers
		}
		all[i].decode(d, layers)
		last = i
	}
	l.set, l.force = (*[ruleCount]limit)(&all), all.inForce()
	return layers
}

func (l *limit) append(e *stages.Encoder, layers []*layer) {
	e.Float(l.value)
	e.Int(int64(l.duration))
	e.Float(l.hysteresis)
	e.Float(l.quality)
	e.Int(int64(l.priority))
	e.Bool(l.latching)
	e.Bool(l.off)
	at := 0 // nobody set it
	for k := range layers {
		if layers[k] == l.layer {
			at = k + 1
		}
	}
	e.Uint(uint64(at))
}

func (l *limit) decode(d *stages.Decoder, layers []*layer) {
	*l = limit{
		value: d.Float(), duration: time.Duration(d.Int()), hysteresis: d.Float(), quality: d.Float(),
		priority: topics.Priority(d.Int()), latching: d.Bool(), off: d.Bool(),
	}
	switch at := d.Uint(); {
	case at > uint64(len(layers)):
		d.Fail("a limit of layer %d of %d", at, len(layers))
	case at > 0:
		l.layer = layers[at-1]
	}
}

func (s *State) appendFree(e *stages.Encoder, layers []*layer) {
	e.Uint(uint64(len(s.free)))
	for k := range s.free {
		f := &s.free[k]
		e.Bytes(f.raw)
		e.String(f.unit)
		e.Bool(f.gone)
		e.Bool(f.limited)
		f.limit.append(e, layers)
		f.condition.append(e)
	}
	s.history.Append(e)
}

func (s *State) decodeFree(d *stages.Decoder, layers []*layer) {
	for n := d.Len(4); n > 0; n-- {
		text := new(topics.Rule)
		if err := proto.Unmarshal(d.Bytes(), text); err != nil {
			d.Fail("a rule that people wrote: %v", err)
			return
		}
		f := newFree(text)
		f.unit, f.gone, f.limited = d.String(), d.Bool(), d.Bool()
		f.limit.decode(d, layers)
		f.condition.decode(d)
		s.free = append(s.free, f)
	}
	s.history = cel.DecodeHistory(d)
	s.compose()
}

func (v *silence) append(e *stages.Encoder) {
	e.Bool(v.on)
	if !v.on {
		return
	}
	e.String(v.person)
	e.String(v.reason)
	e.Int(v.fromUs)
	e.Int(v.untilUs)
	e.Int(int64(v.until))
	e.Int(int64(v.saidAt))
}

func (v *silence) decode(d *stages.Decoder) {
	if *v = (silence{}); d.Bool() {
		*v = silence{true, d.String(), d.String(), d.Int(), d.Int(), time.Duration(d.Int()), time.Duration(d.Int())}
	}
}

func (s *State) appendAnswers(e *stages.Encoder) {
	e.Uint(uint64(len(s.outcomes)))
	for i := range s.outcomes {
		o := &s.outcomes[i]
		e.Bytes(o.id[:])
		e.String(o.alarm)
		e.String(o.person)
		e.String(string(o.code))
		e.Uint(uint64(o.version))
		e.Int(int64(o.at))
	}
	e.Uint(uint64(len(s.ended)))
	for i := range s.ended {
		e.Bytes(s.ended[i][:])
	}
}

func (s *State) decodeAnswers(d *stages.Decoder) {
	for n := d.Len(16); n > 0; n-- {
		var o outcome
		o.id.decode(d)
		o.alarm, o.person, o.code, o.version, o.at = d.String(), d.String(), code(d.String()), uint32(d.Uint()), time.Duration(d.Int())
		s.outcomes = append(s.outcomes, o)
	}
	for n := d.Len(16); n > 0; n-- {
		var id identity
		id.decode(d)
		s.ended = append(s.ended, id)
	}
	if len(s.outcomes) > mostAnswers || len(s.ended) > mostEnded {
		d.Fail("%d answers, %d alarms that ended", len(s.outcomes), len(s.ended))
	}
}

func (s *State) appendTallies(e *stages.Encoder) {
	e.Uint(uint64(len(s.tallies)))
	for i := range s.tallies {
		t := &s.tallies[i]
		e.String(t.rule)
		e.Uint(uint64(t.why))
		e.Int(int64(t.saidAt))
		e.Uint(uint64(t.count))
		if t.count == 0 {
			continue // what it was has been said
		}
		e.String(t.by)
		e.Int(int64(t.priority))
		e.Int(t.onsetUs)
		e.Int(t.endedUs)
		e.Float(t.worst)
		e.Float(t.limit)
	}
}

func (s *State) decodeTallies(d *stages.Decoder) {
	for n := d.Len(4); n > 0; n-- {
		t := tally{rule: d.String()}
		w := d.Uint()
		t.saidAt, t.count = time.Duration(d.Int()), uint32(d.Uint())
		if w >= uint64(whys) {
			d.Fail("a reason of %d", w)
			return
		}
		if t.why = why(w); t.count > 0 {
			t.by, t.priority, t.onsetUs, t.endedUs, t.worst, t.limit = d.String(), topics.Priority(d.Int()), d.Int(), d.Int(), d.Float(), d.Float()
		}
		s.tallies = append(s.tallies, t)
	}
	if len(s.tallies) > mostTallies {
		d.Fail("%d tallies", len(s.tallies))
	}
}
