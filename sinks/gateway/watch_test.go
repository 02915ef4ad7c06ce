package gateway

import (
	"testing"
	"time"

	"heartwire/topics"
)

func page(of, node string, resumed bool, patients ...string) topics.Record[*topics.Page] {
	return topics.Record[*topics.Page]{Key: topics.Key(of), Value: &topics.Page{
		Of: of, Id: of + node, Priority: topics.Priority_PRIORITY_HIGH,
		Kind: &topics.Page_Monitoring{Monitoring: &topics.Monitoring{
			Scope: topics.MonitoringScope_MONITORING_SCOPE_UNIT, Node: node, Resumed: resumed, SinceUs: 7, Reason: "no-decision", Patients: patients,
		}},
	}}
}

func watchOf(m *ServerMessage) (*Watch, bool) { return m.GetWatch(), m.GetWatch() != nil }

// Who is not monitored is told each second to everybody, who came before and
// who comes later, and once that all are again.
func TestWhoIsNotMonitoredIsTold(t *testing.T) {
	r := start(t, nil)
	before := r.connect(protocolProto)
	give(t, r.Pages(), topics.Pages, page("unit/4 West", "", false, "p1", "p2"), page("site", "http://gw/readyz", false))
	for _, p := range []*peer{before, r.connect(protocolJSON)} {
		w := until(p, watchOf)
		if len(w.Stopped) != 2 || w.Stopped[0].Node != "http://gw/readyz" || w.Stopped[0].Unit != "" || w.Stopped[1].Unit != "4 West" ||
			w.Stopped[1].Patients != 2 || w.Stopped[1].SinceUs != 7 || w.Stopped[1].Priority != topics.Priority_PRIORITY_HIGH {
			t.Errorf("told %v", w)
		}
	}
	give(t, r.Pages(), topics.Pages, page("unit/4 West", "", true))
	one := func(m *ServerMessage) (*Watch, bool) { w := m.GetWatch(); return w, w != nil && len(w.Stopped) == 1 }
	until(before, one)
	give(t, r.Pages(), topics.Pages, page("site", "http://gw/readyz", true))
	none := func(m *ServerMessage) (*Watch, bool) { w := m.GetWatch(); return w, w != nil && len(w.Stopped) == 0 }
	until(before, none)
	for range 2 { // seconds, in which nothing more is said of it
		if m, err := before.read(); err != nil || m.GetHeartbeat() == nil {
			t.Errorf("told again: %v, %v", m, err)
		}
	}
}

// What a watcher does not say again, it does not know any more.
func TestAWatcherThatIsGone(t *testing.T) {
	var u unwatched
	now := time.Now()
	u.take(now, page("unit/4 West", "", false).Value)
	if u.message(now.Add(time.Hour)) == nil {
		t.Error("an hour later it is not told")
	}
	if m := u.message(now.Add(unwatchedFor + 1)); m == nil {
		t.Error("that it is over is not told")
	}
	if m := u.message(now.Add(unwatchedFor + 2)); m != nil {
		t.Error("it is told for ever")
	}
}

// A synthetic patient is nobody to be shown, whatever comes first.
func TestSyntheticPatientsAreNotShown(t *testing.T) {
	r := start(t, nil)
	p := r.connect(protocolProto)
	p.subscribeAll()
	give(t, r.Frames(), topics.Frames, frame("synthetic", 1))
	give(t, r.Settings(), topics.Settings,
		patientSetting(1, &topics.Patient{Patient: "synthetic", Unit: topics.SyntheticUnit}),
		patientSetting(2, &topics.Patient{Patient: "synthetic-2", Unit: topics.SyntheticUnit}),
		patientSetting(3, &topics.Patient{Patient: "p1", Unit: "4W"}))
	give(t, r.Alarms(), topics.Alarms, alarm("synthetic", "a", 1, active), alarm("p1", "b", 1, active))
	for {
		m := p.next()
		if s := m.GetSnapshot(); s.GetBed().GetPatient() != "p1" && s != nil || m.GetAlarm().GetPatient() == "synthetic" {
			t.Fatalf("shown: %v", m)
		}
		if m.GetSnapshot().GetBed().GetPatient() == "p1" {
			break
		}
	}
}
