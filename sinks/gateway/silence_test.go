package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"heartwire/topics"
)

// hush is the i-th record of a patient's silences.
func hush(key string, i int64, s *topics.Silence) topics.Record[*topics.Alarm] {
	return topics.Record[*topics.Alarm]{
		Key: topics.Key(key), Origin: topics.Origin{Source: "chart", Offset: i},
		Value: &topics.Alarm{Patient: key, TimeUs: time.Now().UnixMicro(), Kind: &topics.Alarm_Silence{Silence: s}},
	}
}

func TestSnapshotHoldsTheSilenceInForce(t *testing.T) {
	later, gone := time.Now().Add(time.Minute).UnixMicro(), time.Now().Add(-time.Second).UnixMicro()
	pause := &topics.Silence{On: true, Person: "okafor", UntilUs: later}
	standby := &topics.Silence{On: true, Standby: true, Person: "sato", Reason: "transport", UntilUs: later}
	type records []*topics.Silence
	for name, c := range map[string]struct {
		said records
		want *topics.Silence
	}{
		"a pause":                         {records{pause}, pause},
		"standby":                         {records{standby}, standby},
		"a pause that ended":              {records{pause, {Person: "okafor", UntilUs: later, Ended: "resumed"}}, nil},
		"a pause past its end":            {records{{On: true, Person: "okafor", UntilUs: gone}}, nil},
		"a standby past its end":          {records{{On: true, Standby: true, Person: "okafor", UntilUs: gone}}, nil},
		"a standby that has ended pause":  {records{pause, standby, {Ended: "standby"}}, standby},
		"a pause after a standby's end":   {records{standby, {Standby: true, Ended: "resumed"}, pause}, pause},
		"a pause that was made to last":   {records{{On: true, Person: "okafor", UntilUs: gone}, pause}, pause},
		"an end without a known begin":    {records{{Ended: "over"}}, nil},
		"standby and a pause not yet off": {records{pause, standby}, standby},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
			for i, s := range c.said {
				give(t, r.Alarms(), topics.Alarms, hush("p1", int64(100+i), s))
			}
			p := r.connect(protocolProto)
			p.subscribe("p1")
			got := until(p, snapshotOf("p1")).GetSilence()
			if d := cmp.Diff(c.want, got.GetSilence(), protocmp.Transform()); d != "" {
				t.Errorf("the Snapshot's silence (-want +got):\n%s", d)
			}
			if c.want == nil && got != nil {
				t.Errorf("the Snapshot has a silence: %v", got)
			}
		})
	}
}

// Each Silence reaches a client once, as the other records of alarms do, and a
// repeat neither brings one back nor ends one.
func TestSilencesComeLiveAndOnce(t *testing.T) {
	r := start(t, nil)
	p := r.connect(protocolProto)
	p.subscribe("p1")
	until(p, snapshotOf("p1"))
	later := time.Now().Add(time.Minute).UnixMicro()
	on := hush("p1", 1, &topics.Silence{On: true, Standby: true, Person: "sato", Reason: "bath", UntilUs: later})
	restated := hush("p1", 2, &topics.Silence{On: true, Standby: true, Person: "sato", Reason: "bath", UntilUs: later, Restated: true})
	longer := hush("p1", 3, &topics.Silence{On: true, Standby: true, Person: "sato", Reason: "bath", UntilUs: later + 1})
	off := hush("p1", 4, &topics.Silence{Standby: true, Person: "sato", Ended: "resumed"})
	give(t, r.Alarms(), topics.Alarms, on, on, restated, longer, off, on, restated, longer, off, alarm("p1", "end", 1, active))
	var got []*topics.Silence
	for {
		a := p.next().GetAlarm()
		if a.GetState() != nil {
			break
		}
		got = append(got, a.GetSilence())
	}
	want := []*topics.Silence{on.Value.GetSilence(), longer.Value.GetSilence(), off.Value.GetSilence()}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("came live (-want +got):\n%s", d)
	}
	late := r.connect(protocolJSON)
	late.subscribe("p1")
	if s := until(late, snapshotOf("p1")).GetSilence(); s != nil {
		t.Errorf("after its end and repeats a Snapshot still has %v", s)
	}
	// One who begins to read with what is restated knows it too.
	give(t, r.Alarms(), topics.Alarms, hush("p2", 1, restated.Value.GetSilence()))
	late.subscribe("p2")
	if s := until(late, snapshotOf("p2")).GetSilence().GetSilence(); !s.GetStandby() || s.GetPerson() != "sato" {
		t.Errorf("a standby that was only restated is %v in a Snapshot", s)
	}
}
