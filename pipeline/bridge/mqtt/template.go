package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"heartwire/pipeline/bridge"
)

// template is a layout of topics: which level is the device and which the kind.
type template struct {
	levels       []string // with the site put in; "+" for device, kind and any
	device, kind int
}

// parseTemplate reads a layout such as {site}/v1/{device}/{kind}.
func parseTemplate(text, site string) (template, error) {
	if strings.HasPrefix(text, "$share/") {
		return template{}, errors.New("$share is refused: with the persistent session that a bridge needs, the broker goes on dealing " +
			"messages to a member that died, and they wait for it (measured: after the death of one of two, every second " +
			"message); run a second bridge with the same topic, it stands by, or divide the devices by a level of the topic")
	}
	t := template{device: -1, kind: -1}
	for i, level := range strings.Split(text, "/") {
		switch level {
		case "{site}":
			level = site
		case "{device}", "{kind}":
			at := &t.device
			if level == "{kind}" {
				at = &t.kind
			}
			if *at >= 0 {
				return template{}, fmt.Errorf("%q names %s twice", text, level)
			}
			*at, level = i, "+"
		case "+":
		default:
			if level == "" || strings.ContainsAny(level, "+#{}$") {
				return template{}, fmt.Errorf("%q: level %q is neither {site}, {device}, {kind}, + nor a plain word", text, level)
			}
		}
		t.levels = append(t.levels, level)
	}
	if t.device < 0 || t.kind < 0 {
		return template{}, fmt.Errorf("%q needs a level {device} and a level {kind}", text)
	}
	return t, nil
}

// name is the layout as a filter.
func (t template) name() string { return strings.Join(t.levels, "/") }

// filter is what to subscribe to for one kind: only what the protocol knows,
// so that a patch's other topics are nobody's rejects.
func (t template) filter(k bridge.Kind) string {
	levels := append([]string(nil), t.levels...)
	levels[t.kind] = k.String()
	return strings.Join(levels, "/")
}

// match tells the device and the kind that a topic names.
func (t template) match(topic string) (device string, kind bridge.Kind, ok bool) {
	rest := topic
	for i, level := range t.levels {
		var got string
		cut := strings.IndexByte(rest, '/')
		last := i == len(t.levels)-1
		if last != (cut < 0) {
			return "", 0, false
		}
		if got = rest; !last {
			got, rest = rest[:cut], rest[cut+1:]
		}
		switch {
		case i == t.device:
			device = got
		case i == t.kind:
			if kind, ok = bridge.ParseKind(got); !ok {
				return "", 0, false
			}
		case level != "+" && level != got:
			return "", 0, false
		}
	}
	return device, kind, true
}
