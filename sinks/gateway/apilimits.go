package gateway

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// apiLimit is what one rule is judged by, and where that comes from.
type apiLimit struct {
	Rule       string     `json:"rule" maxLength:"64" example:"hr.high"`
	Value      *float64   `json:"value,omitempty" example:"130"`
	Unit       string     `json:"unit,omitempty" readOnly:"true" doc:"of the value, UCUM"`
	DurationS  float64    `json:"duration_s,omitempty" minimum:"0" doc:"s for which it must be exceeded"`
	Hysteresis float64    `json:"hysteresis,omitempty" minimum:"0" doc:"by which it must be undercut to be over"`
	Off        bool       `json:"off,omitempty"`
	Priority   string     `json:"priority,omitempty" enum:"low,medium,high," doc:"without it the rule's own"`
	Latching   *bool      `json:"latching,omitempty"`
	Quality    *float64   `json:"quality,omitempty" minimum:"0" maximum:"1" doc:"below it nothing is decided"`
	Expires    *time.Time `json:"expires,omitempty" doc:"from when on the layer beneath holds again"`
	Layer      string     `json:"layer,omitempty" readOnly:"true" doc:"default, profile, site, unit or patient"`
	Author     string     `json:"author,omitempty" readOnly:"true" doc:"an account"`
	Set        *time.Time `json:"set,omitempty" readOnly:"true"`
	Reason     string     `json:"reason,omitempty" readOnly:"true" doc:"a code"`
}

// apiRule is a rule that people wrote.
type apiRule struct {
	Name      string     `json:"name" maxLength:"64" example:"sepsis"`
	When      string     `json:"when" maxLength:"4096" doc:"CEL" example:"hr.mean(30s) > 130"`
	Clear     string     `json:"clear,omitempty" maxLength:"4096"`
	Value     string     `json:"value,omitempty" maxLength:"4096"`
	Words     string     `json:"words,omitempty" maxLength:"64"`
	Unit      string     `json:"unit,omitempty" maxLength:"32"`
	Priority  string     `json:"priority" enum:"low,medium,high"`
	Latching  bool       `json:"latching,omitempty"`
	DurationS float64    `json:"duration_s,omitempty" minimum:"0"`
	CalmS     float64    `json:"calm_s,omitempty" minimum:"0"`
	Quality   float64    `json:"quality,omitempty" minimum:"0" maximum:"1"`
	Expires   *time.Time `json:"expires,omitempty"`
	Version   uint32     `json:"version,omitempty" readOnly:"true"`
	Layer     string     `json:"layer,omitempty" readOnly:"true"`
	Author    string     `json:"author,omitempty" readOnly:"true"`
	Set       *time.Time `json:"set,omitempty" readOnly:"true"`
	Reason    string     `json:"reason,omitempty" readOnly:"true"`
}

// apiLayer is what one layer itself says.
type apiLayer struct {
	Profile   string     `json:"profile,omitempty" maxLength:"64" doc:"that holds right beneath this layer"`
	Limits    []apiLimit `json:"limits,omitempty" maxItems:"256"`
	Rules     []apiRule  `json:"rules,omitempty" maxItems:"64"`
	LethalOff []string   `json:"lethal_off,omitempty" maxItems:"16" doc:"the lethal rules that this layer means to switch off"`
	PauseS    float64    `json:"pause_s,omitempty" minimum:"0" doc:"how long a pause lasts when nobody says"`
}

// apiForce is the whole set in force.
type apiForce struct {
	Unit      string     `json:"unit,omitempty"`
	Profile   string     `json:"profile,omitempty"`
	Version   uint64     `json:"version" doc:"of the settings that it was resolved from"`
	Limits    []apiLimit `json:"limits"`
	Rules     []apiRule  `json:"rules"`
	PauseS    float64    `json:"pause_s" doc:"how long a pause lasts when nobody says; 0: the default"`
	PauseMaxS float64    `json:"pause_max_s" doc:"and at most; 0: the default"`
}

// apiLimits is a layer with its version, and what is in force with it.
type apiLimits struct {
	Of      string    `json:"of" doc:"whose layer: site, unit/4 West, patient/p01"`
	Version uint64    `json:"version" doc:"of the layer: its ETag; 0: it says nothing yet"`
	Layer   apiLayer  `json:"layer" doc:"what the layer itself says"`
	Force   *apiForce `json:"force,omitempty" doc:"what holds, each value with where it comes from"`
}

