package registry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// limit is a limit with all that a layer must say of a rule with a value.
func limit(rule string, value, seconds float64) *topics.Limit {
	l := &topics.Limit{Rule: rule, Value: value, DurationS: seconds}
	if b := topics.FindBuiltIn(rule); b != nil {
		l.Hysteresis = b.Hysteresis.Default
	}
	return l
}

func off(rule string) *topics.Limit { return &topics.Limit{Rule: rule, Off: true} }

func until(l *topics.Limit, us int64) *topics.Limit {
	l.ExpiresUs = us
	return l
}

func lay(of, reason string, limits ...*topics.Limit) *topics.Request {
	return &topics.Request{Reason: reason, Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{Of: of, Limits: limits}}}
}

func use(of, profile string, limits ...*topics.Limit) *topics.Request {
	r := lay(of, "policy", limits...)
	r.GetPutLayer().Profile = profile
	return r
}

// ward is a site with two units, three patients, and time.
func ward(t *testing.T) *site {
	s := newSite(t)
	s.state.Wall = s.now
	s.ask(put(&topics.Patient{Patient: "p1", Unit: "4W"}))
	s.ask(put(&topics.Patient{Patient: "p2", Unit: "4W"}))
	s.ask(put(&topics.Patient{Patient: "p3", Unit: "5E"}))
	return s
}

// force is what a patient is judged by, as the record says it.
func (s *site) force(patient, rule string) *topics.Limit {
	s.t.Helper()
	for _, l := range s.state.limits(find(s.state.Patients, patient)).Limits {
		if l.Rule == rule {
			return l
		}
	}
	s.t.Fatalf("%s has no limit of %s", patient, rule)
	return nil
}

// says is a limit in force, short.
func (s *site) says(patient, rule string) string {
	s.t.Helper()
	l := s.force(patient, rule)
	text := fmt.Sprintf("%v for %v s by %v from %s", l.Value, l.DurationS, l.Hysteresis, l.Layer)
	if l.Off {
		text = "off from " + l.Layer
	}
	return text
}

func (s *site) tick(wall int64) (said []string) {
	s.t.Helper()
	if err := s.proc.Advance(&s.state, &topics.Tick{N: 1, Owner: 1, ElapsedUs: 1e6, WallUs: wall}, func(v proto.Message) { said = append(said, s.line(v)) }); err != nil {
		s.t.Fatal(err)
	}
	return said
}

// "Heart rate high 130 for 10 s, PVC/min 6, no AF alarm."
func TestADoctorSetsLimitsOfOnePatient(t *testing.T) {
	s := ward(t)
	r := lay("patient/p1", "clinical-order", limit(topics.RuleHRHigh, 130, 10), limit(topics.RulePVC, 6, 0), off(topics.RuleAF))
	r.Author = "doctor-3"
	expect(t, s.ask(r), "layer/patient/p1 v4\nlimits/p1 v4\np1 has a whole set\naccepted, version 4")
	expect(t, s.says("p1", topics.RuleHRHigh), "130 for 10 s by 2 from patient")
	expect(t, s.says("p1", topics.RulePVC), "6 for 0 s by 2 from patient")
	expect(t, s.says("p1", topics.RuleAF), "off from patient")
	expect(t, s.says("p1", topics.RuleHRLow), "50 for 3 s by 2 from default")
	// What goes by the rate limit goes with it, and says from where.
	expect(t, s.says("p1", topics.RuleHRExtremeHigh), "150 for 0 s by 2 from patient")
	expect(t, s.says("p1", topics.RuleAFFast), "130 for 10 s by 2 from patient")
	expect(t, s.says("p2", topics.RuleHRHigh), "120 for 3 s by 2 from default")
	l := s.force("p1", topics.RuleHRHigh)
	if l.Author != "doctor-3" || l.Reason != "clinical-order" || l.SetUs != s.now || l.Priority != topics.Priority_PRIORITY_MEDIUM || l.Latching == nil || l.Quality == nil {
		t.Errorf("the limit says %v", l)
	}
	// Another changes one value: the others keep their author.
	r = lay("patient/p1", "nuisance", limit(topics.RuleHRHigh, 130, 10), limit(topics.RulePVC, 8, 0), off(topics.RuleAF))
	r.Author, r.Expected = "nurse-7", proto.Uint64(4)
	s.ask(r)
	if a, b := s.force("p1", topics.RuleHRHigh), s.force("p1", topics.RulePVC); a.Author != "doctor-3" || a.Reason != "clinical-order" || b.Author != "nurse-7" || b.Reason != "nuisance" {
		t.Errorf("authors are %s for %s and %s for %s", a.Author, a.Reason, b.Author, b.Reason)
	}
	// Said again, it says nothing new.
	expect(t, s.ask(proto.CloneOf(lay("patient/p1", "nuisance", limit(topics.RuleHRHigh, 130, 10), limit(topics.RulePVC, 8, 0), off(topics.RuleAF)))), "accepted, version 5")
}

