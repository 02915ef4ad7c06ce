package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// apiAlarm is an alarm as it is now.
type apiAlarm struct {
	ID             string     `json:"id"`
	Version        uint32     `json:"version" doc:"rises with each change"`
	Rule           string     `json:"rule" example:"hr.high"`
	Priority       string     `json:"priority" enum:"low,medium,high"`
	Technical      bool       `json:"technical,omitempty" doc:"of the equipment, not of the body"`
	Condition      string     `json:"condition" enum:"active,latched,ended"`
	Text           string     `json:"text" example:"HR 134 > 120"`
	Value          *float64   `json:"value,omitempty"`
	Limit          *float64   `json:"limit,omitempty"`
	Unit           string     `json:"unit,omitempty" doc:"of value and limit, UCUM"`
	Worst          *float64   `json:"worst,omitempty" doc:"value of the episode"`
	Onset          *time.Time `json:"onset,omitempty" doc:"when the condition began"`
	Raised         *time.Time `json:"raised,omitempty" doc:"when it was decided"`
	Ended          *time.Time `json:"ended,omitempty" doc:"when the condition ended"`
	Signal         string     `json:"signal" enum:"sounding,acknowledged,paused,"`
	SignalUntil    *time.Time `json:"signal_until,omitempty"`
	SignalBy       string     `json:"signal_by,omitempty" doc:"who acknowledged or paused it"`
	Responsibility string     `json:"responsibility" enum:"open,accepted,rejected,timed_out,"`
	Responsible    string     `json:"responsible,omitempty" doc:"who has accepted it"`
	Latching       bool       `json:"latching,omitempty"`
	LimitInForce   *apiLimit  `json:"limit_in_force,omitempty"`
}

// apiOutcome is what came of an action.
type apiOutcome struct {
	Patient string `json:"patient"`
	Alarm   string `json:"alarm,omitempty"`
	Version uint32 `json:"version,omitempty" doc:"of the alarm now"`
	By      string `json:"by" doc:"the account"`
}

type tagged[T any] struct {
	ETag string `header:"ETag" doc:"the version, for If-Match"`
	Body T
}

// AlarmPath is a request about one alarm.
type AlarmPath struct {
	PatientPath
	Alarm string `path:"alarm" pattern:"^[0-9a-f]{1,64}$" doc:"the id of an alarm"`
}

// Idempotent is a request that may be asked again under its key.
type Idempotent struct {
	Key string `header:"Idempotency-Key" maxLength:"128" doc:"a repeat under the same key has no second effect"`
}

type actOnAlarm struct {
	AlarmPath
	Idempotent
	IfMatch string `header:"If-Match" doc:"the version of the alarm that was seen, as its ETag; *: whatever it is"`
	Body    struct {
		Reason    string  `json:"reason,omitempty" maxLength:"64" doc:"a code" example:"at-bedside"`
		DurationS float64 `json:"duration_s,omitempty" minimum:"0" doc:"s, of a pause; 0: what the site says"`
	}
}

type actOnAll struct {
	PatientPath
	Idempotent
	Body struct {
		Reason    string  `json:"reason,omitempty" maxLength:"64" doc:"a code" example:"at-bedside"`
		DurationS float64 `json:"duration_s,omitempty" minimum:"0" doc:"s, of a pause; 0: what the site says"`
	}
}

type putOnStandby struct {
	PatientPath
	Idempotent
	Body struct {
		On        bool    `json:"on" doc:"false: watch the patient again"`
		Reason    string  `json:"reason,omitempty" maxLength:"64" doc:"a code" example:"transport"`
		DurationS float64 `json:"duration_s,omitempty" minimum:"0" maximum:"14400" doc:"s, at most 4 h"`
	}
}

// deeds are what can be done about an alarm; some also about all of a patient's.
var deeds = []struct {
	name, summary string
	action        topics.Action
	ofAll         bool
}{
	{"acknowledge", "I have heard it: silent until it sounds again", topics.Action_ACTION_ACKNOWLEDGE, false},
	{"accept", "I am going", topics.Action_ACTION_ACCEPT, false},
	{"reject", "Not me: the next is asked", topics.Action_ACTION_REJECT, false},
	{"pause", "Silent for a time", topics.Action_ACTION_PAUSE, true},
	{"resume", "End a pause", topics.Action_ACTION_RESUME, true},
	{"reset", "Take away a latched alarm whose condition is over", topics.Action_ACTION_RESET, false},
}

var actErrors = []int{400, 403, 404, 409, 412, 415, 422, 428, 503, 504}

