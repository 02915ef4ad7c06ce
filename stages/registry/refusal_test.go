package registry

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

func admitted(patient, unit string) *topics.Request {
	return &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: patient, Unit: unit}}}
}

func TestBadLimitsAreRefusedByCode(t *testing.T) {
	latching := false
	quality := 1.0
	much := lay("site", "policy")
	for i := range maxRules + 1 {
		much.GetPutLayer().Rules = append(much.GetPutLayer().Rules, &topics.Rule{Name: fmt.Sprint("r", i), When: "x", Words: "X", Priority: 1})
	}
	word := lay("patient/p1", "policy", off(topics.RuleCouplet))
	word.GetPutLayer().LethalOff = []string{topics.RuleCouplet}
	stale := lay("patient/p1", "policy", limit(topics.RulePVC, 6, 0))
	stale.Expected = proto.Uint64(99)
	anonymous := lay("patient/p1", "policy", limit(topics.RulePVC, 6, 0))
	anonymous.Author = "Dr. Smith, 4 West"
	profile := func(p *topics.Profile) *topics.Request {
		return &topics.Request{Reason: "policy", Kind: &topics.Request_PutProfile{PutProfile: p}}
	}
	bounds := func(b ...*topics.Bound) *topics.Request {
		return &topics.Request{Reason: "policy", Kind: &topics.Request_PutBounds{PutBounds: &topics.Bounds{Bounds: b}}}
	}
	for name, c := range map[string]struct {
		request    *topics.Request
		code, want string
	}{
		"NaN":               {lay("patient/p1", "policy", limit(topics.RuleHRHigh, math.NaN(), 3)), CodeNotANumber, "NaN is no number"},
		"infinite":          {lay("patient/p1", "policy", limit(topics.RuleHRHigh, math.Inf(1), 3)), CodeNotANumber, "no number"},
		"negative duration": {lay("patient/p1", "policy", limit(topics.RuleHRHigh, 130, -1)), CodeNegative, "below 0"},
		"negative value":    {lay("patient/p1", "policy", limit(topics.RulePVC, -6, 0)), CodeNegative, "below 0"},
		"too high":          {lay("patient/p1", "policy", limit(topics.RuleHRHigh, 400, 3)), CodeOutOfBounds, "want 30 to 250 /min"},
		"too long":          {lay("patient/p1", "policy", limit(topics.RuleHRHigh, 130, 600)), CodeOutOfBounds, "want 0 to 60 s"},
		"asystole late":     {lay("patient/p1", "policy", limit(topics.RuleAsystole, 11, 0)), CodeOutOfBounds, "want 3 to 10 s"},
		"asystole lasting":  {lay("patient/p1", "policy", limit(topics.RuleAsystole, 4, 10)), CodeOutOfBounds, "its duration cannot be set"},
		"hidden":            {admitted("p3", topics.SyntheticUnit), CodeBadName, "nobody is shown there"},
		"no synthetic one":  {admitted("synthetic-2", "4W"), CodeBadName, "in the unit synthetic"},
		"a definition":      {lay("patient/p1", "policy", limit(topics.RuleVT, 30, 0)), CodeOutOfBounds, "its value cannot be set"},
		"af-fast":           {lay("patient/p1", "policy", limit(topics.RuleAFFast, 150, 0)), CodeOutOfBounds, "goes by the value"},
		"quality":           {lay("patient/p1", "policy", &topics.Limit{Rule: topics.RuleSVT, Quality: &quality}), CodeOutOfBounds, "quality"},
		"lethal by quality": {lay("patient/p1", "policy", &topics.Limit{Rule: topics.RuleVF, Quality: &quality}), CodeOutOfBounds, "its quality cannot be set"},
		"lethal LOW":        {lay("patient/p1", "policy", &topics.Limit{Rule: topics.RuleVF, Priority: topics.Priority_PRIORITY_LOW}), CodeOutOfBounds, "can be HIGH to HIGH"},
		"priority":          {lay("patient/p1", "policy", &topics.Limit{Rule: topics.RuleCouplet, Priority: 9}), CodeOutOfBounds, "can be LOW to MEDIUM"},
		"lethal off":        {lay("patient/p1", "policy", off(topics.RuleVF)), CodeLethalOff, "name it in lethal_off too"},
		"lethal unlatched":  {lay("patient/p1", "policy", &topics.Limit{Rule: topics.RuleVF, Latching: &latching}), CodeLethalOff, "latching cannot be set"},
		"a word too many":   {word, CodeLethalOff, "nothing else"},
		"never off":         {lay("patient/p1", "policy", off(topics.RuleNoData)), CodeNeverOff, "standby"},
		"no reason":         {lay("patient/p1", "", limit(topics.RulePVC, 6, 0)), CodeNoReason, "say why"},
		"a long reason":     {lay("patient/p1", "Because I said so", limit(topics.RulePVC, 6, 0)), CodeNoReason, "say why"},
		"no author":         {anonymous, CodeNoAuthor, "name the account"},
		"unknown patient":   {lay("patient/p9", "policy", limit(topics.RulePVC, 6, 0)), CodeUnknownPatient, "not admitted"},
		"discharged":        {lay("patient/gone", "policy", limit(topics.RulePVC, 6, 0)), CodeDischarged, "admit the patient again"},
		"unknown rule":      {lay("patient/p1", "policy", limit("hr.hihg", 130, 3)), CodeUnknownRule, "did you mean hr.high?"},
		"no rule at all":    {lay("patient/p1", "policy", limit("sepsis", 130, 3)), CodeUnknownRule, "there are vf, asystole"},
		"twice":             {lay("patient/p1", "policy", limit(topics.RulePVC, 6, 0), limit(topics.RulePVC, 7, 0)), CodeTwice, "two times"},
		"over already":      {lay("patient/p1", "policy", until(limit(topics.RulePVC, 6, 0), start)), CodeExpired, "say a later time"},
		"before time":       {lay("patient/p1", "policy", until(limit(topics.RulePVC, 6, 0), -5)), CodeNegative, "below 0"},
		"stale":             {stale, CodeStaleVersion, "look again"},
		"no layer":          {lay("ward/4W", "policy", limit(topics.RulePVC, 6, 0)), CodeBadName, "say site, unit/NAME or patient/NAME"},
		"unknown profile":   {use("patient/p1", "teenager"), CodeUnknownProfile, "there are adult, paediatric"},
		"built-in profile":  {profile(&topics.Profile{Name: "adult"}), CodeBadName, "built in"},
		"lethal profile":    {profile(&topics.Profile{Name: "quiet", Limits: []*topics.Limit{off(topics.RuleVF)}}), CodeLethalOff, "a profile cannot"},
		"profile in use":    {profile(&topics.Profile{Name: "dialysis", Gone: true}), CodeInUse, "unit/5E"},
		"no profile":        {profile(&topics.Profile{Name: "nothing", Gone: true}), CodeUnknownProfile, "none of this name"},
		"a profile expires": {profile(&topics.Profile{Name: "x", Limits: []*topics.Limit{until(limit(topics.RulePVC, 6, 0), start+9e15)}}), CodeBadRequest, "does not expire"},
		"wide bounds":       {bounds(&topics.Bound{Rule: topics.RuleHRHigh, From: 10, To: 400}), CodeOutOfBounds, "30 to 250"},
		"inverted bounds":   {bounds(&topics.Bound{Rule: topics.RuleHRHigh, From: 150, To: 100}), CodeInverted, "above"},
		"NaN bounds":        {bounds(&topics.Bound{Rule: topics.RuleHRHigh, From: math.NaN(), To: 100}), CodeNotANumber, "NaN"},
		"bounds of nothing": {bounds(&topics.Bound{Rule: "hr.highs"}), CodeUnknownRule, "hr.high"},
		"bounds of VT":      {bounds(&topics.Bound{Rule: topics.RuleVT, From: 3, To: 9}), CodeOutOfBounds, "cannot be set"},
		"too many rules":    {much, CodeTooMany, "32 are allowed"},
		"a built-in rule":   {&topics.Request{Reason: "policy", Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{Of: "site", Rules: []*topics.Rule{{Name: "vf", When: "x", Words: "X", Priority: 1}}}}}, CodeBadName, "built in"},
		"a rule of nothing": {&topics.Request{Reason: "policy", Kind: &topics.Request_PutLayer{PutLayer: &topics.Layer{Of: "site", Rules: []*topics.Rule{{Name: "x", Words: "X", Priority: 1}}}}}, CodeBadRule, "what makes it an alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ward(t)
			s.ask(put(&topics.Patient{Patient: "gone", Discharged: true}))
			s.ask(profile(&topics.Profile{Name: "dialysis"}))
			s.ask(use("unit/5E", "dialysis"))
			s.ask(lay("patient/p1", "nuisance", limit(topics.RulePVC, 9, 0)))
			s.state.Wall = s.now
			before, _ := s.state.AppendBinary(nil)
			said := s.ask(c.request)
			got := s.state.Outcomes[len(s.state.Outcomes)-1].Code
			if !strings.HasPrefix(said, "refused: ") || !strings.Contains(said, c.want) || got != c.code {
				t.Errorf("said %q by the code %s, want a refusal with %q by %s", said, got, c.want, c.code)
			}
			s.state.Outcomes = s.state.Outcomes[:len(s.state.Outcomes)-1]
			if after, _ := s.state.AppendBinary(nil); string(after) != string(before) {
				t.Error("a refusal changed the state")
			}
		})
	}
}

func TestALethalRuleIsSwitchedOffByTheWord(t *testing.T) {
	s := ward(t)
	r := lay("patient/p1", "comfort-care", off(topics.RuleVF), off(topics.RuleAsystole))
	r.GetPutLayer().LethalOff = []string{topics.RuleVF, topics.RuleAsystole}
	s.ask(r)
	expect(t, s.says("p1", topics.RuleAsystole), "off from patient")
	expect(t, s.says("p1", topics.RuleVT), "5 for 0 s by 0 from default")
	// For a time: the word is over with it, and must be said anew.
	at := s.now + 1800e6
	r = lay("patient/p2", "comfort-care", until(off(topics.RuleVF), at))
	r.GetPutLayer().LethalOff = []string{topics.RuleVF}
	s.ask(r)
	s.tick(at)
	expect(t, s.says("p2", topics.RuleVF), "4 for 0 s by 0 from default")
	if l := find(s.state.Layers, "patient/p2").Set; len(l.LethalOff) > 0 {
		t.Errorf("the word stays: %v", l)
	}
}