func TestLayersLieAboveEachOther(t *testing.T) {
	s := ward(t)
	expect(t, s.ask(lay("site", "policy", limit(topics.RuleHRHigh, 125, 3), limit(topics.RulePVC, 12, 0))),
		"layer/site v4\nlimits/p1 v4\np1 has a whole set\nlimits/p2 v4\np2 has a whole set\nlimits/p3 v4\np3 has a whole set\naccepted, version 4")
	expect(t, s.ask(lay("unit/4W", "policy", limit(topics.RuleHRHigh, 128, 3))),
		"layer/unit/4W v5\nlimits/p1 v5\np1 has a whole set\nlimits/p2 v5\np2 has a whole set\naccepted, version 5")
	s.ask(lay("patient/p1", "clinical-order", limit(topics.RuleHRHigh, 131, 3)))
	// Only those are told for whom it is another set: p1 has a value of its own, p1 and p2 the unit's.
	expect(t, s.ask(lay("site", "policy", limit(topics.RuleHRHigh, 124, 3), limit(topics.RulePVC, 12, 0))),
		"layer/site v7\nlimits/p3 v7\np3 has a whole set\naccepted, version 7")
	for _, want := range [][2]string{{"p1", "131 for 3 s by 2 from patient"}, {"p2", "128 for 3 s by 2 from unit"}, {"p3", "124 for 3 s by 2 from site"}} {
		expect(t, s.says(want[0], topics.RuleHRHigh), want[1])
	}
	expect(t, s.says("p1", topics.RulePVC), "12 for 0 s by 2 from site")
	// Cleared, the layer beneath holds again. Moved, the other unit's.
	s.ask(lay("patient/p1", "correction"))
	expect(t, s.says("p1", topics.RuleHRHigh), "128 for 3 s by 2 from unit")
	s.ask(put(&topics.Patient{Patient: "p2", Unit: "5E"}))
	expect(t, s.says("p2", topics.RuleHRHigh), "124 for 3 s by 2 from site")
}

