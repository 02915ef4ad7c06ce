package gateway

import (
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Records are passed on as they stand in the log, and that is a ServerMessage.
func TestPassedRecordsAreServerMessages(t *testing.T) {
	// A field that this build does not know must reach clients that do.
	raw, _ := topics.Frames.Append(nil, frame("p1", 3).Value)
	raw = append(raw, 0xfa, 0x3e, 2, 'o', 'k')
	a, _ := topics.Alarms.Append(nil, alarm("p1", "a", 1, active).Value)
	b, _ := topics.Annotations.Append(nil, beat("p1", 1).Value)
	c, _ := topics.Charts.Append(nil, second("p1", 1, 60).Value)
	for _, test := range []struct {
		m    *message
		raw  []byte
		pick func(*ServerMessage) proto.Message
	}{
		{pass(kindFrame, serverFrame, "p1", raw), raw, func(m *ServerMessage) proto.Message { return m.GetFrame() }},
		{pass(kindAnnotation, serverAnnotation, "p1", b), b, func(m *ServerMessage) proto.Message { return m.GetAnnotation() }},
		{pass(kindChart, serverChart, "p1", c), c, func(m *ServerMessage) proto.Message { return m.GetChart() }},
		{pass(kindAlarm, serverAlarm, "p1", a), a, func(m *ServerMessage) proto.Message { return m.GetAlarm() }},
	} {
		var m ServerMessage
		if err := proto.Unmarshal(payload(test.m.wire), &m); err != nil {
			t.Fatalf("%s: %v", kindNames[test.m.kind], err)
		}
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(test.pick(&m))
		if err != nil || string(got) != string(test.raw) {
			t.Errorf("%s: came out as %x, want %x", kindNames[test.m.kind], got, test.raw)
		}
		if string(test.m.record()) != string(test.raw) {
			t.Errorf("%s: the record inside is lost", kindNames[test.m.kind])
		}
	}
}

func TestHeaderLengths(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		wire := append(appendHeader(nil, opBinary, n), make([]byte, n)...)
		if got := len(payload(wire)); got != n {
			t.Errorf("a payload of %d bytes comes out as %d", n, got)
		}
	}
	if b := closing(1000, strings.Repeat("x", 300)).wire; len(b) != 127 {
		t.Errorf("a close frame of %d bytes, want 127: control frames hold 125", len(b))
	}
}

// FuzzHear lets anything at all arrive from a client.
func FuzzHear(f *testing.F) {
	for _, m := range []*ClientMessage{
		{Id: 1, Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{All: true}}},
		{Id: 2, Kind: &ClientMessage_Subscribe{Subscribe: &Subscribe{Patients: []string{"p1", "p1", ""}, Topics: []string{"frames"}}}},
		{Id: 3, Kind: &ClientMessage_Unsubscribe{Unsubscribe: &Unsubscribe{Patients: []string{"p1"}, All: true}}},
		{Id: 4, Kind: &ClientMessage_Sound{Sound: &Sound{On: true}}},
	} {
		b, _ := proto.Marshal(m)
		f.Add(2, false, b)
	}
	f.Add(1, true, []byte(`{"subscribe":{"patients":["p1"],"topics":["alarms"]}}`))
	f.Add(1, true, []byte(`{"id":"18446744073709551615","sound":{"on":true}}`))
	f.Add(2, true, []byte{0})
	f.Add(1, false, []byte("{"))
	cfg := DefaultConfig()
	cfg.MaxSubscriptions = 8
	f.Fuzz(func(t *testing.T, op int, asJSON bool, data []byte) {
		g, err := New(cfg, testPage, slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		w := g.ward
		c := newClient(g, asker{}, asJSON)
		w.join(c)
		defer w.part(c)
		for range 2 {
			answer := c.hear(op, data)
			if answer != nil && (answer.GetProblem().GetCode() == "" || answer.GetProblem().GetText() == "") {
				t.Errorf("a Problem without words: %v", answer)
			}
			if answer != nil {
				if _, err := proto.Marshal(answer); err != nil {
					t.Errorf("the answer cannot be sent: %v", err)
				}
			}
		}
		if len(c.wants) > 8 || len(c.pending) > 8 || c.named > 8 {
			t.Errorf("%d wants, %d pending: max_subscriptions is 8", len(c.wants), len(c.pending))
		}
		for {
			key, due := nextOf(c)
			if !due {
				break
			}
			w.admit(c, key)
		}
		w.part(c)
		for _, p := range w.patients {
			if len(p.subs) != 0 {
				t.Error("a client that has left is still a listener")
			}
		}
	})
}

// nextOf is next for a client without a writer.
func nextOf(c *client) (topics.Key, bool) {
	if len(c.pending) == 0 {
		return "", false
	}
	return c.next()
}
