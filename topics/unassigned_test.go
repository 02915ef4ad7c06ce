package topics_test

import (
	"testing"

	"heartwire/topics"
)

// The key stands in the log for years: it must never come out otherwise.
func TestUnassignedIsGolden(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for device, want := range map[string]topics.Key{
		"patch-01": "u-8cc10a4cac15369d172d6e1740c1a231",
		"patch-02": "u-14ad3e3ac382a15ba3c0cc53711f5abd",
	} {
		if got := topics.Unassigned(key, device); got != want {
			t.Errorf("%s: %s, want %s", device, string(got), string(want))
		}
	}
}
