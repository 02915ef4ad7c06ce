package main

import (
	"cmp"
	"strings"

	"heartwire/topics"
)

// changeWords is a record of an alarm in words, beside the one before it.
func changeWords(before, s *topics.AlarmState) string {
	c := s.GetChange()
	words := ""
	switch what := c.GetWhat(); what {
	case "raised":
		words = "raised, " + priorityWord(s.GetPriority()) + ": " + s.GetText()
	case "value":
		words = "the value went on: " + s.GetText()
	case "priority":
		words = "the priority is now " + priorityWord(s.GetPriority()) + ": " + s.GetText()
	case "limit":
		words = "judged by another limit: " + s.GetText() + limitOrigin(s.GetLimitInForce())
	case "latched":
		words = "its condition was over at " + clock(s.GetEndedUs()) + "; it stays until somebody resets it"
	case "ended", "reset":
		words = "ended: " + endWords(s.GetEndReason())
	case "sounding":
		words = "sounds again" + soundsBecause(c.GetReason())
	case "acknowledged", "paused":
		words = what
		if us := s.GetSignalUntilUs(); us != 0 {
			words += " until " + clock(us)
		}
	case "resumed":
		words = "the pause was ended; it sounds"
	case "accepted":
		words = "accepted: " + s.GetResponsible() + " goes"
	case "rejected":
		words = "rejected: " + c.GetPerson() + " does not go"
	case "timed-out":
		words = "nobody answered in time"
	case "restated":
		words = "still " + conditionWord(s) + ": " + s.GetText()
	default:
		words = cmp.Or(what, "changed") + ": " + s.GetText()
	}
	if before != nil && before.GetPriority() != s.GetPriority() && c.GetWhat() != "priority" {
		words += "; now " + priorityWord(s.GetPriority())
	}
	return words + byWhom(c)
}

// byWhom says who did it, how and why; the stage itself is not named.
func byWhom(c *topics.Change) string {
	if c.GetPerson() == "" {
		return ""
	}
	words := ", by " + c.GetPerson()
	if c.GetChannel() != "" {
		words += " (" + c.GetChannel() + ")"
	}
	if c.GetReason() != "" {
		words += ", because of " + c.GetReason()
	}
	return words
}

func limitOrigin(l *topics.Limit) string {
	if l.GetAuthor() == "" {
		return ""
	}
	return ", set in layer " + l.GetLayer() + " by " + l.GetAuthor() + " because of " + l.GetReason()
}

func soundsBecause(reason string) string {
	switch reason {
	case "":
		return ""
	case "over":
		return ": the time of silence is over"
	case "broken":
		return ": a new HIGH alarm broke the pause"
	}
	return ": " + reason
}

func endWords(reason string) string {
	switch reason {
	case "over":
		return "its condition was over"
	case "moved":
		return "the device was taken from the patient, or put to another"
	case "inhibited":
		return "a worse alarm speaks for it"
	case "off":
		return "its rule was switched off"
	case "standby":
		return "the patient was put on standby"
	case "reset":
		return "it was reset"
	case "again":
		return "a newer episode of its rule is an alarm of its own"
	}
	return cmp.Or(reason, "no reason was said")
}

// silenceChange is a pause of all of a patient's alarms, or standby, as it began or ended.
func silenceChange(s *topics.Silence) string {
	if s.GetOn() {
		return silenceWords(s)
	}
	what := "the pause"
	if s.GetStandby() {
		what = "the standby"
	}
	what += " is over"
	switch s.GetEnded() {
	case "resumed":
		what += ", ended by " + s.GetPerson()
	case "broken":
		what += ", broken by a new HIGH alarm"
	case "standby":
		what += ", for the patient is on standby"
	case "moved":
		what += ", for the device was taken from the patient"
	}
	return what
}

func suppressedWords(p *topics.Suppressed) string {
	switch p.GetWhy() {
	case "short":
		return "too short"
	case "inhibited":
		return strings.TrimSpace(p.GetBy() + " spoke for it")
	case "quality":
		return "the signal was too poor, or it could not be told"
	case "off":
		return "the rule is off"
	case "standby":
		return "the patient was on standby"
	}
	return p.GetWhy()
}