func TestProfiles(t *testing.T) {
	s := ward(t)
	child := &topics.Patient{Patient: "child", Unit: "4W", AgeGroup: topics.AgeGroup_AGE_GROUP_PAEDIATRIC}
	s.ask(put(child))
	s.ask(put(&topics.Patient{Patient: "baby", Unit: "NICU", AgeGroup: topics.AgeGroup_AGE_GROUP_NEONATE}))
	s.ask(lay("unit/4W", "policy", limit(topics.RuleHRHigh, 110, 3), limit(topics.RulePVC, 5, 0)))
	expect(t, s.says("p1", topics.RuleHRHigh), "110 for 3 s by 2 from unit")
	// A unit's values are for adults: a child among them has its own, and the rest of the unit's.
	expect(t, s.says("child", topics.RuleHRHigh), "160 for 3 s by 2 from profile")
	expect(t, s.says("child", topics.RuleHRExtremeLow), "60 for 0 s by 2 from profile")
	expect(t, s.says("child", topics.RulePVC), "5 for 0 s by 2 from unit")
	expect(t, s.says("baby", topics.RuleHRLow), "100 for 3 s by 2 from profile")
	// A unit for children says so, and then its own values lie above.
	s.ask(use("unit/4W", "paediatric", limit(topics.RuleHRHigh, 170, 3)))
	expect(t, s.says("child", topics.RuleHRHigh), "170 for 3 s by 2 from unit")
	expect(t, s.says("child", topics.RuleHRLow), "75 for 3 s by 2 from profile")
	expect(t, s.says("p1", topics.RuleHRHigh), "120 for 3 s by 2 from profile") // an adult among children
	// A profile that is chosen for the patient lies beneath the patient's own values.
	s.ask(use("patient/p3", "post-surgery", limit(topics.RuleHRLow, 42, 5)))
	expect(t, s.says("p3", topics.RuleHRHigh), "130 for 10 s by 2 from profile")
	expect(t, s.says("p3", topics.RuleHRLow), "42 for 5 s by 2 from patient")
	if l := s.force("p3", topics.RuleAF); l.Priority != topics.Priority_PRIORITY_MEDIUM || l.DurationS != 30 {
		t.Errorf("AF after surgery: %v", l)
	}
	if got := s.state.limits(find(s.state.Patients, "p3")).Profile; got != "post-surgery" {
		t.Errorf("the record says profile %q", got)
	}
	// One of the site's own.
	own := &topics.Request{Reason: "policy", Kind: &topics.Request_PutProfile{PutProfile: &topics.Profile{Name: "dialysis", Limits: []*topics.Limit{limit(topics.RuleHRLow, 45, 3)}}}}
	expect(t, s.ask(own), fmt.Sprintf("profile/dialysis v%d\naccepted, version %[1]d", s.state.Version))
	s.ask(use("patient/p2", "dialysis"))
	expect(t, s.says("p2", topics.RuleHRLow), "45 for 3 s by 2 from profile")
	changed := proto.CloneOf(own)
	changed.Id = ""
	changed.GetPutProfile().Limits[0].Value = 47
	if said := s.ask(changed); !strings.Contains(said, "limits/p2") || strings.Contains(said, "limits/p3") {
		t.Errorf("a profile that p2 has changed, and %s", said)
	}
	expect(t, s.says("p2", topics.RuleHRLow), "47 for 3 s by 2 from profile")
}

// What is built in can be put by anybody as it is: no number of it is out of bounds.
func TestBuiltInProfilesAreWithinBounds(t *testing.T) {
	for _, p := range Profiles() {
		s := ward(t)
		r := &topics.Request{Reason: "policy", Kind: &topics.Request_PutProfile{PutProfile: &topics.Profile{Name: "copy", AgeGroup: p.AgeGroup, Limits: p.Limits}}}
		if said := s.ask(r); !strings.Contains(said, "accepted") {
			t.Errorf("profile %s: %s", p.Name, said)
		}
		if said := s.ask(use("patient/p1", p.Name)); !strings.Contains(said, "accepted") {
			t.Errorf("profile %s: %s", p.Name, said)
		}
	}
}

func TestWhatExpiresGivesWayToTheLayerBeneath(t *testing.T) {
	s := ward(t)
	at := s.now + time.Hour.Microseconds()
	s.ask(lay("unit/4W", "policy", limit(topics.RuleHRHigh, 125, 3)))
	s.ask(lay("patient/p1", "post-procedure", until(limit(topics.RuleHRHigh, 140, 3), at), limit(topics.RulePVC, 6, 0)))
	if said := s.tick(at - 1); len(said) > 0 {
		t.Fatalf("before its time: %q", said)
	}
	expect(t, strings.Join(s.tick(at), "\n"), "layer/patient/p1 v6\nlimits/p1 v6\np1 has a whole set")
	expect(t, s.says("p1", topics.RuleHRHigh), "125 for 3 s by 2 from unit")
	expect(t, s.says("p1", topics.RulePVC), "6 for 0 s by 2 from patient")
	if said := s.tick(at + 1e6); len(said) > 0 {
		t.Fatalf("a second time: %q", said)
	}
	// Who had looked before must look again.
	s.now = at
	r := lay("patient/p1", "nuisance")
	r.Expected = proto.Uint64(5)
	expect(t, s.ask(r), "refused: version 5 was expected and 6 is in force: look again, and ask again")
}