// PutLayer is the wish for a layer.
type PutLayer struct {
	Idempotent
	IfMatch string `header:"If-Match" doc:"the version of the layer that was seen, as its ETag; \"0\": it said nothing"`
	Body    struct {
		Reason string   `json:"reason" minLength:"1" maxLength:"64" doc:"a code" example:"clinical-order"`
		Layer  apiLayer `json:"layer" doc:"the whole layer: what it does not name is the layer's beneath"`
	}
}

// UnitPath is a request about one unit.
type UnitPath struct {
	Unit string `path:"unit" maxLength:"256" doc:"the name of a unit" example:"4 West"`
}

type putPatientLayer struct {
	PatientPath
	PutLayer
}

type putUnitLayer struct {
	UnitPath
	PutLayer
}

// Resolve gives the gateway what resolves the limits in force in a unit or the
// site out of settings; a patient's are in settings. Without it they are left out.
// It is called before Run.
func (g *Gateway) Resolve(by func(settings []*topics.Setting, of string) (*topics.Limits, error)) {
	g.resolve = by
}

func (g *Gateway) registerLimits(api huma.API) {
	get := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"limits"}, Errors: []int{403, 404}}
	}
	put := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPut, Path: path, Summary: summary, Tags: []string{"limits"}, Errors: actErrors, MaxBodyBytes: 256 << 10}
	}
	huma.Register(api, get("patient-limits", "/v1/patients/{patient}/limits", "The limits of a patient"), func(ctx context.Context, in *PatientPath) (*tagged[apiLimits], error) {
		_, p, err := g.look(ctx, in.Patient)
		if err != nil {
			return nil, err
		}
		return g.limitsOf(topics.LayerPatient+"/"+in.Patient, p), nil
	})
	huma.Register(api, put("put-patient-limits", "/v1/patients/{patient}/limits", "Set the limits of a patient"), func(ctx context.Context, in *putPatientLayer) (*tagged[apiLimits], error) {
		return g.putLayer(ctx, topics.LayerPatient+"/"+in.Patient, &in.PutLayer)
	})
	huma.Register(api, get("unit-limits", "/v1/units/{unit}/limits", "The limits of a unit"), func(ctx context.Context, in *UnitPath) (*tagged[apiLimits], error) {
		return g.getLayer(ctx, topics.LayerUnit+"/"+in.Unit, in.Unit)
	})
	huma.Register(api, put("put-unit-limits", "/v1/units/{unit}/limits", "Set the limits of a unit"), func(ctx context.Context, in *putUnitLayer) (*tagged[apiLimits], error) {
		return g.putLayer(ctx, topics.LayerUnit+"/"+in.Unit, &in.PutLayer)
	})
	huma.Register(api, get("site-limits", "/v1/site/limits", "The limits of the site"), func(ctx context.Context, _ *struct{}) (*tagged[apiLimits], error) {
		return g.getLayer(ctx, topics.LayerSite, "")
	})
	huma.Register(api, put("put-site-limits", "/v1/site/limits", "Set the limits of the site"), func(ctx context.Context, in *PutLayer) (*tagged[apiLimits], error) {
		return g.putLayer(ctx, topics.LayerSite, in)
	})
}

// getLayer is the layer of a unit, or of the site, which all who see anybody may see.
func (g *Gateway) getLayer(ctx context.Context, of, unit string) (*tagged[apiLimits], error) {
	v := visitOf(ctx)
	id := g.ward.identify(v.user)
	if !id.May(access.See) || unit != "" && !id.In(unit) {
		why := id.refused(access.See)
		g.ward.trail.refused(v.audit(id, whatRead, cut(of, 256)), why.code)
		return nil, why.problem()
	}
	return g.limitsOf(of, nil), nil
}

func (g *Gateway) putLayer(ctx context.Context, of string, in *PutLayer) (*tagged[apiLimits], error) {
	version, err := versionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	v := visitOf(ctx)
	v.noted = true
	l := in.Body.Layer.layer(of)
	o, why := g.ask(ctx, v.asker, &Ask{Layer: l, Reason: in.Body.Reason, Expected: &version, Request: in.Key})
	switch {
	case why != nil:
		return nil, why.problem()
	case !o.GetAccepted():
		return nil, refuse(o.GetCode(), "%s", o.GetProblem()).problem()
	}
	// The layer and the set stand in settings before the outcome.
	g.ward.mu.RLock()
	p := g.ward.patients[topics.Key(subjectOf(of))]
	g.ward.mu.RUnlock()
	return g.limitsOf(of, p), nil
}

