package compare_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"heartwire/stages/alarms/compare"
	"heartwire/stages/alarms/lives"
	"heartwire/topics"
)

const (
	second = int64(1e6)
	medium = topics.Priority_PRIORITY_MEDIUM
	high   = topics.Priority_PRIORITY_HIGH
)

// alarm is one of p01, raised and over at so many seconds.
func alarm(id, rule string, from, to int64, p topics.Priority) *lives.Life {
	return &lives.Life{Patient: "p01", ID: id, Rule: rule, Priority: p, Text: rule, OnsetUs: from * second, RaisedUs: from * second, OverUs: to * second, Begun: from >= 0}
}

var span = compare.Span{From: 0, To: 1000 * second}

func TestGainedLostChanged(t *testing.T) {
	base := []*lives.Life{
		alarm("same", "hr.high", 10, 20, medium),
		alarm("lost", "hr.high", 100, 110, medium),
		alarm("later", "hr.high", 200, 240, medium),
		alarm("worse", "svt", 300, 310, medium),
		alarm("split", "pvc", 400, 500, medium),
		alarm("before", "pvc", -50, 2, medium), // it was raised before the span
	}
	changed := []*lives.Life{
		alarm("same", "hr.high", 10, 20, medium),
		alarm("later-2", "hr.high", 207, 245, medium),
		alarm("worse", "svt", 300, 310, high),
		alarm("split", "pvc", 400, 420, medium), alarm("split-2", "pvc", 480, 500, medium),
		alarm("gained", "hr.low", 600, 610, medium),
	}
	got := compare.Compare(base, changed, span)
	want := []compare.Difference{
		{Kind: compare.Lost, Patient: "p01", Rule: "hr.high", Priority: "MEDIUM", At: 100 * second, Text: "hr.high"},
		{Kind: compare.Other, Patient: "p01", Rule: "hr.high", Priority: "MEDIUM", At: 207 * second, Text: "hr.high", DelayS: 7, LongerS: 5},
		{Kind: compare.Other, Patient: "p01", Rule: "svt", Priority: "HIGH", At: 300 * second, Text: "svt"},
		{Kind: compare.Other, Patient: "p01", Rule: "pvc", Priority: "MEDIUM", At: 400 * second, Text: "pvc", LongerS: -80},
		{Kind: compare.Other, Patient: "p01", Rule: "pvc", Priority: "MEDIUM", At: 480 * second, Text: "pvc", DelayS: 80},
		{Kind: compare.Gained, Patient: "p01", Rule: "hr.low", Priority: "MEDIUM", At: 600 * second, Text: "hr.low"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	counts := compare.Counts(base, changed, got, span, false)
	if len(counts) != 4 {
		t.Fatalf("%+v", counts)
	}
	c := counts[slices.IndexFunc(counts, func(c compare.Count) bool { return c.Rule == "hr.high" })]
	if want := (compare.Count{Rule: "hr.high", Base: 3, Changed: 2, Lost: 1, Other: 1, BaseMinutes: 1, OtherMinutes: 48.0 / 60, LostHighOrMed: 1}); c.OtherMinutes > 0.79 && c.OtherMinutes < 0.81 && func() bool { c.OtherMinutes = want.OtherMinutes; return c != want }() {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

func TestJudge(t *testing.T) {
	list := []*lives.Life{alarm("a", "hr.high", 100, 110, medium), alarm("b", "hr.high", 200, 210, medium), alarm("c", "no-data", 100, 110, medium)}
	list[2].Technical = true
	compare.Judge(list, []*lives.Life{alarm("x", "hr.high", 114, 120, medium), alarm("y", "hr.low", 200, 210, medium)}, span.To)
	if list[0].Truth != lives.True || list[1].Truth != lives.False || list[2].Truth != lives.Unknown {
		t.Errorf("%v %v %v, want true, false, unknown", list[0].Truth, list[1].Truth, list[2].Truth)
	}
	list[1].Truth, list[1].AcceptedUs = lives.Unknown, 5
	compare.JudgeByAnswers(list[1:2])
	if list[1].Truth != lives.True {
		t.Error("what somebody accepted is not true")
	}
}

// night is 10 short alarms, one of 90 s and a HIGH one that goes by the limit.
func night() (list []*lives.Life) {
	for i := range int64(10) {
		list = append(list, alarm(string(rune('a'+i)), topics.RuleHRHigh, 10+20*i, 15+20*i, medium))
	}
	return append(list, alarm("long", topics.RuleHRHigh, 400, 490, medium), alarm("extreme", topics.RuleHRExtremeHigh, 600, 610, high))
}

var rates = compare.Family{topics.RuleHRHigh, topics.RuleHRExtremeHigh, topics.RuleAFFast}

func try(to float64, with ...*lives.Life) compare.Tried {
	return compare.Try(compare.Tried{Rule: topics.RuleHRHigh, From: 120, To: to, Unit: "/min"}, rates, night(), with, span, 60*second)
}

func TestTry(t *testing.T) {
	base := night()
	later := alarm("long-2", topics.RuleHRHigh, 404, 490, medium)
	got := try(130, base[0], later, base[11], alarm("other", topics.RuleSVT, 50, 60, medium), alarm("long", "pvc", 400, 490, medium))
	want := compare.Tried{Rule: topics.RuleHRHigh, From: 120, To: 130, Unit: "/min", Base: 11, Raised: 2, Spared: 9, LaterS: 4, Elsewhere: 1}
	if got != want || !got.Harmless() {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for what, with := range map[string][]*lives.Life{
		"a long one is lost": {base[11]}, "a HIGH one is lost": {base[10]},
		"a HIGH one comes 11 s later": {base[10], alarm("extreme-2", topics.RuleHRExtremeHigh, 611, 620, high)},
		"a HIGH one is MEDIUM":        {base[10], alarm("extreme", topics.RuleHRExtremeHigh, 600, 610, medium)},
	} {
		if got := try(130, with...); got.Harmless() {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestATrueOneIsNotSpared(t *testing.T) {
	base := night()
	base[3].Truth = lives.True
	got := compare.Try(compare.Tried{Rule: topics.RuleHRHigh}, rates, base, base[10:], span, 60*second)
	if got.LostTrue != 1 || got.BaseTrue != 1 || got.Harmless() {
		t.Errorf("%+v", got)
	}
}

// The mildest that spares nearly as many as the widest harmless one, none of a
// lethal rule, and none for a handful.
func TestPropose(t *testing.T) {
	tried := func(rule string, to float64, spared, lost int) compare.Tried {
		return compare.Tried{Rule: rule, To: to, Base: 100, Raised: 100 - spared, Spared: spared, LostHigh: lost}
	}
	got := compare.Propose([]compare.Tried{
		tried(topics.RuleHRHigh, 125, 20, 0), tried(topics.RuleHRHigh, 130, 38, 0), tried(topics.RuleHRHigh, 135, 40, 0), tried(topics.RuleHRHigh, 160, 90, 1),
		tried(topics.RuleHRLow, 45, 9, 0),                                    // less than a tenth
		tried(topics.RulePVC, 15, 50, 2),                                     // harmful
		tried(topics.RuleAsystole, 6, 99, 0), tried(topics.RuleVT, 7, 99, 0), // lethal
		{Rule: topics.RulePause, To: 4, Base: 2, Spared: 2},
		{Rule: topics.RuleSVT, To: 5, Base: 20, Spared: 10, Elsewhere: 9}, // others come instead
	})
	if len(got) != 1 || got[0].Rule != topics.RuleHRHigh || got[0].To != 130 {
		t.Errorf("%+v", got)
	}
}

func TestHeld(t *testing.T) {
	base := []*lives.Life{alarm("a", "pvc", 100, 110, medium), alarm("b", "pvc", 200, 210, medium), alarm("edge", "pvc", 5, 9, medium)}
	then := []*lives.Life{alarm("a", "pvc", 100, 110, medium), alarm("c", "pvc", 300, 310, medium)}
	if got, want := *compare.Held(base, then, span), (compare.Said{Then: 2, Both: 1, OnlyThen: 1, OnlyNow: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A day ends at the site's midnight.
func TestDays(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) int64 {
		v, err := time.ParseInLocation(time.DateTime, s, zone)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMicro()
	}
	got := compare.Days(compare.Span{From: at("2026-03-28 22:00:00"), To: at("2026-03-30 01:00:00")}, zone)
	want := []compare.Span{{From: at("2026-03-28 22:00:00"), To: at("2026-03-29 00:00:00")}, {From: at("2026-03-29 00:00:00"), To: at("2026-03-30 00:00:00")}, {From: at("2026-03-30 00:00:00"), To: at("2026-03-30 01:00:00")}}
	if !slices.Equal(got, want) || got[1].Hours() != 23 { // summer time begins
		t.Errorf("got %v, want %v", got, want)
	}
}

// The report can be printed in each form, escapes what it is given, and asks no
// host for anything.
func TestReport(t *testing.T) {
	base := night()
	in := compare.Input{Base: base, Changed: base[:4], Span: span, Beds: map[string]string{"p01": "B<1>"}, Zone: time.UTC, Tried: []compare.Tried{try(125, base...), try(130, base[10], base[11])}}
	r := compare.New(in)
	r.Rules, r.Patients, r.LongS = "ward.yaml", 1, 60
	var text, html strings.Builder
	if err := r.Sheet().WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.Sheet().WriteHTML(&html); err != nil {
		t.Fatal(err)
	}
	if want := "hr.high 130 instead of 120 /min would have raised 1 instead of 11; of the 10 spared none was HIGH or long."; !strings.Contains(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	for _, bad := range []string{"http://", "https://", "<script", "<img", "<link", "B<1>", "url("} {
		if strings.Contains(strings.ReplaceAll(html.String(), `xmlns="http://www.w3.org/2000/svg"`, ""), bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if !strings.Contains(html.String(), "B&lt;1&gt;") || strings.Count(html.String(), "<svg") < 3 {
		t.Error("the page lacks its bed or its figures")
	}
	b, err := json.Marshal(r)
	if err != nil || !bytes.Contains(b, []byte(`"lost":7`)) {
		t.Errorf("%v %s", err, b)
	}
}
