package watch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"heartwire/topics"
)

const (
	parts = 4
)

// site is a site as a watcher sees it, second by second, without a clock.
type site struct {
	t      *testing.T
	j      *judge
	b      *book
	now    time.Time
	tick   [parts]struck         // the newest
	dead   [parts]bool           // whose stages stand still
	wait   [parts][]*topics.Tick // struck meanwhile
	away   bool                  // Kafka is
	absent map[topics.Key]bool
	keys   []topics.Key
	said   []*topics.Page
	when   []time.Time
}

type struck struct {
	n      uint64
	wallUs int64
}

func newSite(t *testing.T, nodes ...string) *site {
	t.Helper()
	s := &site{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), absent: map[topics.Key]bool{}, b: newBook(5 * time.Minute)}
	s.j = newJudge(DefaultConfig().After, parts, nodes, s.now)
	return s
}

// admit puts a patient of a partition into a unit, with a patch.
func (s *site) admit(unit string, partition int32) topics.Key {
	for n := 0; ; n++ {
		key := topics.Key(fmt.Sprintf("p%d-%d", len(s.keys), n))
		if topics.Partition(key, parts) != partition {
			continue
		}
		s.keys = append(s.keys, key)
		s.j.setting(&topics.Setting{Version: uint64(len(s.keys)), Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: string(key), Unit: unit, Bed: "B" + string(key)}}})
		s.j.setting(&topics.Setting{Version: uint64(len(s.keys)), Kind: &topics.Setting_Device{Device: &topics.Device{
			Device: "d-" + string(key), Bindings: []*topics.DeviceBinding{{Patient: string(key), FromUs: 1}},
		}}})
		return key
	}
}

// alarm and chart are records as they come now.
func (s *site) alarm(partition int32, key topics.Key, v *topics.Alarm) {
	s.j.alarm(s.now, &topics.Record[*topics.Alarm]{Key: key, Partition: partition, Value: v})
}

func (s *site) chart(partition int32, key topics.Key, v *topics.Chart) {
	s.j.second(s.now, &topics.Record[*topics.Chart]{Key: key, Partition: partition, Value: v})
}

// come brings the partition's next tick, with the Seconds before it.
func (s *site) come(p int32, t *topics.Tick) {
	for _, key := range s.keys {
		if topics.Partition(key, parts) == p && !s.absent[key] {
			s.chart(p, key, &topics.Chart{Patient: string(key), TimeUs: t.WallUs, Kind: &topics.Chart_Second{Second: &topics.Second{}}})
		}
	}
	s.chart(p, "", topics.Charts.Wrap(t))
	s.alarm(p, "", topics.Alarms.Wrap(t))
}

// strike is the partition's next tick.
func (s *site) strike(p int, elapsed time.Duration) *topics.Tick {
	t := &topics.Tick{N: s.tick[p].n + 1, Owner: 1, ElapsedUs: elapsed.Microseconds(), WallUs: s.now.UnixMicro()}
	s.tick[p] = struck{t.N, t.WallUs}
	return t
}

// run lets time pass, with a tick a second in what lives and a look each quarter.
func (s *site) run(d time.Duration) {
	s.t.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		for p := range parts {
			s.wait[p] = append(s.wait[p], s.strike(p, time.Second))
			if s.dead[p] {
				continue
			}
			for _, t := range s.wait[p] {
				s.come(int32(p), t)
			}
			s.wait[p] = nil
		}
		for range 4 {
			if !s.away {
				s.j.kafka = s.now
			}
			s.now = s.now.Add(lookEvery)
			s.look()
		}
	}
}

func (s *site) look() {
	v := s.j.look(s.now, s.now.UnixMicro())
	for _, p := range s.b.settle(s.now, s.now.UnixMicro(), v) {
		s.said, s.when = append(s.said, p), append(s.when, s.now)
	}
}

// begun is a site that is watched and quiet.
func begun(t *testing.T, nodes ...string) *site {
	t.Helper()
	s := newSite(t, nodes...)
	s.run(3 * time.Second)
	s.j.ready(s.now)
	return s
}

// quiet wants that nothing has been said.
func (s *site) quiet() {
	s.t.Helper()
	if len(s.said) > 0 {
		s.t.Fatalf("said %v", s.said)
	}
}

