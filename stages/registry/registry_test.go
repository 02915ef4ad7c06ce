package registry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages/stagetest"
	"heartwire/topics"
)

var siteKey = []byte("0123456789abcdef0123456789abcdef")

const start = int64(1_790_000_000_000_000) // µs: some day

// site is a registry with its state, for tests that tell a story.
type site struct {
	t     *testing.T
	state State
	proc  processor
	asked int
	now   int64
}

func newSite(t *testing.T) *site {
	return &site{t: t, proc: processor{siteKey: siteKey}, now: start}
}

// ask puts a request and gives what was said about it, a line each.
func (s *site) ask(r *topics.Request) string {
	s.t.Helper()
	s.asked++
	s.now += 1e6
	r.Site, r.Author = "west", "nurse"
	if r.Id == "" {
		r.Id = fmt.Sprint("r", s.asked)
	}
	if r.TimeUs == 0 {
		r.TimeUs = s.now
	}
	var said []string
	if err := s.proc.Process(&s.state, topics.Record[*topics.Request]{Value: r}, func(v proto.Message) { said = append(said, s.line(v)) }); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(said, "\n")
}

// line is what was said, short.
func (s *site) line(v proto.Message) string {
	switch v := v.(type) {
	case *topics.Setting:
		if o := v.GetOutcome(); o != nil {
			if o.Accepted {
				return fmt.Sprintf("accepted, version %d", o.Version)
			}
			return "refused: " + o.Problem
		}
		if d := v.GetDevice(); d != nil {
			var b []string
			for _, x := range d.Bindings {
				until := "now"
				if x.UntilUs != 0 {
					until = fmt.Sprint((x.UntilUs - start) / 1e6)
				}
				b = append(b, fmt.Sprintf("%s %d..%s", x.Patient, (x.FromUs-start)/1e6, until))
			}
			return fmt.Sprintf("%s v%d: %s", v.Object, v.Version, strings.Join(b, ", "))
		}
		return fmt.Sprintf("%s v%d", v.Object, v.Version)
	case *topics.Frame:
		b := v.GetBinding()
		word := "leaves"
		if b.Bound {
			word = "enters"
		}
		return fmt.Sprintf("%s %s %s at %d, other %s", b.Device, word, s.short(v.Patient), (b.AtUs-start)/1e6, s.short(b.Other))
	case *topics.Chart:
		return fmt.Sprintf("%s has %d limits", v.Patient, len(v.GetLimits().Limits))
	}
	return fmt.Sprintf("%T", v)
}

func (s *site) short(key string) string {
	for _, d := range []string{"a", "b"} {
		if key == string(topics.Unassigned(siteKey, d)) {
			return "nobody-" + d
		}
	}
	return key
}

func put(p *topics.Patient) *topics.Request {
	return &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: p}}
}

func bind(device, patient string) *topics.Request {
	return &topics.Request{Kind: &topics.Request_Bind{Bind: &topics.Bind{Device: device, Patient: patient}}}
}

