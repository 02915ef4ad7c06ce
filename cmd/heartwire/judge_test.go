package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/alarms"
	"heartwire/stages/registry"
	"heartwire/topics"
)

// Whatever the registry lets be set, up to its bounds, the alarms stage takes:
// a set that it refused would leave a patient to the set before.
func TestWhatTheRegistrySaysTheAlarmsStageTakes(t *testing.T) {
	stage, err := registry.New(registry.Config{SiteKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	var site registry.State
	judged := map[string]*alarms.State{}
	sets, accepted := 0, 0
	ask := func(r *topics.Request) {
		t.Helper()
		r.Site, r.Author, r.Reason, r.Id, r.TimeUs = "west", "doctor-3", "policy", fmt.Sprint(rnd.Uint64()), 1_790_000_000_000_000
		if err := stage.Processor.Process(&site, topics.Record[*topics.Request]{Value: r}, func(v proto.Message) {
			if s, ok := v.(*topics.Setting); ok && s.GetOutcome().GetAccepted() {
				accepted++
			}
			c, ok := v.(*topics.Chart)
			if !ok {
				return
			}
			sets++
			if judged[c.Patient] == nil {
				judged[c.Patient] = &alarms.State{}
			}
			if err := alarms.Stage().Processor.Process(judged[c.Patient], topics.Record[*topics.Chart]{Key: topics.Key(c.Patient), Value: c}, func(*topics.Alarm) {}); err != nil {
				t.Fatalf("%v, of %v", err, c.GetLimits())
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		ask(&topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: fmt.Sprint("p", i), Unit: "4W", AgeGroup: topics.AgeGroup(i % 3)}}})
	}
	span := func(s topics.Span) float64 {
		switch rnd.IntN(3) {
		case 0:
			return s.From
		case 1:
			return s.To
		}
		return s.From + rnd.Float64()*(s.To-s.From)
	}
	for range 2000 {
		l := &topics.Layer{Of: []string{"site", "unit/4W", "patient/p0", "patient/p1", "patient/p2", "patient/p3"}[rnd.IntN(6)]}
		for _, b := range topics.BuiltIns() {
			if rnd.IntN(3) > 0 {
				continue
			}
			x := b.Limit()
			if b.Follows == "" {
				x.Value, x.DurationS, x.Hysteresis = span(b.Value), span(b.DurationS), span(b.Hysteresis)
			}
			*x.Quality = span(b.Quality)
			x.Priority = b.Lowest + topics.Priority(rnd.IntN(int(b.Highest-b.Lowest)+1))
			if x.Off = b.Off != topics.OffNever && rnd.IntN(3) == 0; x.Off && b.Lethal() {
				l.LethalOff = append(l.LethalOff, b.Rule)
			}
			l.Limits = append(l.Limits, x)
		}
		if rnd.IntN(4) == 0 {
			l.Profile = registry.Profiles()[rnd.IntN(len(registry.Profiles()))].Name
		}
		ask(&topics.Request{Kind: &topics.Request_PutLayer{PutLayer: l}})
	}
	t.Logf("%d changes were accepted, %d sets said", accepted, sets)
	if sets < 1000 || accepted < 500 {
		t.Error("hardly anything was tried")
	}
}
