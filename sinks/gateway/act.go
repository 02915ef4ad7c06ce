package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"regexp"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// mostAtOnce of what people ask for is under way at a time, of all of them.
const mostAtOnce = 256

// outcomeWait is for how long whoever asks is kept waiting.
const outcomeWait = 5 * time.Second

// code is what stands in for words where the log is read by all: 1 to 64
// lower-case letters, digits, dots and dashes.
var (
	code     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
	alarmID  = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
	clientID = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)
)

// act does what somebody does about a patient's alarms, and returns what came
// of it: the alarms stage's outcome, or why it was not asked for.
func (g *Gateway) act(ctx context.Context, who asker, a *Act) (*topics.AnswerOutcome, *refusal) {
	id := g.ward.identify(who.user)
	chart, asked := &topics.Chart{Patient: a.GetPatient()}, who.audit(id, whatAct, a.GetPatient())
	var outcome *topics.AnswerOutcome
	why := g.mayAct(id, who, a)
	if why == nil {
		g.person(id, who, a, chart, asked)
		why = attempt(ctx, g, asked, &g.acts, &outcome, topics.Charts, chart)
	}
	if why != nil {
		g.ward.trail.refused(asked, why.code)
		return nil, why
	}
	g.ward.trail.concluded(asked, outcome.GetAccepted(), outcome.GetCode())
	return outcome, nil
}

// mayAct says why an Act is not to be asked for.
func (g *Gateway) mayAct(id identity, who asker, a *Act) *refusal {
	if len(id.Permissions) == 0 {
		return id.refused(access.Act)
	}
	if !g.ward.shows(id, topics.Key(a.GetPatient())) {
		return errUnknownPatient
	}
	if !id.May(access.Act) {
		return id.refused(access.Act)
	}
	switch k := a.GetKind().(type) {
	case *Act_Answer:
		return sane(k.Answer, who)
	case *Act_Standby:
		s := k.Standby
		if s.GetId() != "" && !clientID.MatchString(s.GetId()) {
			return errID
		}
		return firstOf(checkReason(s.GetReason()), checkSeconds(s.GetDurationS()))
	}
	return refuse(codeBad, "nothing is asked for: an Act has an answer or a standby")
}

var errID = refuse(codeBad, "id: want 1 to 128 printable characters without spaces, or none")

// sane looks at what the alarms stage could not answer, or a page not mean.
func sane(a *topics.Answer, who asker) *refusal {
	switch {
	case topics.Action_name[int32(a.GetAction())] == "" || a.GetAction() == topics.Action_ACTION_UNSPECIFIED:
		return refuse("unknown-action", "action: want acknowledge, accept, reject, pause, resume or reset")
	case a.GetAlarm() != "" && !alarmID.MatchString(a.GetAlarm()):
		return refuse(codeBad, "alarm: %.64q is no alarm's id", a.GetAlarm())
	case a.GetId() != "" && !clientID.MatchString(a.GetId()):
		return errID
	case who.channel == channelPage && a.GetAlarm() != "" && a.GetVersion() == 0:
		return refuse(codeBad, "version: say which version of the alarm was seen")
	}
	return firstOf(checkReason(a.GetReason()), checkSeconds(a.GetDurationS()))
}

func firstOf(all ...*refusal) *refusal {
	for _, r := range all {
		if r != nil {
			return r
		}
	}
	return nil
}

func checkReason(reason string) *refusal {
	if reason != "" && !code.MatchString(reason) {
		return refuse(codeBad, "reason: want a code such as transport or at-bedside: lower-case letters, digits, dots and dashes, 64 at most. What is more than a code does not belong into the log")
	}
	return nil
}

func checkSeconds(s float64) *refusal {
	if math.IsNaN(s) || math.IsInf(s, 0) || s < 0 {
		return refuse("bad-duration", "duration_s: want seconds above 0, or 0 for the usual")
	}
	return nil
}

// person makes the record of an Act: who, how and when are not the client's to say.
func (g *Gateway) person(id identity, who asker, a *Act, c *topics.Chart, audit *topics.Audit) {
	now := g.ward.now().UnixMicro()
	c.TimeUs = now
	switch k := a.GetKind().(type) {
	case *Act_Answer:
		v := proto.CloneOf(k.Answer)
		v.Person, v.Channel, v.TimeUs = id.account, who.channel, 0
		v.Id = wish(id, a.GetPatient(), v.GetId(), v)
		v.TimeUs = now
		c.Kind, audit.Asked, audit.Id = &topics.Chart_Answer{Answer: v}, &topics.Audit_Answer{Answer: v}, v.Id
	case *Act_Standby:
		v := proto.CloneOf(k.Standby)
		v.Person, v.Channel, v.TimeUs = id.account, who.channel, 0
		v.Id = wish(id, a.GetPatient(), v.GetId(), v)
		v.TimeUs = now
		c.Kind, audit.Asked, audit.Id = &topics.Chart_Standby{Standby: v}, &topics.Audit_Standby{Standby: v}, v.Id
	}
}

// wish is the id in the log of what somebody asks under an id of their own: of
// the person, the id and what is asked, so that a repeat has the same, and
// nobody else's, and nothing else asked by mistake under it, is taken for one.
func wish(id identity, of, own string, what proto.Message) string {
	if own == "" {
		return rand.Text()
	}
	h := sha256.New()
	for _, part := range []string{id.account, of, own} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(what) // it was decoded
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// attempt notes what is asked, writes it and waits for its outcome.
func attempt[T any](ctx context.Context, g *Gateway, asked *topics.Audit, all *outcomes[T], outcome *T, t topics.Any, v proto.Message) *refusal {
	out := g.ward.trail.out
	if out == nil {
		return errReadOnly
	}
	select {
	case g.turns <- struct{}{}:
		defer func() { <-g.turns }()
	default:
		return errBusy
	}
	first := proto.CloneOf(asked)
	first.Result = resultAsked
	if err := g.ward.trail.sure(ctx, first); err != nil {
		return errNoAudit
	}
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	told, done := all.expect(asked.GetId())
	defer done()
	if err := out.Write(ctx, t, v); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		g.log.Error("what somebody asked for could not be written", "topic", t.About().Name, "err", err)
		return errNotWritten
	}
	select {
	case *outcome = <-told:
		return nil
	case <-ctx.Done():
		return errNoOutcome
	}
}

// refused notes that something was not done, as far as is known.
func (t *trail) refused(a *topics.Audit, code string) {
	a.Result = code
	t.note(a)
}

// concluded notes what came of what was asked for; what it was, stands in the record before.
func (t *trail) concluded(a *topics.Audit, accepted bool, code string) {
	if a.Asked, a.Result = nil, resultDone; !accepted {
		a.Result = code
	}
	t.note(a)
}