func (g *Gateway) registerAlarms(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "alarms", Method: http.MethodGet, Path: "/v1/patients/{patient}/alarms", Summary: "The open alarms of a patient", Tags: []string{"alarms"},
		Errors: []int{403, 404},
	}, func(ctx context.Context, in *PatientPath) (*body[[]*apiAlarm], error) {
		_, p, err := g.look(ctx, in.Patient)
		if err != nil {
			return nil, err
		}
		return &body[[]*apiAlarm]{p.status().Alarms}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "alarm", Method: http.MethodGet, Path: "/v1/patients/{patient}/alarms/{alarm}", Summary: "An open alarm", Tags: []string{"alarms"},
		Errors: []int{403, 404},
	}, g.getAlarm)
	for _, d := range deeds {
		huma.Register(api, huma.Operation{
			OperationID: d.name + "-alarm", Method: http.MethodPost, Path: "/v1/patients/{patient}/alarms/{alarm}/" + d.name, Summary: d.summary, Tags: []string{"alarms"},
			Errors: actErrors, MaxBodyBytes: 16 << 10,
		}, func(ctx context.Context, in *actOnAlarm) (*tagged[apiOutcome], error) {
			version, err := alarmVersion(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return g.actBy(ctx, &Act{Patient: in.Patient, Kind: &Act_Answer{Answer: &topics.Answer{
				Id: in.Key, Action: d.action, Alarm: in.Alarm, Version: version, Reason: in.Body.Reason, DurationS: in.Body.DurationS,
			}}})
		})
		if !d.ofAll {
			continue
		}
		huma.Register(api, huma.Operation{
			OperationID: d.name + "-all", Method: http.MethodPost, Path: "/v1/patients/{patient}/" + d.name, Summary: d.summary + ", of all alarms", Tags: []string{"alarms"},
			Errors: actErrors, MaxBodyBytes: 16 << 10,
		}, func(ctx context.Context, in *actOnAll) (*tagged[apiOutcome], error) {
			return g.actBy(ctx, &Act{Patient: in.Patient, Kind: &Act_Answer{Answer: &topics.Answer{
				Id: in.Key, Action: d.action, Reason: in.Body.Reason, DurationS: in.Body.DurationS,
			}}})
		})
	}
	huma.Register(api, huma.Operation{
		OperationID: "standby", Method: http.MethodPost, Path: "/v1/patients/{patient}/standby", Summary: "Stop watching a patient for a time, or watch again", Tags: []string{"alarms"},
		Errors: actErrors, MaxBodyBytes: 16 << 10,
	}, func(ctx context.Context, in *putOnStandby) (*tagged[apiOutcome], error) {
		return g.actBy(ctx, &Act{Patient: in.Patient, Kind: &Act_Standby{Standby: &topics.Standby{
			Id: in.Key, On: in.Body.On, Reason: in.Body.Reason, DurationS: in.Body.DurationS,
		}}})
	})
}

func (g *Gateway) getAlarm(ctx context.Context, in *AlarmPath) (*tagged[*apiAlarm], error) {
	_, p, err := g.look(ctx, in.Patient)
	if err != nil {
		return nil, err
	}
	for _, a := range p.status().Alarms {
		if a.ID == in.Alarm {
			return &tagged[*apiAlarm]{etag(uint64(a.Version)), a}, nil
		}
	}
	return nil, refuse("unknown-alarm", "this patient has no such open alarm: look at the patient's list; it may have ended").problem()
}

// actBy does what a request asks for.
func (g *Gateway) actBy(ctx context.Context, a *Act) (*tagged[apiOutcome], error) {
	v := visitOf(ctx)
	v.noted = true
	o, why := g.act(ctx, v.asker, a)
	switch {
	case why != nil:
		return nil, why.problem()
	case !o.GetAccepted():
		return nil, refuse(o.GetCode(), "%s", o.GetProblem()).problem()
	}
	out := &tagged[apiOutcome]{Body: apiOutcome{a.GetPatient(), o.GetAlarm(), o.GetVersion(), o.GetPerson()}}
	if o.GetVersion() > 0 {
		out.ETag = etag(uint64(o.GetVersion()))
	}
	return out, nil
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// versionOf is the version in an If-Match.
func versionOf(match string) (uint64, error) {
	if match == "" {
		return 0, refuse("no-version", `If-Match: say which version was seen, as the ETag of what was read: "12"`).problem()
	}
	v, err := strconv.ParseUint(strings.Trim(match, `"`), 10, 64)
	if err != nil || etag(v) != match {
		return 0, refuse(codeBad, `If-Match: want one version as an ETag: "12"`).problem()
	}
	return v, nil
}

// alarmVersion is the version in an If-Match of an alarm; 0: whatever it is.
func alarmVersion(match string) (uint32, error) {
	if match == "*" {
		return 0, nil
	}
	v, err := versionOf(match)
	if err == nil && (v == 0 || v > 1<<32-1) {
		err = refuse(codeBad, "If-Match: no alarm has version %d", v).problem()
	}
	return uint32(v), err
}

func alarmsOf(records []*message) []*apiAlarm {
	out := []*apiAlarm{}
	for _, m := range records {
		var a topics.Alarm
		if proto.Unmarshal(m.record(), &a) == nil && a.GetState() != nil {
			out = append(out, alarmOf(a.GetState()))
		}
	}
	return out
}

// word is the name of a value of an enumeration, without what it is a value of.
func word(name, prefix string) string {
	w := strings.ToLower(strings.TrimPrefix(name, prefix))
	if w == "unspecified" {
		return ""
	}
	return w
}

func alarmOf(s *topics.AlarmState) *apiAlarm {
	priority := s.GetPriority()
	if priority == topics.Priority_PRIORITY_UNSPECIFIED {
		priority = topics.Priority_PRIORITY_HIGH // as each reader takes it
	}
	a := &apiAlarm{
		ID: s.GetId(), Version: s.GetVersion(), Rule: s.GetRule(), Priority: word(priority.String(), "PRIORITY_"), Technical: s.GetTechnical(),
		Condition: word(s.GetCondition().String(), "ALARM_CONDITION_"), Text: s.GetText(), Unit: s.GetUnit(),
		Value: finite(s.GetValue()), Limit: finite(s.GetLimit()), Worst: finite(s.GetWorst()),
		Onset: when(s.GetOnsetUs()), Raised: when(s.GetRaisedUs()), Ended: when(s.GetEndedUs()),
		Signal: word(s.GetSignal().String(), "ALARM_SIGNAL_"), SignalUntil: when(s.GetSignalUntilUs()), SignalBy: s.GetSignalBy(),
		Responsibility: word(s.GetResponsibility().String(), "RESPONSIBILITY_"), Responsible: s.GetResponsible(), Latching: s.GetLatching(),
	}
	if l := s.GetLimitInForce(); l != nil {
		a.LimitInForce = limitOf(l)
	}
	return a
}