func TestInvertedLimitsAreRefusedForWhomeverTheyWouldHold(t *testing.T) {
	s := ward(t)
	s.ask(lay("patient/p1", "clinical-order", limit(topics.RuleHRLow, 90, 3)))
	s.ask(lay("patient/p3", "clinical-order", limit(topics.RuleHRLow, 95, 3)))
	for _, c := range []struct {
		request *topics.Request
		want    string
	}{
		{lay("site", "policy", limit(topics.RuleHRHigh, 90, 3)), "refused: hr.low of 90 /min (patient) would not be below hr.high of 90 /min (site), for p1, p3: change that first, or set both"},
		{lay("unit/5E", "policy", limit(topics.RuleHRHigh, 80, 3)), "refused: hr.low of 95 /min (patient) would not be below hr.high of 80 /min (unit), for p3: change that first, or set both"},
		{lay("unit/none-lies-here", "policy", limit(topics.RuleHRLow, 130, 3)), `refused: hr.low of 130 /min (unit) would not be below hr.high of 120 /min (default), for unit "none-lies-here": change that first, or set both`},
		{lay("patient/p2", "policy", limit(topics.RuleHRLow, 120, 3)), "refused: hr.low of 120 /min (patient) would not be below hr.high of 120 /min (default): set both, or one of them otherwise"},
		{lay("patient/p2", "policy", limit(topics.RuleHRLow, 130, 3), until(limit(topics.RuleHRHigh, 160, 3), start+3600e6)),
			"refused: hr.low of 130 /min (patient) would not be below hr.high of 120 /min (default), from " + topics.MicroTime(start+3600e6).Format(time.DateTime) + " on, when what is set until then is over: set both, or one of them otherwise"},
	} {
		expect(t, s.ask(c.request), c.want)
	}
	// Both for the same time are good.
	if said := s.ask(lay("patient/p2", "policy", until(limit(topics.RuleHRLow, 130, 3), start+3600e6), until(limit(topics.RuleHRHigh, 160, 3), start+3600e6))); !strings.Contains(said, "accepted") {
		t.Error(said)
	}
	// A patient who moves must fit too.
	s.ask(lay("unit/ICU", "policy", limit(topics.RuleHRHigh, 92, 3)))
	expect(t, s.ask(put(&topics.Patient{Patient: "p3", Unit: "ICU"})), "refused: hr.low of 95 /min (patient) would not be below hr.high of 92 /min (unit): set both, or one of them otherwise")
}

func TestADischargedPatientLeavesNoLimitsBehind(t *testing.T) {
	s := ward(t)
	s.ask(lay("patient/p1", "clinical-order", limit(topics.RuleHRHigh, 150, 10)))
	expect(t, s.ask(put(&topics.Patient{Patient: "p1", Discharged: true})), "patient/p1 v5\nlayer/patient/p1 v5\naccepted, version 5")
	s.ask(put(&topics.Patient{Patient: "p1", Unit: "4W"}))
	expect(t, s.says("p1", topics.RuleHRHigh), "120 for 3 s by 2 from default")
}

func TestDevicesBoundToNobodyHaveTheSitesLimits(t *testing.T) {
	s := ward(t)
	s.ask(bind("a", "p1"))
	s.ask(bind("b", "p2"))
	s.ask(unbind("a"))
	if said := s.ask(lay("site", "policy", limit(topics.RulePVC, 20, 0))); !strings.Contains(said, "nobody-a has a whole set") || strings.Contains(said, "nobody-b") {
		t.Errorf("said %s", said)
	}
	d := find(s.state.Devices, "a")
	c := s.state.unboundLimits(s.proc, d, s.now)
	if l := c.GetLimits(); l.Limits[places[topics.RulePVC]].Value != 20 || l.Unit != unassigned || l.Version != s.state.Version {
		t.Errorf("nobody's device has %v", l)
	}
}