// only takes the one page that has been said since the last call.
func (s *site) only(of string, scope topics.MonitoringScope, reason string) (*topics.Page, time.Time) {
	s.t.Helper()
	if len(s.said) != 1 {
		s.t.Fatalf("said %d pages, want one of %s: %v", len(s.said), of, s.said)
	}
	p, at := s.said[0], s.when[0]
	s.said, s.when = nil, nil
	m := p.GetMonitoring()
	if p.GetOf() != of || m.GetScope() != scope || m.GetReason() != reason || p.GetPriority() != topics.Priority_PRIORITY_HIGH {
		s.t.Fatalf("said %v, want %s %v for %s, HIGH", p, of, scope, reason)
	}
	return p, at
}

const (
	somePatients = topics.MonitoringScope_MONITORING_SCOPE_PATIENT
	wholeUnit    = topics.MonitoringScope_MONITORING_SCOPE_UNIT
	oneNode      = topics.MonitoringScope_MONITORING_SCOPE_NODE
	wholeSite    = topics.MonitoringScope_MONITORING_SCOPE_SITE
)

func TestWhoIsMonitoredIsNoNews(t *testing.T) {
	s := begun(t)
	s.admit("4W", 0)
	s.run(time.Hour)
	s.quiet()
	if v := s.j.look(s.now, s.now.UnixMicro()); v.expected != 1 || v.blind || !v.sound(subject{of: "unit/4W"}) {
		t.Errorf("%+v", v)
	}
}

// A partition that stands still takes the units of its patients with it: one
// page a unit, within 15 s of the last decision, and one when it goes on.
func TestAPartitionStandsStill(t *testing.T) {
	s := begun(t)
	a, b := s.admit("4W", 1), s.admit("4W", 1)
	other := s.admit("4W", 2)
	icu := s.admit("ICU", 1)
	s.run(20 * time.Second)
	s.quiet()
	last := s.tick[1].wallUs
	s.dead[1] = true
	s.run(12 * time.Second) // 13 s without a tick: a broker's restart
	s.quiet()
	s.run(time.Second)
	if len(s.said) != 2 {
		t.Fatalf("said %v, want one page a unit", s.said)
	}
	for i, want := range []struct {
		of       string
		scope    topics.MonitoringScope
		patients []topics.Key
	}{{"unit/4W", somePatients, []topics.Key{a, b}}, {"unit/ICU", wholeUnit, []topics.Key{icu}}} {
		p := s.said[i]
		m := p.GetMonitoring()
		var keys []string
		for _, k := range want.patients {
			keys = append(keys, string(k))
		}
		slices.Sort(keys)
		if p.Of != want.of || m.Scope != want.scope || !slices.Equal(m.Patients, keys) || m.SinceUs != last || m.Reason != reasonNoDecision || m.Resumed {
			t.Errorf("%d: said %v, want %s, %v, since %d", i, p, want.of, keys, last)
		}
		if took := s.when[i].Sub(topics.MicroTime(last)); took > 15*time.Second {
			t.Errorf("%s: said %s after the last decision", p.Of, took)
		}
		if slices.Contains(m.Patients, string(other)) {
			t.Errorf("%s is monitored", other)
		}
	}
	ids := []string{s.said[0].Id, s.said[1].Id}
	s.said, s.when = nil, nil
	s.run(time.Minute)
	s.quiet() // it is said again each five minutes only
	s.run(5 * time.Minute)
	for i, p := range s.said {
		if !p.GetMonitoring().GetAgain() || p.Id != ids[i] {
			t.Errorf("said again as %v, want %s", p, ids[i])
		}
	}
	if len(s.said) != 2 {
		t.Errorf("said again: %v", s.said)
	}
	s.said, s.when = nil, nil
	s.dead[1] = false
	s.run(5 * time.Second)
	if len(s.said) != 2 {
		t.Fatalf("said %v, want that both are monitored again", s.said)
	}
	for i, p := range s.said {
		if m := p.GetMonitoring(); !m.Resumed || m.ResumedUs == 0 || m.SinceUs != last || p.Id != ids[i] {
			t.Errorf("said %v, want the end of %s", p, ids[i])
		}
	}
	s.said, s.when = nil, nil
	s.run(time.Minute)
	s.quiet()
}

