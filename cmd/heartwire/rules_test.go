package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/pipelinetest"
	"heartwire/stages/alarms"
	"heartwire/topics"
)

func layered() *topics.Limits {
	return &topics.Limits{
		Version: 1, Limits: append(topics.DefaultLimits(), &topics.Limit{Rule: "fast", Value: 130, Layer: topics.LayerPatient}),
		Rules: []*topics.Rule{{Name: "fast", Version: 2, When: "hr.mean(30s) > limit", Words: "FAST", Priority: topics.Priority_PRIORITY_LOW, Layer: topics.LayerUnit, Author: "doctor-1", Reason: "protocol"}},
	}
}

func TestRulesOfASite(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	pipelinetest.MakeTopics(t, conf)
	cl := pipelinetest.Client(t, conf)
	bad := &topics.Rule{Name: "bad", When: "hrt > 3", Words: "BAD", Priority: topics.Priority_PRIORITY_LOW}
	for _, s := range []*topics.Setting{
		{Object: "layer/unit/4W", Kind: &topics.Setting_Layer{Layer: &topics.Layer{Of: "unit/4W", Rules: []*topics.Rule{bad}}}},
		{Object: "layer/site", Kind: &topics.Setting_Layer{Layer: &topics.Layer{Of: "site", Limits: []*topics.Limit{{Rule: topics.RuleVF, Value: 4, Off: true}}}}},
		{Object: "patient/p03", Kind: &topics.Setting_Patient{Patient: &topics.Patient{Patient: "p03", Unit: "5E"}}},
		{Object: "layer/unit/5E", Kind: &topics.Setting_Layer{Layer: &topics.Layer{
			Of: "unit/5E", Rules: layered().Rules, Limits: []*topics.Limit{{Rule: "fast", Value: 130}},
		}}},
	} {
		b, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: topics.Settings.On(conf.Site), Key: []byte(s.GetObject()), Value: b}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errOut := typed(t, conf.Brokers, "rules", "lint", "--site")
	for _, want := range []string{
		"layer/site: rule vf: it is lethal and switched off",
		"layer/unit/4W: rule bad: when 1:1: there is no hrt: did you mean hr?",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s%s", want, out, errOut)
		}
	}
	if code != 1 || !strings.Contains(errOut, "2 found") {
		t.Errorf("exit code %d: %s", code, errOut)
	}
	code, out, errOut = typed(t, conf.Brokers, "rules", "explain", "fast", "--patient", "p03")
	if code != 0 || !strings.Contains(out, "above the limit of 130") || !strings.Contains(out, "layer      unit, by doctor-1, because of protocol") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	if code, _, errOut = typed(t, conf.Brokers, "rules", "explain", "fast", "--patient", "p04"); code != 1 || !strings.Contains(errOut, `patient "p04" is not admitted`) {
		t.Errorf("exit code %d: %s", code, errOut)
	}
}

// A state shows its written rules by their names, and not what they were compiled to.
func TestAStateWithWrittenRulesIsShown(t *testing.T) {
	var s alarms.State
	p := alarms.Stage().Processor
	say := func(*topics.Alarm) {}
	rate := 140.0
	for _, c := range []*topics.Chart{
		{Kind: &topics.Chart_Limits{Limits: layered()}},
		{TimeUs: 1, Kind: &topics.Chart_Second{Second: &topics.Second{Rate: &rate}}},
	} {
		if err := p.Process(&s, topics.Record[*topics.Chart]{Key: "p03", Value: c}, say); err != nil {
			t.Fatal(err)
		}
	}
	var text []string
	for _, l := range leaves(&s) {
		text = append(text, l.path+": "+l.full)
	}
	all := strings.Join(text, "\n")
	if len(text) > 1500 || !strings.Contains(all, "set: fast v2") || !strings.Contains(all, "free[0].rule.program: fast v2") || !strings.Contains(all, "history.series[0].key.name: \"hr\"") {
		t.Errorf("%d values:\n%.3000s", len(text), all)
	}
	b, err := json.Marshal(jsonOf(&s))
	if err != nil || !strings.Contains(string(b), `"set":"fast v2"`) {
		t.Errorf("%v\n%.2000s", err, fmt.Sprintf("%s", b))
	}
}
