package gateway

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/sinks/gateway/access"
	"heartwire/topics"
)

// ask is a wish about limits, and returns what came of it: the registry's
// outcome, or why it was not asked.
func (g *Gateway) ask(ctx context.Context, who asker, a *Ask) (*topics.Outcome, *refusal) {
	id := g.ward.identify(who.user)
	asked := who.audit(id, whatAsk, subjectOf(a.GetLayer().GetOf()))
	var outcome *topics.Outcome
	why := g.mayAsk(id, a)
	if why == nil {
		expected := a.GetExpected() // absent: there was none, at version 0
		req := &topics.Request{
			Site: g.cfg.Site, Author: id.account, Reason: a.GetReason(), Expected: &expected,
			Kind: &topics.Request_PutLayer{PutLayer: a.GetLayer()},
		}
		req.Id = wish(id, a.GetLayer().GetOf(), a.GetRequest(), req)
		req.TimeUs = g.ward.now().UnixMicro()
		asked.Id, asked.Asked = req.Id, &topics.Audit_Request{Request: req}
		why = attempt(ctx, g, asked, &g.asks, &outcome, topics.Requests, req)
	}
	if why != nil {
		g.ward.trail.refused(asked, why.code)
		return nil, why
	}
	g.ward.trail.concluded(asked, outcome.GetAccepted(), outcome.GetCode())
	return outcome, nil
}

// subjectOf is what a wish about a layer is noted under: of a patient the key.
func subjectOf(of string) string {
	if key, ok := strings.CutPrefix(of, topics.LayerPatient+"/"); ok {
		return key
	}
	return of[:min(len(of), 256)]
}

// mayAsk says why an Ask is not to be asked for.
func (g *Gateway) mayAsk(id identity, a *Ask) *refusal {
	if len(id.Permissions) == 0 {
		return id.refused(access.Limits)
	}
	if why := g.mayLayer(id, a.GetLayer()); why != nil {
		return why
	}
	switch {
	case a.GetReason() == "":
		return refuse("no-reason", "reason: say why, by a code such as clinical-order or nuisance")
	case a.GetRequest() != "" && !clientID.MatchString(a.GetRequest()):
		return errID
	}
	return firstOf(checkReason(a.GetReason()), checkNumbers(a.GetLayer()))
}

// mayLayer says why a layer may not be set as it is asked for.
func (g *Gateway) mayLayer(id identity, l *topics.Layer) *refusal {
	kind, name, _ := strings.Cut(l.GetOf(), "/")
	need := access.Limits
	switch {
	case l.GetOf() == topics.LayerSite:
		if !id.Everywhere() || !id.May(access.Admin) {
			return id.refused(access.Admin)
		}
		return nil
	case kind == topics.LayerUnit && name != "":
		if !id.In(name) || !id.May(access.Rules) {
			return id.refused(access.Rules)
		}
		return nil
	case kind == topics.LayerPatient && name != "":
		if !g.ward.shows(id, topics.Key(name)) {
			return errUnknownPatient
		}
		if g.ward.layers.reaches(l) {
			need = access.Rules
		}
	default:
		return refuse(codeBad, "layer.of: want site, unit/NAME or patient/KEY")
	}
	if !id.May(need) {
		return id.refused(need)
	}
	return nil
}

// checkNumbers looks for what JSON and Protobuf can say and no limit can be.
// What a number may be is the registry's to say.
func checkNumbers(l *topics.Layer) *refusal {
	for i, x := range l.GetLimits() {
		at := fmt.Sprintf("layer.limits[%d] (%.64s)", i, x.GetRule())
		for _, n := range [...]struct {
			name string
			v    float64
			low  float64
		}{{"value", x.GetValue(), math.Inf(-1)}, {"duration_s", x.GetDurationS(), 0}, {"hysteresis", x.GetHysteresis(), 0}, {"quality", x.GetQuality(), 0}} {
			if math.IsNaN(n.v) || math.IsInf(n.v, 0) {
				return refuse("not-a-number", "%s: %s is no number", at, n.name)
			}
			if n.v < n.low {
				return refuse("negative", "%s: %s is %v, below 0", at, n.name, n.v)
			}
		}
	}
	if p := l.GetPauseS(); math.IsNaN(p) || math.IsInf(p, 0) || p < 0 {
		return refuse("not-a-number", "layer.pause_s: want seconds above 0, or 0 for what the layer beneath says")
	}
	return nil
}

// reaches reports whether a layer says something further than numbers that its
// newest version does not say: a rule that people write, or a lethal one off.
func (l *layers) reaches(asked *topics.Layer) bool {
	now := l.newest(asked.GetOf()).GetLayer()
	for _, name := range asked.GetLethalOff() {
		if !slices.Contains(now.GetLethalOff(), name) {
			return true
		}
	}
	return slices.ContainsFunc(asked.GetRules(), func(r *topics.Rule) bool {
		return !slices.ContainsFunc(now.GetRules(), func(o *topics.Rule) bool { return sameRule(r, o) })
	})
}

// sameRule compares what people write of a rule, and not what the registry fills in.
func sameRule(a, b *topics.Rule) bool {
	said := func(r *topics.Rule) *topics.Rule {
		c := proto.CloneOf(r)
		c.Version, c.Layer, c.Author, c.SetUs, c.Reason, c.ExpiresUs = 0, "", "", 0, "", 0
		return c
	}
	return proto.Equal(said(a), said(b))
}
