package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// logbook is a log that is written to: it keeps what was written, and a stage
// that answers may stand behind it.
type logbook struct {
	mu     sync.Mutex
	values []proto.Message
	fails  func(t topics.Any) error
	answer func(v proto.Message) // called after it was written
}

func (l *logbook) Write(_ context.Context, t topics.Any, values ...proto.Message) error {
	l.mu.Lock()
	if l.fails != nil {
		if err := l.fails(t); err != nil {
			l.mu.Unlock()
			return err
		}
	}
	answer := l.answer
	for _, v := range values {
		l.values = append(l.values, proto.Clone(v))
	}
	l.mu.Unlock()
	if answer != nil {
		for _, v := range values {
			answer(v)
		}
	}
	return nil
}

func written[T proto.Message](l *logbook) (out []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.values {
		if t, ok := v.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// acting is a gateway with a log behind it in which all that is asked is done,
// with p1 in 4W and p2 in 5E.
func acting(t testing.TB, change func(*Config)) (*rig, *logbook) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return actingOn(t, ln, change)
}

func actingOn(t testing.TB, ln net.Listener, change func(*Config)) (*rig, *logbook) {
	cfg := DefaultConfig()
	cfg.Site, cfg.Build = "test", "v0"
	if change != nil {
		change(&cfg)
	}
	book := &logbook{}
	r := startWith(t, ln, cfg, book)
	n := 0
	book.answer = func(v proto.Message) {
		switch v := v.(type) {
		case *topics.Chart:
			a := v.GetAnswer()
			n++
			give(t, r.Alarms(), topics.Alarms, topics.Record[*topics.Alarm]{
				Key: topics.Key(v.GetPatient()), Origin: topics.Origin{Source: "chart", Offset: int64(n)},
				Value: &topics.Alarm{Patient: v.GetPatient(), Kind: &topics.Alarm_Outcome{Outcome: &topics.AnswerOutcome{
					Answer: a.GetId() + v.GetStandby().GetId(), Alarm: a.GetAlarm(), Accepted: true, Version: a.GetVersion() + 1,
				}}},
			})
		case *topics.Request:
			object := "outcome/" + v.GetId()
			give(t, r.Settings(), topics.Settings, topics.Record[*topics.Setting]{
				Key: topics.Key(object), Value: &topics.Setting{Object: object, Version: 90, Kind: &topics.Setting_Outcome{
					Outcome: &topics.Outcome{Request: v.GetId(), Accepted: true, Version: 90},
				}},
			})
		}
	}
	give(t, r.Settings(), topics.Settings,
		patientSetting(1, &topics.Patient{Patient: "p1", Unit: "4W", Bed: "B1"}),
		patientSetting(2, &topics.Patient{Patient: "p2", Unit: "5E", Bed: "B2"}))
	return r, book
}

func answerAct(patient string, a *topics.Answer) *Act {
	return &Act{Patient: patient, Kind: &Act_Answer{Answer: a}}
}

func (p *peer) act(id uint64, a *Act) {
	p.send(&ClientMessage{Id: id, Kind: &ClientMessage_Act{Act: a}})
}

func (p *peer) ask(id uint64, a *Ask) {
	p.send(&ClientMessage{Id: id, Kind: &ClientMessage_Ask{Ask: a}})
}

func doneOrProblem(m *ServerMessage) (*ServerMessage, bool) {
	return m, m.GetDone() != nil || m.GetProblem() != nil
}

func pauseOfAll() *topics.Answer { return &topics.Answer{Action: topics.Action_ACTION_PAUSE} }

func TestWhatIsDoneIsWrittenNotedAndAnswered(t *testing.T) {
	for _, protocol := range []string{protocolProto, protocolJSON} {
		t.Run(protocol, func(t *testing.T) {
			r, book := acting(t, nil)
			p, other := r.connect(protocol), r.connect(protocol)
			before := time.Now().UnixMicro()
			p.act(41, answerAct("p1", &topics.Answer{
				Id: "mine", Action: topics.Action_ACTION_ACKNOWLEDGE, Alarm: "0123abcd", Version: 3, Reason: "at-bedside",
				Person: "somebody-else", Channel: "voice", TimeUs: 12, // not the client's to say
			}))
			d := until(p, doneOrProblem).GetDone()
			if d.GetId() != 41 || !d.GetAnswer().GetAccepted() || d.GetAnswer().GetVersion() != 4 || d.GetAnswer().GetAnswer() != "mine" {
				t.Fatalf("Done is %v", d)
			}
			charts := written[*topics.Chart](book)
			if len(charts) != 1 {
				t.Fatalf("%d records of chart", len(charts))
			}
			a := charts[0].GetAnswer()
			if charts[0].GetPatient() != "p1" || a.GetPerson() != "local" || a.GetChannel() != "api" || a.GetReason() != "at-bedside" ||
				a.GetTimeUs() < before || charts[0].GetTimeUs() != a.GetTimeUs() || a.GetId() == "mine" || a.GetId() == "" {
				t.Errorf("written is %v", charts[0])
			}
			if first, ok := book.values[0].(*topics.Audit); !ok || first.GetResult() != "asked" || first.GetId() != a.GetId() || !proto.Equal(first.GetAnswer(), a) {
				t.Errorf("before it was written: %v", book.values[0])
			}

			other.act(42, &Act{Patient: "p2", Kind: &Act_Standby{Standby: &topics.Standby{On: true, Reason: "transport", DurationS: 600}}})
			if d := until(other, doneOrProblem).GetDone(); d.GetId() != 42 || !d.GetAnswer().GetAccepted() {
				t.Errorf("the other's Done is %v", d)
			}
			p.ask(43, &Ask{Reason: "clinical-order", Layer: &topics.Layer{Of: "patient/p1", Limits: []*topics.Limit{{Rule: "hr.high", Value: 130}}}})
			if d := until(p, doneOrProblem).GetDone(); d.GetId() != 43 || d.GetSetting().GetVersion() != 90 {
				t.Errorf("Done of an Ask is %v", d)
			}
			reqs := written[*topics.Request](book)
			if len(reqs) != 1 || reqs[0].GetAuthor() != "local" || reqs[0].GetSite() != "test" || reqs[0].Expected == nil || reqs[0].GetExpected() != 0 {
				t.Errorf("requested is %v: want one that expects that there is no layer yet", reqs)
			}
			r.end()
			isChain(t, written[*topics.Audit](book))
		})
	}
}

func isChain(t *testing.T, chain []*topics.Audit) {
	t.Helper()
	var previous []byte
	for i, a := range chain {
		if a.GetSequence() != uint64(i+1) || !slices.Equal(a.GetPrevious(), previous) || a.GetWriter() == "" || a.GetTimeUs() == 0 || a.GetSubject() == "" {
			t.Fatalf("record %d of the chain: %v", i, a)
		}
		b, err := topics.Audits.Append(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		previous = sum[:]
	}
	if len(chain) == 0 {
		t.Error("nothing was noted")
	}
}

func TestABrowserIsAPageAndMustSayWhatItSaw(t *testing.T) {
	r, book := acting(t, nil)
	p, _, err := r.try(protocolProto, http.Header{"Origin": {r.url("")}})
	if err != nil {
		t.Fatal(err)
	}
	ack := &topics.Answer{Action: topics.Action_ACTION_ACKNOWLEDGE, Alarm: "ab"}
	p.act(1, answerAct("p1", ack))
	if m := until(p, doneOrProblem); m.GetProblem().GetCode() != codeBad {
		t.Errorf("without a version: %v", m)
	}
	ack.Version = 1
	p.act(2, answerAct("p1", ack))
	if m := until(p, doneOrProblem); !m.GetDone().GetAnswer().GetAccepted() {
		t.Errorf("with one: %v", m)
	}
	if c := written[*topics.Chart](book); len(c) != 1 || c[0].GetAnswer().GetChannel() != "page" {
		t.Errorf("written is %v", c)
	}
}

func TestARepeatHasTheSameIdAndNothingElseHas(t *testing.T) {
	r, book := acting(t, nil)
	p := r.connect(protocolProto)
	for _, a := range []*Act{
		answerAct("p1", &topics.Answer{Id: "k", Action: topics.Action_ACTION_PAUSE}),
		answerAct("p1", &topics.Answer{Id: "k", Action: topics.Action_ACTION_PAUSE}),
		answerAct("p1", &topics.Answer{Id: "k", Action: topics.Action_ACTION_RESUME}),
		answerAct("p2", &topics.Answer{Id: "k", Action: topics.Action_ACTION_PAUSE}),
		answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE}),
		answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE}),
	} {
		p.act(1, a)
		until(p, doneOrProblem)
	}
	var ids []string
	for _, c := range written[*topics.Chart](book) {
		ids = append(ids, c.GetAnswer().GetId())
	}
	if len(ids) != 6 || ids[0] != ids[1] {
		t.Fatalf("ids %v: want that of a repeat to be the same", ids)
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 5 {
		t.Errorf("%d ids, want 5", n)
	}
}