func unbind(device string) *topics.Request {
	return &topics.Request{Kind: &topics.Request_Unbind{Unbind: &topics.Unbind{Device: device}}}
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func TestAPatchGoesFromOnePatientToTheNext(t *testing.T) {
	s := newSite(t)
	expect(t, s.ask(bind("a", "p1")), `refused: patient "p1" is not admitted: put the patient first`)
	expect(t, s.ask(put(&topics.Patient{Patient: "p1", Bed: "B01"})), "patient/p1 v1\nlimits/p1 v1\np1 has 29 limits\naccepted, version 1")
	expect(t, s.ask(put(&topics.Patient{Patient: "p2", Bed: "B02"})), "patient/p2 v2\nlimits/p2 v2\np2 has 29 limits\naccepted, version 2")
	expect(t, s.ask(bind("a", "p1")), "device/a v3: p1 6..now\na leaves nobody-a at 6, other p1\np1 has 29 limits\na enters p1 at 6, other nobody-a\naccepted, version 3")
	expect(t, s.ask(bind("a", "p1")), "accepted, version 3")
	expect(t, s.ask(bind("a", "p2")), "device/a v4: p1 6..8, p2 8..now\na leaves p1 at 8, other p2\np2 has 29 limits\na enters p2 at 8, other p1\naccepted, version 4")
	expect(t, s.ask(put(&topics.Patient{Patient: "p2", Discharged: true})),
		"patient/p2 v5\ndevice/a v5: p1 6..8, p2 8..9\na leaves p2 at 9, other nobody-a\na enters nobody-a at 9, other p2\naccepted, version 5")
	expect(t, s.ask(bind("a", "p2")), `refused: patient "p2" is discharged: admit the patient again first`)
	expect(t, s.ask(unbind("a")), `refused: device "a" is bound to nobody`)
}

func TestAVersionThatIsGoneIsRefused(t *testing.T) {
	s := newSite(t)
	s.ask(put(&topics.Patient{Patient: "p1"}))
	version := uint64(1)
	first, second := put(&topics.Patient{Patient: "p1", Bed: "B01"}), put(&topics.Patient{Patient: "p1", Bed: "B02"})
	first.Expected, second.Expected = &version, &version
	expect(t, s.ask(first), "patient/p1 v2\nlimits/p1 v2\np1 has 29 limits\naccepted, version 2")
	expect(t, s.ask(second), "refused: version 1 was expected and 2 is in force: look again, and ask again")
}

func TestASiteThatWasSwitchedOffTakesRequestsBeforeItsFirstTick(t *testing.T) {
	s := newSite(t)
	s.state.Wall = start - (30 * 24 * time.Hour).Microseconds()
	expect(t, s.ask(put(&topics.Patient{Patient: "p1"})), "patient/p1 v1\nlimits/p1 v1\np1 has 29 limits\naccepted, version 1")
}

// Of any requests that name a version, those win that saw the one in force:
// at most one for each version, and the version never falls.
func TestOneRequestWinsEachVersion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		s := newSite(t)
		inForce := uint64(0)
		for i := range 100 {
			saw := inForce
			if rnd.IntN(2) == 0 {
				saw = uint64(rnd.IntN(100))
			}
			r := put(&topics.Patient{Patient: "p1", Alias: fmt.Sprint("alias ", i)})
			r.Expected = &saw
			won := strings.Contains(s.ask(r), "accepted")
			if won != (saw == inForce) {
				t.Fatalf("version %d in force, %d seen, accepted: %v", inForce, saw, won)
			}
			if now := s.state.patient("p1"); now != nil && now.Version < inForce || won && now.Version == inForce {
				t.Fatalf("accepted: %v, version %d after %d", won, now.Version, inForce)
			} else if now != nil {
				inForce = now.Version
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, r := range []*topics.Request{
		put(&topics.Patient{Patient: "p1", Bed: "B01", Paced: true}), put(&topics.Patient{Patient: "p1", Discharged: true}),
		bind("a", "p1"), unbind("a"), {},
	} {
		r.Site, r.Id, r.TimeUs = "west", "r1", start
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r topics.Request
		if proto.Unmarshal(b, &r) != nil || r.GetTick() != nil {
			return
		}
		s := newSite(t)
		s.ask(put(&topics.Patient{Patient: "p1"}))
		s.ask(bind("a", "p1"))
		answers := 0
		err := s.proc.Process(&s.state, topics.Record[*topics.Request]{Value: &r}, func(v proto.Message) {
			if set, ok := v.(*topics.Setting); ok && set.GetOutcome() != nil {
				answers++
			}
		})
		if (err == nil) != (answers == 1) {
			t.Fatalf("%d answers, and the error %v", answers, err)
		}
		state, err := s.state.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var again State
		if err := again.UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	s := newSite(t)
	s.ask(put(&topics.Patient{Patient: "p1"}))
	s.ask(put(&topics.Patient{Patient: "p2"}))
	r := bind("a", "p1")
	r.Id = "same"
	s.ask(r)
	s.ask(bind("a", "p2"))
	again := bind("a", "p1")
	again.Id = "same"
	expect(t, s.ask(again), "accepted, version 3")
	if b := s.state.device("a").open(); b.Patient != "p2" {
		t.Errorf("the repeat moved the device back to %s", b.Patient)
	}
}

func TestAPacemakerIsToldToMeasuring(t *testing.T) {
	s := newSite(t)
	s.ask(put(&topics.Patient{Patient: "p1"}))
	s.ask(bind("a", "p1"))
	expect(t, s.ask(put(&topics.Patient{Patient: "p1", Paced: true})),
		"patient/p1 v3\nlimits/p1 v3\np1 has 29 limits\na enters p1 at 3, other \naccepted, version 3")
}

func TestBadRequestsAreRefusedInWords(t *testing.T) {
	late := bind("a", "p1")
	late.GetBind().AtUs = start + 1e12
	early := bind("a", "p2")
	early.GetBind().AtUs = start
	wrongClock := put(&topics.Patient{Patient: "p9"})
	wrongClock.TimeUs = start - 7200e6
	neverClock := put(&topics.Patient{Patient: "p9"})
	neverClock.TimeUs = math.MaxInt64
	for name, c := range map[string]struct {
		request *topics.Request
		want    string
	}{
		"empty":       {&topics.Request{}, "asks for nothing"},
		"no patient":  {put(&topics.Patient{}), "a pseudonym is"},
		"a path":      {put(&topics.Patient{Patient: "a/b"}), "a pseudonym is"},
		"unassigned":  {put(&topics.Patient{Patient: "u-1"}), "bound to nobody"},
		"long alias":  {put(&topics.Patient{Patient: "p", Alias: strings.Repeat("x", 41)}), "a tile shows 40"},
		"control":     {put(&topics.Patient{Patient: "p", Bed: "B\n1"}), "control characters"},
		"age group":   {put(&topics.Patient{Patient: "p", AgeGroup: 9}), "age_group"},
		"device":      {bind("a/#", "p1"), "without + # /"},
		"in future":   {late, "ahead"},
		"before":      {early, "the present binding began"},
		"wrong clock": {wrongClock, "set the clock"},
		"no clock":    {neverClock, "set the clock"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.ask(put(&topics.Patient{Patient: "p1"}))
			s.ask(put(&topics.Patient{Patient: "p2"}))
			s.ask(bind("a", "p1"))
			s.state.Wall = s.now
			before, _ := s.state.AppendBinary(nil)
			version := s.state.Version
			if said := s.ask(c.request); !strings.HasPrefix(said, "refused: ") || !strings.Contains(said, c.want) {
				t.Errorf("said %q, want a refusal with %q", said, c.want)
			}
			s.state.Outcomes = s.state.Outcomes[:len(s.state.Outcomes)-1]
			if after, _ := s.state.AppendBinary(nil); string(after) != string(before) || s.state.Version != version {
				t.Error("a refusal changed the state")
			}
		})
	}
}

func TestWhatHoldsIsSaidAgainDaily(t *testing.T) {
	s := newSite(t)
	s.ask(put(&topics.Patient{Patient: "p1"}))
	s.ask(bind("a", "p1"))
	var said []proto.Message
	seconds := 0
	for len(said) == 0 && seconds < 100_000 {
		seconds++
		tick := &topics.Tick{N: uint64(seconds), Owner: 1, ElapsedUs: 1e6, WallUs: s.now}
		if err := s.proc.Advance(&s.state, tick, func(v proto.Message) { said = append(said, v) }); err != nil {
			t.Fatal(err)
		}
	}
	if seconds != 24*3600 || len(said) != 2 {
		t.Fatalf("%d things said after %d s, want 2 after a day", len(said), seconds)
	}
	if !said[0].(*topics.Chart).GetLimits().Restated || !said[1].(*topics.Frame).GetBinding().Restated {
		t.Error("what is said again does not say so")
	}
}

func TestConformance(t *testing.T) {
	stage, err := New(Config{SiteKey: siteKey})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var log []topics.Record[*topics.Request]
	for i := range 300 {
		r := &topics.Request{}
		switch rnd.IntN(5) {
		case 0:
			r = put(&topics.Patient{Patient: fmt.Sprint("p", rnd.IntN(4)), Bed: fmt.Sprint("B", rnd.IntN(3)), Discharged: rnd.IntN(8) == 0, Paced: rnd.IntN(4) == 0})
		case 1, 2:
			r = bind(string("ab"[rnd.IntN(2)]), fmt.Sprint("p", rnd.IntN(5)))
		case 3:
			r = unbind(string("ab"[rnd.IntN(2)]))
		case 4:
			r.Kind = &topics.Request_Tick{Tick: &topics.Tick{N: uint64(i + 1), Owner: 1, ElapsedUs: 5e6, WallUs: start + int64(i)*1e6}}
		}
		if r.GetTick() == nil {
			r.Site, r.Id, r.TimeUs = "west", fmt.Sprint("r", rnd.IntN(280)), start+int64(i)*1e6
		}
		log = append(log, topics.Record[*topics.Request]{Key: topics.Key(r.GetSite()), Value: r})
	}
	stagetest.Run(t, stage, topics.Requests, log)
}