func TestRulesThatPeopleWrote(t *testing.T) {
	s := ward(t)
	sepsis := &topics.Rule{Name: "sepsis", When: "hr.mean(30s) > limit", Words: "SEPSIS?", Unit: "/min", Priority: topics.Priority_PRIORITY_MEDIUM, DurationS: 30}
	write := func(of string, r *topics.Rule, limits ...*topics.Limit) *topics.Request {
		q := lay(of, "policy", limits...)
		q.GetPutLayer().Rules = []*topics.Rule{proto.CloneOf(r)}
		return q
	}
	s.ask(write("unit/4W", sepsis, &topics.Limit{Rule: "sepsis", Value: 110}))
	expect(t, s.says("p1", "sepsis"), "110 for 30 s by 0 from unit")
	s.ask(lay("patient/p1", "clinical-order", &topics.Limit{Rule: "sepsis", Value: 125, DurationS: 60}))
	expect(t, s.says("p1", "sepsis"), "125 for 60 s by 0 from patient")
	s.ask(lay("patient/p2", "nuisance", off("sepsis")))
	expect(t, s.says("p2", "sepsis"), "off from patient")
	// A patient's rule takes the place of the unit's, with its limit.
	own := proto.CloneOf(sepsis)
	own.When, own.DurationS = "temp > 38.5", 5
	s.ask(write("patient/p1", own))
	set := s.state.limits(find(s.state.Patients, "p1"))
	if len(set.Limits) != len(topics.BuiltIns()) {
		t.Errorf("the unit's limit is laid over the patient's rule: %v", set.Limits[len(set.Limits)-1])
	}
	if len(set.Rules) != 1 || set.Rules[0].When != own.When || set.Rules[0].Layer != topics.LayerPatient || set.Rules[0].Version != uint32(s.state.Version) {
		t.Errorf("rules in force: %v", set.Rules)
	}
	bad := proto.CloneOf(sepsis)
	bad.When = "nonsense"
	expect(t, s.ask(write("site", bad)), `refused: rule "sepsis": when: column 1: unknown quantity nonsense`)
	for n, of := range []string{"site", "unit/4W"} {
		q := lay(of, "policy")
		for k := range 17 {
			r := proto.CloneOf(sepsis)
			r.Name = fmt.Sprintf("many-%d-%d", n, k)
			q.GetPutLayer().Rules = append(q.GetPutLayer().Rules, r)
		}
		said := s.ask(q)
		if want := []string{"accepted", "refused: p1 would have 35 rules that people wrote, with those of all layers, and 32 are judged: take some away"}[n]; !strings.Contains(said, want) {
			t.Errorf("said %s, want %s", said, want)
		}
	}
	s.ask(lay("site", "policy"))
	s.proc.check = nil
	expect(t, s.ask(write("site", sepsis)), `refused: rule "sepsis": this registry was built without the language of rules`)
	// With the unit's rule the limits for it lose their meaning, and do no harm.
	s.ask(lay("unit/4W", "policy"))
	if set := s.state.limits(find(s.state.Patients, "p2")); len(set.Rules) != 0 || len(set.Limits) != len(topics.BuiltIns()) {
		t.Errorf("%d rules and %d limits are left", len(set.Rules), len(set.Limits))
	}
}