// 500 patients are not 500 pages, and what stops in the second after the first
// is the same page.
func TestOneOutageIsOnePageAUnit(t *testing.T) {
	s := begun(t)
	for i := range 500 {
		s.admit("4W", int32(i%3))
	}
	s.run(20 * time.Second)
	for p := range 3 {
		s.dead[p] = true
		s.run(time.Second)
	}
	s.run(20 * time.Second)
	p, _ := s.only("unit/4W", wholeUnit, reasonNoDecision)
	if n := len(p.GetMonitoring().Patients); n != 500 {
		t.Errorf("%d patients, want 500", n)
	}
}

func TestTheWholeSite(t *testing.T) {
	s := begun(t)
	s.admit("4W", 1)
	s.run(20 * time.Second)
	s.dead, s.away = [parts]bool{true, true, true, true}, true
	s.run(15 * time.Second)
	p, _ := s.only("site", wholeSite, reasonKafka)
	if len(p.GetMonitoring().Patients) > 0 {
		t.Errorf("the site's page names patients")
	}
	// One partition comes back: the site is monitored again, and the unit is not.
	s.dead[0] = false
	s.run(6 * time.Second)
	if len(s.said) != 2 || !s.said[0].GetMonitoring().GetResumed() && !s.said[1].GetMonitoring().GetResumed() {
		t.Fatalf("said %v, want the end of the site's and the unit's", s.said)
	}
	s.said, s.when = nil, nil
	s.dead[1], s.dead[2], s.dead[3] = false, false, false
	s.run(6 * time.Second)
	if p, _ := s.only("unit/4W", wholeUnit, reasonNoDecision); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}

// A stage that goes on, far behind, monitors nobody.
func TestAStageThatIsBehind(t *testing.T) {
	s := begun(t)
	s.admit("4W", 1)
	s.run(20 * time.Second)
	s.dead[1] = true
	slow := func(d time.Duration) { // of two ticks one comes, late
		for range d / (2 * time.Second) {
			s.run(2 * time.Second)
			s.come(1, s.wait[1][0])
			s.wait[1] = s.wait[1][1:]
		}
	}
	slow(20 * time.Second)
	s.quiet()
	slow(6 * time.Second)
	if p, _ := s.only("unit/4W", wholeUnit, reasonBehind); p.GetMonitoring().Resumed {
		t.Fatal(p)
	}
	s.dead[1] = false // it catches up
	s.run(2 * time.Second)
	if p, _ := s.only("unit/4W", wholeUnit, reasonBehind); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}

// Clocks that are set, or run at another speed, change nothing.
func TestOtherClocks(t *testing.T) {
	s := begun(t)
	s.admit("4W", 1)
	s.run(20 * time.Second)
	for i := range 4 * 3600 { // its second is 200 ppm longer than ours
		for p := range parts {
			tick := s.strike(p, time.Second)
			if p == 1 {
				tick.ElapsedUs -= 200
			}
			if i > 3600 {
				tick.WallUs -= time.Hour.Microseconds()
			}
			s.come(int32(p), tick)
		}
		s.now = s.now.Add(time.Second)
		s.look()
	}
	s.quiet()
	// A clock that was away for 10 s says 5 s of it, and a wall clock that was set
	// back meanwhile nothing: what comes then is not believed to be late.
	s.now = s.now.Add(10 * time.Second)
	for range 10 {
		s.j.slept(0)
		s.look()
	}
	s.quiet()
	tick := s.strike(1, topics.MaxElapsed)
	tick.WallUs -= 2 * time.Hour.Microseconds()
	s.come(1, tick)
	if age := s.j.decided[1].age(s.now, s.now); age > time.Second {
		t.Errorf("a decision that has come is %s old", age)
	}
}

