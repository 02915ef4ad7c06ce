package alarms_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"heartwire/stages/alarms"
	"heartwire/topics"
)

const (
	// version2 is a state as version 2 wrote it, after "5 hr 72; 5 hr 134".
	version2 = "A3AwMYCQ38BKgNq2i4OJhQYAgKjWuQcCSUkAAAAAAAKAwLLNO4C2zoeDiYUGEFr8N9Hl9U/9aNJBDZzMIIgBBAAAAAAAwGBAAAAAAADAYEAAAAAAAABeQAJJSc3MzMzMzOw/gNG8ioOJhQYAgMCyzTsAAAAAAMBgQAAAAAAAAAAAAAA="
	// version3 is one that version 3 wrote, with limits of which hr.high was 110
	// for 2 s, after "5 hr 72; 5 hr 134; + vt 9 - 5 180; 3 hr 180; 1 hr 160; 2 hr 72 battery 9".
	version3 = "A3AwMYDA5Zp3gJCTkYOJhQYAgKjWuQcCSUkBBwAAAAAAgFtAgNCs8w4AAAAAAAAIQAAAAAAAAABJQID4gq0WAAAAAAAAAEAAAAAAAAAAEEAAAAAAAAAAAAAAAAAAAAAAJEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgJ2dAKAkN/ASoDRvIqDiYUGEMZnSOhfMnbOmtiasq1pGWoBBgAAAAAAABRAAAAAAAAAFEAAAAAAAAAUQAJJSc3MzMzMzOw/gNq2i4OJhQYAgJDfwEoAAAAAAAAUQAMAAAAAAIBmQAALYmF0dGVyeS1sb3cCgLC4p2iAh5mQg4mFBhC+PYWnknbo9szMKNJyamCoAQIAAAAAAAAiQAAAAAAAACJAAAAAAAAALkACSUnNzMzMzMzsP4CHmZCDiYUGAICwuKdoAAAAAAAAIkAAAAAAAAAAAAAAAAEDAQAAgNG8ioOJhQYABQAAAAAAgGZAzczMzMzM7D8="
)

// What an older version had open goes on under its identity, by the limits that held.
// version4 is one that version 4 wrote, with the same limits: an asystole that
// was rejected and paused, a rate that was acknowledged.
const version4 = "A3AwMYDo7aG6AYDh3ZmDiYUGAICo1rkHAklJAAEHgMD1iP4GgMDLrPYiAQdoci5oaWdoAAAAAACAW0CA0KzzDgAAAAAAAAhAAAAAAAAAAAAEAAAAAAAAgOHdmYOJhQYAAAAAAAAAAAIIYXN5c3RvbGUAAAEQqoVDETiHj6rn5lDvt9xSRAQGBpqZmZmZmdk/MzMzMzMzGUAAAAAAAAAQQM3MzMzMzOw/MzMzMzMzEUACSUkAAAAAAAAAAAAAwN2vhoOJhQYAAACA0byKg4mFBoDsqo2DiYUGgJjBrqsBAAAAAAIHbnVyc2UtMYCYwa6rAQIEAwdoci5oaWdoAwEAAACAyJS7nAEAAAAAAAAAAAAAAAAQgSYvSbsL9lDBttRY/ZPXKgIEBAAAAAAAwGBAAAAAAADAYEAAAAAAAIBbQM3MzMzMzOw/AAAAAADAYEACSUkAAAAAAAAAAAAAgOyqjYOJhQYAAACAxu+Wg4mFBgCAmMGuqwEBB251cnNlLTKA+ObE5hKA2/a1hYmFBgAAgMiUu5wBAQIAAAAAAADNzMzMzMzsPwEHbnVyc2UtMQCAz+mXg4mFBoD50+2DiYUGgKiZ9ckGgJjBrqsBAAMQjd05c5si4zwL4ICmr5OkfiBhYTg1NDMxMTM4ODc4ZmFhZTdlNjUwZWZiN2RjNTI0NAdudXJzZS0xAAOAmMGuqwEQSpZLxIzBHmrlhNq7tbkDzCA4MTI2MmY0OWJiMGJmNjUwYzFiNmQ0NThmZDkzZDcyYQdudXJzZS0yAAKAmMGuqwEQWZiu7/Lznfj7tFeADlvcKgAHbnVyc2UtMQAAgJjBrqsBAAEGaHIubG93AIC4tfpRAA=="

func TestAStateOfAVersionBeforeIsMigrated(t *testing.T) {
	stage := alarms.Stage()
	for _, c := range []struct {
		version       uint32
		bytes, script string
		rest          string
	}{
		{1, version2, "5 hr 72; 5 hr 134", "11 hr 118"},
		{2, version2, "5 hr 72; 5 hr 134", "12 hr 72"},
		{4, version4, "5 hr 72; 6 flat; 12 hr 134; ! reject asystole by nurse-1; ! acknowledge hr.high by nurse-2; ! pause patient by nurse-1 for 90; 2 hr 134",
			"100 hr 134; ! reset asystole by nurse-1; 310 hr 134; 11 hr 72"},
		{3, version3, "5 hr 72; 5 hr 134; + vt 9 - 5 180; 3 hr 180; 1 hr 160; 2 hr 72 battery 9", "+ vt 9 16 18 180; 11 hr 72; 1 battery 80; 5 hr 115"},
	} {
		old, err := base64.StdEncoding.DecodeString(c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if c.version == 1 {
			old = old[:len(old)-2] // it had no data-lost, and no time of a loss
		}
		var s alarms.State
		if err := s.UnmarshalBinary(old); err == nil {
			t.Fatalf("a state of version %d is taken for one of this version", c.version)
		}
		for n := range old {
			if _, err := stage.Migrate(c.version, old[:n]); err == nil {
				t.Fatalf("the first %d bytes of a state of version %d are migrated", n, c.version)
			}
		}
		moved, err := stage.Migrate(c.version, old)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.UnmarshalBinary(moved); err != nil {
			t.Fatal(err)
		}
		b := newBed(t, "p01")
		if c.version >= 3 {
			b.limits(7, &topics.Limit{Rule: topics.RuleHRHigh, Value: 110, DurationS: 2, Hysteresis: 3})
		}
		b.play(c.script)
		from, opened := len(b.log), b.said
		b.story = nil
		b.play(c.rest)
		var story []string
		say := func(a *topics.Alarm) {
			if _, line, _ := strings.Cut(b.line(a), " "); line != "" {
				story = append(story, line)
			}
			if st := a.GetState(); st != nil {
				for _, was := range opened {
					if o := was.GetState(); o.GetRule() == st.GetRule() && st.GetChange().GetWhat() != "raised" && o.GetId() != st.GetId() {
						t.Errorf("version %d: %s has become another alarm", c.version, st.GetRule())
					}
				}
			}
		}
		for _, r := range b.log[from:] {
			if tick := r.Value.GetTick(); tick != nil {
				err = stage.Processor.Advance(&s, tick, say)
			} else {
				err = stage.Processor.Process(&s, r, say)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var unmoved []string
		for _, line := range b.story {
			_, line, _ = strings.Cut(line, " ")
			unmoved = append(unmoved, line)
		}
		if got, want := strings.Join(story, "\n"), strings.Join(unmoved, "\n"); got != want || len(story) == 0 {
			t.Errorf("version %d: after it the story is\n%s\nand without it\n%s", c.version, got, want)
		}
	}
	if _, err := stage.Migrate(stage.Version+1, nil); err == nil {
		t.Error("a version that was never written is migrated")
	}
}
