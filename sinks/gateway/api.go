package gateway

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"heartwire/topics"
)

// OpenAPI is the description of the HTTP API, as it follows from the code: OpenAPI 3.1 in YAML.
func OpenAPI() ([]byte, error) {
	m, err := newMetrics(nil)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	g := &Gateway{log: log, metrics: m, ward: newWard(DefaultConfig(), m, log)}
	return g.api(http.NewServeMux()).OpenAPI().YAML()
}

const apiDoc = `What the page shows and does, for programs. ` + Notice + `.

Each request is made as an account (heartwire account put). What it may not see is answered as what does not exist.
What it may do is noted in the audit before it is done.

A change names the version that was seen, by If-Match: the ETag of what was read. Who asks with an Idempotency-Key may ask again under
it when no answer came: what was done lately has no second effect, and is answered as before. The key goes with the account and
with all that is asked: another wish under the same key is another wish.

A problem is RFC 9457's, with a code for programs. Times are UTC. What is in a path is a pseudonym: proxies may log it, so their logs are to be kept as what they are.`

// api puts the HTTP API under /v1 of a mux.
func (g *Gateway) api(mux *http.ServeMux) huma.API {
	takeProblems()
	conf := huma.DefaultConfig("Heartwire", "1")
	conf.Info.Description = apiDoc
	conf.OpenAPIPath, conf.DocsPath, conf.SchemasPath = "/v1/openapi", "", ""
	conf.CreateHooks = nil // no links to schemas in answers
	conf.RejectUnknownQueryParameters = true
	conf.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	conf.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", func(t reflect.Type, hint string) string {
		return strings.TrimPrefix(huma.DefaultSchemaNamer(t, hint), "Api")
	})
	conf.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"user": {
		Type: "http", Scheme: "basic", Description: "A user of gateway.users_file. Where there is none, nobody is asked, and gateway.local_account acts.",
	}}
	conf.Security = []map[string][]string{{"user": {}}}
	api := humago.New(mux, conf)
	api.UseMiddleware(func(ctx huma.Context, next func(huma.Context)) { g.admitRequest(api, ctx, next) })
	g.registerPatients(api)
	g.registerAlarms(api)
	g.registerLimits(api)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		mux.HandleFunc(method+" /v1/", func(w http.ResponseWriter, r *http.Request) {
			writeProblem(w, newProblem(http.StatusNotFound, "unknown-path", "there is nothing here that can be asked so: /v1/openapi.yaml tells what can"))
		})
	}
	return api
}

type visitKey struct{}

// visit is one request: who asks, and whether it has been noted.
type visit struct {
	asker
	noted bool
}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// admitRequest stands before each request. What would change something comes
// from a program, or from a page of this server or of the origins in the Config:
// a stranger's page can make a browser send no JSON without asking first.
func (g *Gateway) admitRequest(api huma.API, ctx huma.Context, next func(huma.Context)) {
	r, _ := humago.Unwrap(ctx)
	v := &visit{asker: askerOf(r)}
	ctx = huma.WithValue(ctx, visitKey{}, v)
	ctx.SetHeader("Cache-Control", "no-store")
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var why *problemDetails
	switch {
	case !g.ready.Load():
		ctx.SetHeader("Retry-After", "1")
		why = newProblem(http.StatusServiceUnavailable, "not-ready", "the log is still being read: try again in a moment")
	case changes && (!g.sameOrigin(r) || r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Origin") == ""):
		why = newProblem(http.StatusForbidden, "foreign-origin", "a page of another origin may change nothing here: gateway.origins lists those that may")
	case changes && kind != "application/json":
		why = newProblem(http.StatusUnsupportedMediaType, "not-json", "want Content-Type: application/json")
	}
	if why != nil {
		_ = huma.WriteErr(api, ctx, why.Status, why.Detail, why)
	} else {
		next(ctx)
	}
	if changes && ctx.Status() >= http.StatusBadRequest && !v.noted {
		id := g.ward.identify(v.user)
		note := v.audit(id, whatAct, cut(ctx.Param("patient"), 256))
		if r.Method == http.MethodPut {
			note.What = whatAsk
		}
		if note.Subject == "" {
			note.Subject = g.cfg.Site
		}
		g.ward.trail.refused(note, codeBad)
	}
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// look says who asks, and whether a patient may be seen; each is noted.
func (g *Gateway) look(ctx context.Context, key string) (identity, *patient, error) {
	v := visitOf(ctx)
	id := g.ward.identify(v.user)
	note := v.audit(id, whatRead, cut(key, 256))
	why := g.mayLook(id, key)
	if why != nil {
		g.ward.trail.refused(note, why.code)
		return id, nil, why.problem()
	}
	g.ward.trail.note(note)
	g.ward.mu.RLock()
	p := g.ward.patients[topics.Key(key)]
	g.ward.mu.RUnlock()
	if p == nil { // it has gone in this moment
		return id, nil, errUnknownPatient.problem()
	}
	return id, p, nil
}

func (g *Gateway) mayLook(id identity, key string) *refusal {
	switch {
	case len(id.Permissions) == 0:
		return id.refused("see")
	case !g.ward.shows(id, topics.Key(key)):
		return errUnknownPatient
	}
	return nil
}

// when is a time of the log; nil: none.
func when(us int64) *time.Time {
	if us == 0 {
		return nil
	}
	t := topics.MicroTime(us)
	return &t
}
