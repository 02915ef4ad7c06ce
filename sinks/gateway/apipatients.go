package gateway

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// apiPatient is who a key is on the screen: aliases only.
type apiPatient struct {
	Patient    string `json:"patient" doc:"the key, a pseudonym" example:"p01"`
	Unit       string `json:"unit,omitempty" example:"4 West"`
	Bed        string `json:"bed,omitempty" example:"B03"`
	Alias      string `json:"alias,omitempty" example:"Kestrel 19"`
	Device     string `json:"device,omitempty"`
	Unassigned bool   `json:"unassigned,omitempty" doc:"a device that is bound to nobody"`
	Paced      bool   `json:"paced,omitempty"`
}

// apiStatus is what is known of a patient now.
type apiStatus struct {
	apiPatient
	Time    *time.Time  `json:"time,omitempty" doc:"of the newest second that is known"`
	Rate    *float64    `json:"rate,omitempty" doc:"heart rate, /min; absent: unknown"`
	Quality *float64    `json:"quality,omitempty" doc:"of the signal, 0 to 1"`
	LeadOff bool        `json:"lead_off,omitempty" doc:"every lead is off"`
	Alarms  []*apiAlarm `json:"alarms" doc:"the open ones"`
	Silence *apiSilence `json:"silence,omitempty" doc:"a pause of all alarms, or standby, while it lasts"`
}

// apiSilence is a pause of all of a patient's alarms, or standby.
type apiSilence struct {
	Standby bool       `json:"standby" doc:"nothing is decided at all; else alarms are decided and silent"`
	By      string     `json:"by,omitempty" doc:"an account"`
	Reason  string     `json:"reason,omitempty" doc:"a code"`
	Until   *time.Time `json:"until,omitempty"`
}

// apiIdentity is who asks.
type apiIdentity struct {
	Account     string   `json:"account"`
	Roles       []string `json:"roles"`
	Units       []string `json:"units" doc:"*: all"`
	Permissions []string `json:"permissions" doc:"see, act, limits, rules, admin"`
}

type body[T any] struct {
	Body T
}

// PatientPath is a request about one patient. (What huma is to fill in where it
// is embedded has to be exported.)
type PatientPath struct {
	Patient string `path:"patient" maxLength:"256" doc:"the key of a patient" example:"p01"`
}

func (g *Gateway) registerPatients(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "identity", Method: http.MethodGet, Path: "/v1/identity", Summary: "Who I am, and what I may do", Tags: []string{"people"},
	}, func(ctx context.Context, _ *struct{}) (*body[apiIdentity], error) {
		id := g.ward.identify(visitOf(ctx).user)
		out := apiIdentity{Account: id.account, Roles: orNone(id.Roles), Units: orNone(id.Units), Permissions: []string{}}
		for _, p := range id.Permissions {
			out.Permissions = append(out.Permissions, string(p))
		}
		return &body[apiIdentity]{out}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "patients", Method: http.MethodGet, Path: "/v1/patients", Summary: "The patients whom I may see", Tags: []string{"patients"},
		Errors: []int{403},
	}, g.listPatients)
	huma.Register(api, huma.Operation{
		OperationID: "patient", Method: http.MethodGet, Path: "/v1/patients/{patient}", Summary: "A patient now", Tags: []string{"patients"},
		Errors: []int{403, 404},
	}, func(ctx context.Context, in *PatientPath) (*body[apiStatus], error) {
		_, p, err := g.look(ctx, in.Patient)
		if err != nil {
			return nil, err
		}
		return &body[apiStatus]{p.status()}, nil
	})
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (g *Gateway) listPatients(ctx context.Context, _ *struct{}) (*body[[]apiPatient], error) {
	v := visitOf(ctx)
	id := g.ward.identify(v.user)
	// A list says who lies where, and of nobody how they are: one record is enough.
	note := v.audit(id, whatRead, g.cfg.Site)
	if !id.May(access.See) {
		why := id.refused(access.See)
		g.ward.trail.refused(note, why.code)
		return nil, why.problem()
	}
	g.ward.trail.note(note)
	out := []apiPatient{}
	g.ward.mu.RLock()
	for _, p := range g.ward.patients {
		p.mu.Lock()
		if p.known && id.Sees(p.unit()) {
			out = append(out, patientOf(p.bed))
		}
		p.mu.Unlock()
	}
	g.ward.mu.RUnlock()
	slices.SortFunc(out, func(a, b apiPatient) int { return cmp.Compare(a.Patient, b.Patient) })
	return &body[[]apiPatient]{out}, nil
}

func patientOf(b *Bed) apiPatient {
	return apiPatient{b.GetPatient(), b.GetUnit(), b.GetBed(), b.GetAlias(), b.GetDevice(), b.GetUnassigned(), b.GetPaced()}
}

// status is what is known of a patient, out of the records that are kept.
func (p *patient) status() apiStatus {
	p.mu.Lock()
	s := p.recall(topicChart|topicAlarms, 0)
	p.mu.Unlock()
	out := apiStatus{apiPatient: patientOf(s.bed), Alarms: alarmsOf(s.alarms)}
	if s.second != nil {
		var c topics.Chart
		if proto.Unmarshal(s.second.record(), &c) == nil {
			q := c.GetSecond().GetQuality()
			out.Time, out.Rate, out.Quality, out.LeadOff = when(c.GetTimeUs()), c.GetSecond().Rate, &q, c.GetSecond().GetLeadOff()
		}
	}
	if s.silence != nil {
		var a topics.Alarm
		if proto.Unmarshal(s.silence.record(), &a) == nil {
			k := a.GetSilence()
			out.Silence = &apiSilence{k.GetStandby(), k.GetPerson(), k.GetReason(), when(k.GetUntilUs())}
		}
	}
	return out
}