// A patient of whom nothing is said, though the partition goes on.
func TestAPatientIsAbsent(t *testing.T) {
	s := begun(t)
	a, b := s.admit("4W", 1), s.admit("4W", 1)
	s.run(20 * time.Second)
	s.absent[a] = true
	s.run(12 * time.Second)
	s.quiet()
	s.run(2 * time.Second)
	p, _ := s.only("unit/4W", somePatients, reasonAbsent)
	if m := p.GetMonitoring(); len(m.Patients) != 1 || m.Patients[0] != string(a) || m.SinceUs == 0 {
		t.Errorf("said %v", p)
	}
	// One more is said at once, and one less when it stays so.
	s.absent[b] = true
	s.run(15 * time.Second)
	if p, _ := s.only("unit/4W", wholeUnit, reasonAbsent); !p.GetMonitoring().Again || len(p.GetMonitoring().Patients) != 2 {
		t.Errorf("said %v", p)
	}
	delete(s.absent, b)
	s.run(10 * time.Second)
	if p, _ := s.only("unit/4W", somePatients, reasonAbsent); len(p.GetMonitoring().Patients) != 1 {
		t.Errorf("said %v", p)
	}
	// Who is discharged is not waited for.
	s.j.setting(&topics.Setting{Version: 99, Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: string(a), Unit: "4W", Discharged: true}}})
	s.run(time.Second)
	if p, _ := s.only("unit/4W", somePatients, reasonAbsent); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}

func TestWhoIsNotWaitedFor(t *testing.T) {
	for name, change := range map[string]func(s *site, key topics.Key){
		"discharged": func(s *site, key topics.Key) {
			s.j.setting(&topics.Setting{Version: 99, Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: string(key), Unit: "4W", Discharged: true}}})
		},
		"without a patch": func(s *site, key topics.Key) {
			s.j.setting(&topics.Setting{Version: 99, Kind: &topics.Setting_Device{Device: &topics.Device{
				Device: "d-" + string(key), Bindings: []*topics.DeviceBinding{{Patient: string(key), FromUs: 1, UntilUs: 2}},
			}}})
		},
		"on standby": func(s *site, key topics.Key) {
			s.alarm(1, key, &topics.Alarm{Patient: string(key), Kind: &topics.Alarm_Silence{Silence: &topics.Silence{On: true, Standby: true, UntilUs: s.now.Add(time.Hour).UnixMicro()}}})
		},
		"synthetic": func(s *site, key topics.Key) {
			s.j.setting(&topics.Setting{Version: 99, Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: string(key), Unit: topics.SyntheticUnit}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begun(t)
			key := s.admit("4W", 1)
			s.run(10 * time.Second)
			change(s, key)
			s.absent[key], s.dead[1] = true, true
			s.run(time.Minute)
			s.quiet()
		})
	}
}

// A standby whose end nobody says, because the stage that would stands still.
func TestAStandbyThatShouldBeOver(t *testing.T) {
	s := begun(t)
	key := s.admit("4W", 1)
	s.alarm(1, key, &topics.Alarm{Patient: string(key), Kind: &topics.Alarm_Silence{Silence: &topics.Silence{On: true, Standby: true, UntilUs: s.now.Add(40 * time.Second).UnixMicro()}}})
	s.run(5 * time.Second)
	s.dead[1] = true
	s.run(30 * time.Second)
	s.quiet()
	s.run(10 * time.Second)
	s.only("unit/4W", wholeUnit, reasonNoDecision)
}

// A device that is bound to nobody is watched while it sends.
func TestADeviceBoundToNobody(t *testing.T) {
	s := begun(t)
	var key topics.Key
	for n := 0; topics.Partition(key, parts) != 1; n++ {
		key = topics.Key(fmt.Sprint("u-", n))
	}
	s.keys = append(s.keys, key)
	s.run(20 * time.Second)
	s.dead[1] = true
	s.run(20 * time.Second)
	s.only("unit/unassigned", wholeUnit, reasonNoDecision)
	s.dead[1] = false
	s.run(10 * time.Second)
	s.said = nil
	s.absent[key] = true // it is put into a drawer
	s.run(20 * time.Minute)
	s.quiet()
	if len(s.j.patients) > 0 {
		t.Errorf("%d keys are still known", len(s.j.patients))
	}
}

func TestANode(t *testing.T) {
	const url = "http://127.0.0.1:1/readyz"
	s := begun(t, url)
	well := true
	run := func(d time.Duration) {
		for range d / time.Second {
			if problem := ""; well {
				s.j.asked(s.now, s.now.UnixMicro(), url, problem)
			} else {
				s.j.asked(s.now, s.now.UnixMicro(), url, "it answers 503")
			}
			s.run(time.Second)
		}
	}
	run(20 * time.Second)
	well = false
	run(12 * time.Second)
	s.quiet()
	run(2 * time.Second)
	p, _ := s.only("site", oneNode, reasonNode)
	if p.GetMonitoring().Node != url || p.GetMonitoring().SinceUs == 0 {
		t.Errorf("said %v", p)
	}
	well = true
	run(time.Second)
	if p, _ := s.only("site", oneNode, reasonNode); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}