// limitsOf is a layer as it is now, with what is in force.
func (g *Gateway) limitsOf(of string, p *patient) *tagged[apiLimits] {
	set := g.ward.layers.newest(of)
	out := &tagged[apiLimits]{etag(set.GetVersion()), apiLimits{Of: of, Version: set.GetVersion(), Layer: layerOf(set.GetLayer())}}
	if set.GetLayer().GetGone() {
		out.ETag, out.Body.Version, out.Body.Layer = etag(0), 0, apiLayer{}
	}
	var force topics.Limits
	switch {
	case p != nil:
		p.mu.Lock()
		b := p.limits
		p.mu.Unlock()
		if b == nil || proto.Unmarshal(b, &force) != nil {
			return out
		}
	case g.resolve != nil:
		l, err := g.resolve(g.ward.layers.settings(), of)
		if err != nil {
			return out
		}
		proto.Merge(&force, l)
	default:
		return out
	}
	out.Body.Force = &apiForce{
		force.GetUnit(), force.GetProfile(), force.GetVersion(), limitsIn(force.GetLimits()), rulesIn(force.GetRules()), force.GetPauseS(), force.GetPauseMaxS(),
	}
	return out
}

func limitsIn(list []*topics.Limit) []apiLimit {
	out := make([]apiLimit, len(list))
	for i, l := range list {
		out[i] = *limitOf(l)
	}
	return out
}

func rulesIn(list []*topics.Rule) []apiRule {
	out := make([]apiRule, len(list))
	for i, r := range list {
		out[i] = apiRule{
			Name: r.GetName(), When: r.GetWhen(), Clear: r.GetClear(), Value: r.GetValue(), Words: r.GetWords(), Unit: r.GetUnit(),
			Priority: word(r.GetPriority().String(), "PRIORITY_"), Latching: r.GetLatching(), DurationS: r.GetDurationS(), CalmS: r.GetCalmS(), Quality: r.GetQuality(),
			Expires: when(r.GetExpiresUs()), Version: r.GetVersion(), Layer: r.GetLayer(), Author: r.GetAuthor(), Set: when(r.GetSetUs()), Reason: r.GetReason(),
		}
	}
	return out
}

func layerOf(l *topics.Layer) apiLayer {
	return apiLayer{l.GetProfile(), limitsIn(l.GetLimits()), rulesIn(l.GetRules()), l.GetLethalOff(), l.GetPauseS()}
}

// finite is a number that JSON can say.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func limitOf(l *topics.Limit) *apiLimit {
	return &apiLimit{
		Rule: l.GetRule(), Value: finite(l.GetValue()), Unit: l.GetUnit(), DurationS: l.GetDurationS(), Hysteresis: l.GetHysteresis(), Off: l.GetOff(),
		Priority: word(l.GetPriority().String(), "PRIORITY_"), Latching: l.Latching, Quality: l.Quality, Expires: when(l.GetExpiresUs()),
		Layer: l.GetLayer(), Author: l.GetAuthor(), Set: when(l.GetSetUs()), Reason: l.GetReason(),
	}
}

// layer is what is asked for; what the registry fills in is left to it.
func (a *apiLayer) layer(of string) *topics.Layer {
	l := &topics.Layer{Of: of, Profile: a.Profile, LethalOff: a.LethalOff, PauseS: a.PauseS}
	for _, x := range a.Limits {
		v := &topics.Limit{
			Rule: x.Rule, DurationS: x.DurationS, Hysteresis: x.Hysteresis, Off: x.Off, Priority: priorityOf(x.Priority), Latching: x.Latching, Quality: x.Quality,
			ExpiresUs: micros(x.Expires),
		}
		if x.Value != nil {
			v.Value = *x.Value
		}
		l.Limits = append(l.Limits, v)
	}
	for _, x := range a.Rules {
		l.Rules = append(l.Rules, &topics.Rule{
			Name: x.Name, When: x.When, Clear: x.Clear, Value: x.Value, Words: x.Words, Unit: x.Unit, Priority: priorityOf(x.Priority),
			Latching: x.Latching, DurationS: x.DurationS, CalmS: x.CalmS, Quality: x.Quality, ExpiresUs: micros(x.Expires),
		})
	}
	return l
}

func priorityOf(w string) topics.Priority {
	switch w {
	case "low":
		return topics.Priority_PRIORITY_LOW
	case "medium":
		return topics.Priority_PRIORITY_MEDIUM
	case "high":
		return topics.Priority_PRIORITY_HIGH
	}
	return topics.Priority_PRIORITY_UNSPECIFIED
}

func micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}
