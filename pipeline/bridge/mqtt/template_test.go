package mqtt

import (
	"testing"

	"heartwire/pipeline/bridge"
)

func TestTemplateMatch(t *testing.T) {
	for _, c := range []struct {
		layout, topic, device string
		kind                  bridge.Kind
		ok                    bool
	}{
		{"{site}/v1/{device}/{kind}", "ward/v1/p1/frames", "p1", bridge.Frames, true},
		{"{site}/v1/{device}/{kind}", "ward/v1/p1/vitals", "p1", bridge.Vitals, true},
		{"{site}/v1/{device}/{kind}", "ward/v1//status", "", bridge.Status, true}, // the bridge refuses it
		{"{site}/v1/{device}/{kind}", "ward/v1/p1/commands", "", 0, false},
		{"{site}/v1/{device}/{kind}", "other/v1/p1/frames", "", 0, false},
		{"{site}/v1/{device}/{kind}", "ward/v1/p1/frames/x", "", 0, false},
		{"{site}/v1/{device}/{kind}", "ward/v1/p1", "", 0, false},
		{"{site}/v1/{device}/{kind}", "", "", 0, false},
		{"{device}/+/{kind}", "p1/anything/frames", "p1", bridge.Frames, true},
	} {
		tmpl, err := parseTemplate(c.layout, "ward")
		if err != nil {
			t.Fatal(err)
		}
		device, kind, ok := tmpl.match(c.topic)
		if device != c.device && ok || kind != c.kind || ok != c.ok {
			t.Errorf("%s on %s: %q %s %v", c.topic, c.layout, device, kind, ok)
		}
	}
}

// Sessions of different filters are different, also where their plain words are the same.
func TestClientIDsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, filter := range []string{"a/b-c/+/+", "a-b/c/+/+", "A/b-c/+/+", "a/b/c/+/+"} {
		id := clientID(filter)
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s have one session %s", filter, other, id)
		}
		seen[id] = filter
	}
}
