package scenario

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// states are how an alarm can be, and asides the changes that a scenario looks
// at only where it names one of their kind.
var (
	states = []string{"latched", "sounding", "acknowledged", "paused", "open", "accepted", "rejected", "timed-out"}
	asides = []string{"acknowledged", "sounding", "paused", "resumed", "accepted", "rejected", "timed-out", "priority"}
)

// deed is what a person does: acknowledge an alarm, pause a patient, set a limit.
type deed struct {
	at      float64
	action  string
	on      string // a rule, patient, the reason of a standby
	value   float64
	off     bool
	by      string
	forS    float64
	as      uint32
	refused string
}

func (s *scenario) peopleLine(words []string) (err error) {
	d := deed{}
	if len(words) < 3 {
		return errors.New("want when, what, and by whom: 35 acknowledge vt by nurse-1")
	}
	if d.at, err = seconds(words[0]); err != nil {
		return err
	}
	d.action, d.on = words[1], words[2]
	words = words[3:]
	switch d.action {
	case "acknowledge", "accept", "reject", "pause", "resume", "reset", "standby":
	case "limit":
		if topics.FindBuiltIn(d.on) == nil {
			return fmt.Errorf("%q: want a built-in rule", d.on)
		}
		if len(words) == 0 {
			return errors.New("want a value, or off")
		}
		if d.off = words[0] == "off"; !d.off {
			if d.value, err = seconds(words[0]); err != nil {
				return err
			}
		}
		words = words[1:]
	default:
		return fmt.Errorf("%q: want acknowledge, accept, reject, pause, resume, reset, standby or limit", d.action)
	}
	if len(words)%2 != 0 {
		return errors.New("want a value after each word: by nurse-1 for 60")
	}
	for ; len(words) > 0 && err == nil; words = words[2:] {
		switch words[0] {
		case "by":
			d.by = words[1]
		case "for":
			d.forS, err = seconds(words[1])
		case "as":
			var v uint64
			v, err = strconv.ParseUint(words[1], 10, 32)
			d.as = uint32(v)
		case "refused":
			d.refused = words[1]
		default:
			err = fmt.Errorf("%q: want by, for, as or refused", words[0])
		}
	}
	s.people = append(s.people, d)
	return err
}

// act puts what people do into the chart, after the tick that reached its time.
func (s *story) act(chart iter.Seq2[topics.Record[*topics.Chart], error]) iter.Seq2[topics.Record[*topics.Chart], error] {
	return func(yield func(topics.Record[*topics.Chart], error) bool) {
		var n int64
		say := func(r topics.Record[*topics.Chart], err error) bool {
			r.Offset = n
			n++
			return yield(r, err)
		}
		var set topics.Limits
		for r, err := range chart {
			if !say(r, err) {
				return
			}
			if err == nil && r.Value.GetTick() != nil && s.rules != nil && set.Version == 0 {
				set.Version, set.Rules, set.Limits = 1, s.rules.Layer.GetRules(), s.rules.Layer.GetLimits()
				set.PauseS, set.AnswerWaitS = s.rules.Layer.GetPauseS(), s.rules.Layer.GetAnswerWaitS()
				if !say(topics.Record[*topics.Chart]{Key: "p01", Value: &topics.Chart{Patient: "p01", Kind: &topics.Chart_Limits{Limits: proto.CloneOf(&set)}}}, nil) {
					return
				}
			}
			for err == nil && r.Value.GetTick() != nil && len(s.people) > 0 && s.people[0].at <= s.now {
				d := s.people[0]
				c := s.asked(d, &set)
				if !say(topics.Record[*topics.Chart]{Key: "p01", Value: c}, nil) {
					return
				}
				s.people = s.people[1:]
			}
		}
		for _, d := range s.people {
			s.refuse = append(s.refuse, fmt.Sprintf("it ends before %s at %v", d.action, d.at))
		}
	}
}

// asked is a deed as the gateway would write it.
func (s *story) asked(d deed, set *topics.Limits) *topics.Chart {
	id := fmt.Sprintf("%d", len(s.people)) // each has another
	c := &topics.Chart{Patient: "p01", TimeUs: began + int64(s.now*1e6)}
	switch d.action {
	case "standby":
		c.Kind = &topics.Chart_Standby{Standby: &topics.Standby{Id: id, On: d.on != "off", Reason: d.on, Person: d.by, DurationS: d.forS}}
	case "limit":
		l := topics.FindBuiltIn(d.on).Limit()
		l.Off, l.Layer, l.Author = d.off, topics.LayerPatient, d.by
		if !d.off {
			l.Value = d.value
		}
		if d.forS > 0 {
			l.DurationS = d.forS
		}
		set.Version++
		set.Limits = append(slices.DeleteFunc(set.Limits, func(o *topics.Limit) bool { return o.Rule == d.on }), l)
		c.Kind = &topics.Chart_Limits{Limits: proto.CloneOf(set)}
	default:
		a := &topics.Answer{
			Id: id, Action: topics.Action(topics.Action_value["ACTION_"+strings.ToUpper(d.action)]), Person: d.by, DurationS: d.forS, Version: d.as,
		}
		if d.on != "patient" {
			if a.Alarm = s.newest[d.on].GetId(); a.Alarm == "" {
				a.Alarm = "none" // as yet
			}
		}
		c.Kind = &topics.Chart_Answer{Answer: a}
	}
	return c
}

// outcome holds what came of a deed against what had to.
func (s *story) outcome(o *topics.AnswerOutcome) {
	if o == nil {
		return
	}
	d := s.people[0] // it is answered before the next is done
	if o.GetCode() != d.refused {
		s.refuse = append(s.refuse, fmt.Sprintf("at %v %s of %s by %s: the outcome is %q (%s), want %q", d.at, d.action, d.on, d.by, o.GetCode(), o.GetProblem(), d.refused))
	}
}