func TestWhatCannotBeIsRefusedAndNoted(t *testing.T) {
	r, book := acting(t, nil)
	p := r.connect(protocolProto)
	standby := func(s *topics.Standby) *Act { return &Act{Patient: "p1", Kind: &Act_Standby{Standby: s}} }
	limit := func(l *topics.Limit) *Ask {
		return &Ask{Reason: "clinical-order", Layer: &topics.Layer{Of: "patient/p1", Limits: []*topics.Limit{l}}}
	}
	long := string(slices.Repeat([]byte("x"), 200))
	cases := []struct {
		name, code string
		act        *Act
		ask        *Ask
	}{
		{"nothing", codeBad, &Act{Patient: "p1"}, nil},
		{"an unknown patient", codeUnknownPatient, answerAct("p9", pauseOfAll()), nil},
		{"no patient", codeUnknownPatient, answerAct("", pauseOfAll()), nil},
		{"no action", "unknown-action", answerAct("p1", &topics.Answer{}), nil},
		{"an action of the future", "unknown-action", answerAct("p1", &topics.Answer{Action: 99}), nil},
		{"no id of an alarm", codeBad, answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_RESET, Alarm: "all of them", Version: 1}), nil},
		{"an id too long", codeBad, answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE, Id: long}), nil},
		{"words for a reason", codeBad, answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE, Reason: "Mr Smith is in the bath"}), nil},
		{"a pause of NaN", "bad-duration", answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE, DurationS: math.NaN()}), nil},
		{"a pause below 0", "bad-duration", answerAct("p1", &topics.Answer{Action: topics.Action_ACTION_PAUSE, DurationS: -1}), nil},
		{"an endless standby", "bad-duration", standby(&topics.Standby{On: true, Reason: "bath", DurationS: math.Inf(1)}), nil},
		{"a standby's words", codeBad, standby(&topics.Standby{On: true, Reason: "a bath"}), nil},
		{"no layer", codeBad, nil, &Ask{Reason: "x"}},
		{"a layer of nobody", codeBad, nil, &Ask{Reason: "x", Layer: &topics.Layer{Of: "patient/"}}},
		{"an unknown patient's layer", codeUnknownPatient, nil, &Ask{Reason: "x", Layer: &topics.Layer{Of: "patient/p9"}}},
		{"no reason", "no-reason", nil, &Ask{Layer: &topics.Layer{Of: "patient/p1"}}},
		{"NaN", "not-a-number", nil, limit(&topics.Limit{Rule: "hr.high", Value: math.NaN()})},
		{"a negative duration", "negative", nil, limit(&topics.Limit{Rule: "hr.high", Value: 130, DurationS: -1})},
		{"an infinite quality", "not-a-number", nil, limit(&topics.Limit{Rule: "hr.high", Value: 130, Quality: proto.Float64(math.Inf(1))})},
	}
	for i, c := range cases {
		if id := uint64(i + 1); c.act != nil {
			p.act(id, c.act)
		} else {
			p.ask(id, c.ask)
		}
		m := until(p, doneOrProblem)
		if m.GetProblem().GetId() != uint64(i+1) || m.GetProblem().GetCode() != c.code || m.GetProblem().GetText() == "" {
			t.Errorf("%s: %v, want %s", c.name, m, c.code)
		}
	}
	r.end()
	if n := len(written[*topics.Chart](book)) + len(written[*topics.Request](book)); n > 0 {
		t.Errorf("%d were written", n)
	}
	notes := written[*topics.Audit](book)
	if len(notes) != len(cases) {
		t.Fatalf("%d of %d were noted", len(notes), len(cases))
	}
	for i, c := range cases {
		if notes[i].GetResult() != c.code || notes[i].GetPerson() != "local" || notes[i].GetAddress() != "loopback" {
			t.Errorf("%s was noted as %v", c.name, notes[i])
		}
	}
}