func TestBoundsOfTheSite(t *testing.T) {
	s := ward(t)
	set := &topics.Request{Reason: "policy", Kind: &topics.Request_PutBounds{PutBounds: &topics.Bounds{
		Bounds: []*topics.Bound{{Rule: topics.RuleHRHigh, From: 90, To: 150, MayBeOff: false}, {Rule: topics.RuleAF, MayBeOff: true}, {Rule: topics.RuleSVT}}, PauseMaxS: 300,
	}}}
	if said := s.ask(set); !strings.HasPrefix(said, "bounds v4\nlimits/p1 v4") {
		t.Fatal(said)
	}
	expect(t, s.ask(lay("patient/p1", "policy", limit(topics.RuleHRHigh, 160, 3))), "refused: hr.high of 160: the site lets 90 to 150 be set")
	expect(t, s.ask(lay("unit/4W", "policy", off(topics.RuleHRHigh))), "refused: hr.high: the site does not let it be switched off")
	expect(t, s.ask(lay("patient/p1", "policy", off(topics.RuleSVT))), "refused: svt: the site does not let it be switched off")
	s.ask(lay("patient/p1", "policy", limit(topics.RuleHRHigh, 145, 3), off(topics.RuleAF)))
	expect(t, s.says("p1", topics.RuleAF), "off from patient")
	s.ask(lay("site", "policy", limit(topics.RuleHRHigh, 160, 3))) // the site may
	expect(t, s.says("p2", topics.RuleHRHigh), "160 for 3 s by 2 from site")
	narrow := proto.CloneOf(set)
	narrow.Id = ""
	narrow.GetPutBounds().Bounds[0].To = 140
	expect(t, s.ask(narrow), "refused: patient/p1 has set what these bounds exclude (hr.high of 145: the site lets 90 to 140 be set): change that first")
	pause := lay("unit/4W", "policy")
	pause.GetPutLayer().PauseS = 400
	expect(t, s.ask(pause), "refused: pause_s of 400: want 10 to 300 s")
	if l := s.state.limits(find(s.state.Patients, "p1")); l.PauseS != 120 || l.PauseMaxS != 300 {
		t.Errorf("pauses of %v to %v s", l.PauseS, l.PauseMaxS)
	}
}

// How long a HIGH alarm waits for an answer is the site's, and a unit's above it.
func TestAnAnswerIsWaitedFor(t *testing.T) {
	s := ward(t)
	wait := func(of string, seconds float64) *topics.Request {
		r := lay(of, "policy")
		r.GetPutLayer().AnswerWaitS = seconds
		return r
	}
	in := func(p1, p3 float64) {
		t.Helper()
		for name, want := range map[string]float64{"p1": p1, "p3": p3} {
			if l := s.state.limits(find(s.state.Patients, name)); l.AnswerWaitS != want {
				t.Errorf("%s waits %v s, want %v", name, l.AnswerWaitS, want)
			}
		}
	}
	in(60, 60)
	if said := s.ask(wait("site", 90)); !strings.Contains(said, "limits/p1 v4") || !strings.Contains(said, "limits/p3 v4") {
		t.Error(said)
	}
	in(90, 90)
	s.ask(wait("unit/4W", 15))
	in(15, 90)
	const bounds = "want 15 to 300 s"
	expect(t, s.ask(wait("unit/4W", 14.9)), "refused: answer_wait_s of 14.9: "+bounds)
	expect(t, s.ask(wait("unit/4W", 301)), "refused: answer_wait_s of 301: "+bounds)
	expect(t, s.ask(wait("unit/4W", -20)), "refused: answer_wait_s: -20 is below 0")
	expect(t, s.ask(wait("unit/4W", math.NaN())), "refused: answer_wait_s: NaN is no number")
	expect(t, s.ask(wait("patient/p1", 30)), "refused: answer_wait_s: the site and units say how long a HIGH alarm waits for an answer; of a patient leave it at 0")
	in(15, 90)
	s.ask(wait("unit/4W", 0))
	in(90, 90)
}