// What is not read while the watcher itself stands still is not missing.
func TestTheWatcherStoodStill(t *testing.T) {
	s := begun(t, "http://127.0.0.1:1/readyz")
	s.j.trial = &trial{last: s.now, missed: func() { t.Error("missed") }}
	s.admit("4W", 1)
	s.run(10 * time.Second)
	s.j.asked(s.now, s.now.UnixMicro(), "http://127.0.0.1:1/readyz", "")
	s.now = s.now.Add(10 * time.Minute)
	s.look()
	s.quiet()
	for p := range parts { // and then all comes at once
		for range 600 {
			s.come(int32(p), s.strike(p, time.Second))
		}
	}
	s.j.asked(s.now, s.now.UnixMicro(), "http://127.0.0.1:1/readyz", "")
	s.run(10 * time.Second)
	s.quiet()
	s.dead[1] = true
	s.run(15 * time.Second)
	if len(s.said) == 0 || s.said[0].Of != "site" && s.said[0].Of != "unit/4W" {
		t.Errorf("said %v", s.said)
	}
}

func TestBeforeTheLogIsRead(t *testing.T) {
	s := newSite(t)
	v := s.j.look(s.now, 1)
	if !v.blind || len(v.stopped) > 0 || v.sound(subject{of: "site"}) {
		t.Errorf("at first %+v", v)
	}
	for range 60 { // 15 s
		s.now = s.now.Add(lookEvery)
		s.look()
	}
	s.only("site", wholeSite, reasonKafka)

	s = newSite(t)
	for range 4 * 61 {
		s.now = s.now.Add(lookEvery)
		s.j.kafka = s.now
		s.look()
	}
	s.only("site", wholeSite, reasonReading)
	s.run(20 * time.Second) // ticks come; who reads does not know yet whether these are all
	s.quiet()
	s.j.ready(s.now)
	s.run(time.Second)
	if p, _ := s.only("site", wholeSite, reasonReading); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}

func TestTheSyntheticPatient(t *testing.T) {
	s := begun(t)
	var took []float64
	missed := 0
	tr := &trial{patient: "synthetic", last: s.now, took: func(f float64) { took = append(took, f) }, missed: func() { missed++ }}
	s.j.trial = tr
	alarm := func(id string, onset uint64) {
		s.alarm(topics.Partition("synthetic", parts), "synthetic", &topics.Alarm{Patient: "synthetic", Kind: &topics.Alarm_State{State: &topics.AlarmState{
			Id: id, Rule: topics.RuleAsystole, Condition: topics.AlarmCondition_ALARM_CONDITION_ACTIVE, Boot: 7, OnsetSample: onset, RaisedUs: s.now.UnixMicro(),
		}}})
	}
	// Sample 11250 was taken 5 s ago.
	tr.sent(s.now, 7, 11250, s.now.Add(-5*time.Second))
	alarm("a", 11250)
	if len(took) != 1 || took[0] < 4.999 || took[0] > 5.001 {
		t.Errorf("took %v, want 5 s", took)
	}
	s.run(70 * time.Second)
	s.quiet()
	alarm("b", 0)
	s.run(70 * time.Second)
	s.quiet()
	alarm("b", 0) // another word on the same one is no other one
	if tr.lastSeen = "annotations"; !tr.doubtful(s.now) {
		t.Error("it is not looked for")
	}
	s.run(6 * time.Second)
	p, _ := s.only("site", wholeSite, reasonSynthetic)
	if m := p.GetMonitoring(); m.LastSeen != "annotations" || m.SinceUs != tr.raisedUs || missed != 1 {
		t.Errorf("said %v, missed %d", p, missed)
	}
	alarm("c", 0)
	s.run(time.Second)
	if p, _ := s.only("site", wholeSite, reasonSynthetic); !p.GetMonitoring().Resumed {
		t.Errorf("said %v", p)
	}
}