// What is not known to be in the audit is not done; what nobody answers may be.
func TestWithoutAuditLogOrOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*logbook)
		code   string
		charts int
	}{
		"no audit": {func(b *logbook) {
			b.fails = func(t topics.Any) error {
				if t.About().Name == "audit" {
					return errors.New("no such topic")
				}
				return nil
			}
		}, codeNoAudit, 0},
		"no log": {func(b *logbook) {
			b.fails = func(t topics.Any) error {
				if t.About().Name == "chart" {
					return errors.New("no leader")
				}
				return nil
			}
		}, codeNotWritten, 0},
		"no outcome": {func(b *logbook) { b.answer = nil }, codeNoOutcome, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, book := acting(t, nil)
			book.mu.Lock()
			c.change(book)
			book.mu.Unlock()
			p := r.connect(protocolProto)
			p.act(7, answerAct("p1", pauseOfAll()))
			if m := until(p, doneOrProblem); m.GetProblem().GetId() != 7 || m.GetProblem().GetCode() != c.code {
				t.Errorf("%v, want %s", m, c.code)
			}
			if n := len(written[*topics.Chart](book)); n != c.charts {
				t.Errorf("%d were written, want %d", n, c.charts)
			}
			book.mu.Lock()
			book.fails = nil
			book.mu.Unlock()
		})
	}
	r := start(t, nil)
	give(t, r.Settings(), topics.Settings, patientSetting(1, &topics.Patient{Patient: "p1", Unit: "4W"}))
	p := r.connect(protocolProto)
	p.act(7, answerAct("p1", pauseOfAll()))
	if m := until(p, doneOrProblem); m.GetProblem().GetCode() != codeReadOnly {
		t.Errorf("a gateway that does not write: %v", m)
	}
}

func TestAClientAsksForSoMuchAtATime(t *testing.T) {
	r, book := acting(t, nil)
	book.mu.Lock()
	book.answer = nil
	book.mu.Unlock()
	p := r.connect(protocolProto)
	for i := range mostAsks + 1 {
		p.act(uint64(i+1), answerAct("p1", pauseOfAll()))
	}
	if m := until(p, doneOrProblem); m.GetProblem().GetId() != mostAsks+1 || m.GetProblem().GetCode() != codeBusy {
		t.Errorf("the first answer is %v", m)
	}
	p.WriteControl(websocket.CloseMessage, nil, time.Now().Add(time.Second))
}