func TestAccounts(t *testing.T) {
	s := newSite(t)
	ask := func(a *topics.Account) string {
		return s.ask(&topics.Request{Kind: &topics.Request_PutAccount{PutAccount: a}})
	}
	expect(t, ask(&topics.Account{Account: "nurse-7", Roles: []string{"nurse"}, Units: []string{"4W", "5E"}}), "account/nurse-7 v1\naccepted, version 1")
	expect(t, ask(&topics.Account{Account: "nurse-7", Roles: []string{"nurse"}, Units: []string{"5E", "4W"}}), "accepted, version 1")
	expect(t, ask(&topics.Account{Account: "nurse-7", Roles: []string{"king"}, Units: []string{"*"}}), `refused: role "king": there are viewer, nurse, doctor, admin, service`)
	expect(t, ask(&topics.Account{Account: "nurse-7", Roles: []string{"nurse"}}), `refused: account "nurse-7" has no unit: name one or more, or * for all`)
	expect(t, ask(&topics.Account{Account: "nurse-7", Gone: true}), "account/nurse-7 v2\naccepted, version 2")
	expect(t, ask(&topics.Account{Account: "nurse-7", Gone: true}), `refused: account "nurse-7": there is none of this name`)
}

// anyChange is some change of limits, bounds, profiles or accounts, often a bad one.
func anyChange(rnd *rand.Rand, now int64) *topics.Request {
	rules := []string{topics.RuleHRHigh, topics.RuleHRLow, topics.RulePVC, topics.RulePause, topics.RuleAF, topics.RuleSVT}
	some := func(most int) (out []*topics.Limit) {
		for _, i := range rnd.Perm(len(rules))[:rnd.IntN(most+1)] {
			l := &topics.Limit{Rule: rules[i], Off: rnd.IntN(5) == 0}
			switch b := topics.FindBuiltIn(rules[i]); {
			case !b.Value.Fixed():
				l.Value = math.Round(b.Value.Default * (0.7 + 0.6*rnd.Float64()))
				l.Hysteresis = b.Hysteresis.Default
			}
			if rnd.IntN(3) == 0 {
				l.ExpiresUs = now + rnd.Int64N(100e6)
			}
			out = append(out, l)
		}
		return out
	}
	r := &topics.Request{Reason: "policy"}
	switch rnd.IntN(12) {
	case 0:
		r.Kind = &topics.Request_PutProfile{PutProfile: &topics.Profile{Name: fmt.Sprint("own", rnd.IntN(3)), Gone: rnd.IntN(4) == 0, AgeGroup: topics.AgeGroup(rnd.IntN(3))}}
		for _, l := range some(3) {
			l.ExpiresUs = 0
			r.GetPutProfile().Limits = append(r.GetPutProfile().Limits, l)
		}
	case 1:
		r.Kind = &topics.Request_PutBounds{PutBounds: &topics.Bounds{Bounds: []*topics.Bound{{Rule: topics.RulePVC, From: float64(1 + rnd.IntN(8)), To: float64(9 + rnd.IntN(8)), MayBeOff: rnd.IntN(2) == 0}}}}
	case 2:
		r.Kind = &topics.Request_PutAccount{PutAccount: &topics.Account{Account: fmt.Sprint("n", rnd.IntN(3)), Roles: []string{Roles[rnd.IntN(5)]}, Units: []string{"*"}, Gone: rnd.IntN(3) == 0}}
	default:
		of := []string{"site", "unit/4W", "unit/5E", "patient/p0", "patient/p1", "patient/p2"}[rnd.IntN(6)]
		l := &topics.Layer{Of: of, Limits: some(4)}
		if rnd.IntN(3) == 0 {
			l.Profile = []string{"adult", "paediatric", "post-surgery", "paced", "own0", "own1"}[rnd.IntN(6)]
		}
		if rnd.IntN(4) == 0 {
			l.Limits = append(l.Limits, &topics.Limit{Rule: "w0", Value: float64(rnd.IntN(9)) - 4, DurationS: float64(rnd.IntN(2))})
		}
		if rnd.IntN(4) == 0 {
			l.Rules = []*topics.Rule{{Name: fmt.Sprint("w", rnd.IntN(2)), When: fmt.Sprint("x > ", rnd.IntN(3)), Words: "W", Priority: topics.Priority(1 + rnd.IntN(3)), DurationS: float64(rnd.IntN(9))}}
		}
		r.Kind = &topics.Request_PutLayer{PutLayer: l}
	}
	return r
}
