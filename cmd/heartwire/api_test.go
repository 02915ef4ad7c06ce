package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/pipelinetest"
	"heartwire/sinks/gateway"
	"heartwire/topics"
)

// clinic is a site in this process, with registry, alarms and a gateway that
// asks who somebody is. Passwords are "secret".
type clinic struct {
	t      *testing.T
	conf   kafka.Config
	url    string
	client *http.Client
	hearts *hearts
	gate   *house
}

func openClinic(t *testing.T, site kafka.Config, users ...string) *clinic {
	t.Helper()
	conf := defaultConfig()
	conf.Kafka = site
	dir := t.TempDir()
	conf.Bridge.SiteKeyFile = filepath.Join(dir, "site.key")
	conf.Gateway.Listen, conf.Gateway.UsersFile = "127.0.0.1:0", filepath.Join(dir, "users")
	conf.Gateway.TLS.CertFile, conf.Gateway.TLS.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	tls := httptest.NewTLSServer(nil)
	t.Cleanup(tls.Close)
	key, err := x509.MarshalPKCS8PrivateKey(tls.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for _, u := range users {
		fmt.Fprintf(&file, "%s:%s\n", u, hash)
	}
	for name, b := range map[string][]byte{
		conf.Bridge.SiteKeyFile:   bytes.Repeat([]byte("k"), 32),
		conf.Gateway.UsersFile:    []byte(file.String()),
		conf.Gateway.TLS.CertFile: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}),
		conf.Gateway.TLS.KeyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := newHouse(conf, quiet())
	graph, err := h.topology()
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := graph.Only("registry", "alarms", "gateway", "clock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.run(ctx, nodes) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	addr, err := h.gateway.Load().Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{t: t, conf: conf.Kafka, url: "https://" + addr.String(), client: tls.Client(), gate: h,
		hearts: &hearts{conf: conf.Kafka, cl: pipelinetest.Client(t, conf.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner())), now: time.Now()}}
	for !h.isReady() {
		time.Sleep(20 * time.Millisecond)
	}
	return c
}

// put asks the registry.
func (c *clinic) put(asks ...*topics.Request) {
	c.t.Helper()
	stamp("admin-1", asks)
	outcomes, err := pipeline.Ask(c.t.Context(), c.conf, quiet(), asks...)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range outcomes {
		if !o.Accepted {
			c.t.Fatal(o.Problem)
		}
	}
}

func admitted(patient, unit string) *topics.Request {
	return &topics.Request{Kind: &topics.Request_PutPatient{PutPatient: &topics.Patient{Patient: patient, Unit: unit}}}
}

func enrolled(name, role, unit string) *topics.Request {
	return &topics.Request{Kind: &topics.Request_PutAccount{PutAccount: &topics.Account{Account: name, Roles: []string{role}, Units: []string{unit}}}}
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	list   []any
}

func (r reply) code() string { s, _ := r.body["code"].(string); return s }

func (c *clinic) call(user, method, path, body string, headers ...string) reply {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.SetBasicAuth(user, "secret")
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header}
	if err := json.Unmarshal(b, &r.body); err != nil {
		if err := json.Unmarshal(b, &r.list); err != nil {
			c.t.Fatalf("%s %s: %d %.200q is no JSON", method, path, resp.StatusCode, b)
		}
	}
	if problem := resp.Header.Get("Content-Type") == "application/problem+json"; problem != (r.status >= 400) ||
		problem && (r.code() == "" || r.body["detail"] == "" || r.body["type"] != "urn:heartwire:problem:"+r.code() || r.body["status"] != float64(r.status)) {
		c.t.Errorf("%s %s: %d %s %v: want a problem with a code and words, and only then", method, path, r.status, resp.Header.Get("Content-Type"), r.body)
	}
	return r
}

// eventually waits for the gateway to have read what was said.
func (c *clinic) eventually(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("%s did not come", what)
		}
	}
}

// alarm raises an alarm of hr.high and is its path and its ETag.
func (c *clinic) alarm(patient string) (path, etag string) {
	c.t.Helper()
	if err := c.hearts.beat(patient, 135, 20); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the alarm of "+patient, func() bool {
		for _, a := range c.call("doctor-3", "GET", "/v1/patients/"+patient+"/alarms", "").list {
			if a := a.(map[string]any); a["rule"] == "hr.high" {
				path = "/v1/patients/" + patient + "/alarms/" + a["id"].(string)
				etag = fmt.Sprintf(`"%v"`, a["version"])
			}
		}
		return path != ""
	})
	return path, etag
}

// audit is what stands in the audit, oldest first.
func (c *clinic) audit() (all []*topics.Audit) {
	c.t.Helper()
	err := c.conf.Scan(c.t.Context(), quiet(), topics.Audits, kafka.Since{Start: true}, func(r topics.Record[proto.Message], err error) error {
		if a, ok := r.Value.(*topics.Audit); ok {
			all = append(all, a)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

func (c *clinic) noted(what, subject, person, result string) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("a record that %s of %s by %s is %s", what, subject, person, result), func() bool {
		for _, a := range c.audit() {
			if a.What == what && a.Subject == subject && a.Person == person && a.Result == result {
				return true
			}
		}
		return false
	})
}

func TestAPI(t *testing.T) {
	conf, _ := pipelinetest.Cluster(t)
	peopleAct(t, conf)
}

// peopleAct goes through all that people can do by HTTP and WebSocket, and all
// that they cannot.
func peopleAct(t *testing.T, conf kafka.Config) {
	c := openClinic(t, conf, "doctor-3", "nurse-7", "nurse-8", "viewer-1", "nobody-9")
	c.put(admitted("p01", "4W"), admitted("p02", "5E"), enrolled("doctor-3", "doctor", "*"), enrolled("nurse-7", "nurse", "4W"),
		enrolled("nurse-8", "nurse", "4W"), enrolled("viewer-1", "viewer", "4W"))
	c.eventually("the accounts", func() bool { return c.call("viewer-1", "GET", "/v1/patients", "").status == 200 })
	t.Run("people", c.people)
	t.Run("actions", c.actions)
	t.Run("limits", c.limits)
	t.Run("bad", c.bad)
	t.Run("socket", c.socket)
	t.Run("clock", c.clock)
	var out bytes.Buffer
	env := []string{"HEARTWIRE_KAFKA_BROKERS=" + strings.Join(c.conf.Brokers, ","), "HEARTWIRE_KAFKA_SITE=" + c.conf.Site}
	if code := run([]string{"audit", "verify"}, env, &out, &out); code != 0 || !strings.Contains(out.String(), "yes") {
		t.Errorf("audit verify: %d\n%s", code, out.String())
	}
	out.Reset()
	if code := run([]string{"audit", "ls", "--of", "p01", "--by", "nurse-7"}, env, &out, &out); code != 0 || !strings.Contains(out.String(), "acknowledge") || strings.Contains(out.String(), "doctor-3 ") {
		t.Errorf("audit ls: %d\n%s", code, out.String())
	}
	// What is written among them by somebody else is found.
	forged := &topics.Audit{Subject: "p01", Writer: c.audit()[0].Writer, Sequence: 1, Person: "doctor-3", What: "see"}
	if err := pipeline.NewWriter(c.conf, quiet(), "forger").Write(t.Context(), topics.Audits, forged); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := run([]string{"audit", "verify"}, env, &out, &out); code == 0 || !strings.Contains(out.String(), "2 records say that they are number 1") {
		t.Errorf("audit verify with a forged record: %d\n%s", code, out.String())
	}
}

func (c *clinic) people(t *testing.T) {
	if r := c.call("nurse-7", "GET", "/v1/patients", ""); len(r.list) != 1 || r.list[0].(map[string]any)["patient"] != "p01" {
		t.Errorf("nurse-7 sees %v", r.list)
	}
	if r := c.call("doctor-3", "GET", "/v1/patients", ""); len(r.list) != 2 {
		t.Errorf("doctor-3 sees %v", r.list)
	}
	if r := c.call("nobody-9", "GET", "/v1/patients", ""); r.status != 403 || r.code() != "no-account" {
		t.Errorf("who has no account: %v", r)
	}
	if r := c.call("nurse-7", "GET", "/v1/identity", ""); fmt.Sprint(r.body["permissions"]) != "[see act limits]" {
		t.Errorf("nurse-7 is %v", r.body)
	}
	// Of another unit, and none: the same answer but for the path.
	for _, path := range []string{"", "/alarms", "/limits", "/alarms/ab"} {
		theirs, nobodys := c.call("nurse-7", "GET", "/v1/patients/p02"+path, ""), c.call("nurse-7", "GET", "/v1/patients/p99"+path, "")
		if theirs.status != 404 || fmt.Sprint(theirs.body) != fmt.Sprint(nobodys.body) {
			t.Errorf("%s: %v and %v", path, theirs.body, nobodys.body)
		}
	}
	c.noted("read", "p02", "nurse-7", "unknown-patient")
	c.call("nurse-7", "GET", "/v1/patients/p01", "")
	c.noted("read", "p01", "nurse-7", "")
	req, _ := http.NewRequest("GET", c.url+"/v1/patients", nil)
	if resp, err := c.client.Do(req); err != nil || resp.StatusCode != 401 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("without a user: %v %v", resp, err)
	}
}

func (c *clinic) actions(t *testing.T) {
	path, etag := c.alarm("p01")
	r := c.call("nurse-7", "POST", path+"/acknowledge", `{"reason":"at-bedside"}`, "If-Match", etag, "Idempotency-Key", "k1")
	if r.status != 200 || r.body["by"] != "nurse-7" || r.header.Get("ETag") == "" {
		t.Fatalf("acknowledged: %v", r)
	}
	if again := c.call("nurse-7", "POST", path+"/acknowledge", `{"reason":"at-bedside"}`, "If-Match", etag, "Idempotency-Key", "k1"); again.status != 200 || fmt.Sprint(again.body) != fmt.Sprint(r.body) {
		t.Errorf("a repeat: %v, want %v", again, r)
	}
	c.eventually("the acknowledgement", func() bool { return c.call("nurse-7", "GET", path, "").body["signal"] == "acknowledged" })
	if a := c.call("nurse-7", "GET", path, ""); a.body["signal_by"] != "nurse-7" || a.header.Get("ETag") != r.header.Get("ETag") {
		t.Errorf("the alarm is %v %s", a.body, a.header.Get("ETag"))
	}
	c.noted("act", "p01", "nurse-7", "asked")
	c.noted("act", "p01", "nurse-7", "done")

	// By two people at once: one has it, the other is told so.
	var both sync.WaitGroup
	var got [2]reply
	for i, who := range []string{"nurse-7", "nurse-8"} {
		both.Go(func() { got[i] = c.call(who, "POST", path+"/accept", `{}`, "If-Match", "*") })
	}
	both.Wait()
	if s := got[0].status + got[1].status; s != 200+409 || got[0].code()+got[1].code() != "taken" {
		t.Errorf("accepted by two: %v", got)
	}
	if r := c.call("nurse-7", "POST", "/v1/patients/p01/pause", `{"duration_s":60}`); r.status != 200 {
		t.Errorf("a pause of all: %v", r)
	}
	c.eventually("the silence", func() bool { return c.call("viewer-1", "GET", "/v1/patients/p01", "").body["silence"] != nil })
	if r := c.call("nurse-7", "POST", "/v1/patients/p01/resume", `{}`); r.status != 200 {
		t.Errorf("the end of it: %v", r)
	}
	for on, body := range []string{`{"on":true,"reason":"bath","duration_s":60}`, `{"on":false}`} {
		if r := c.call("nurse-7", "POST", "/v1/patients/p01/standby", body); r.status != 200 {
			t.Errorf("standby %d: %v", on, r)
		}
	}
}

const putHigh = `{"reason":"clinical-order","layer":{"limits":[{"rule":"hr.high","value":130,"duration_s":10,"hysteresis":2}]}}`

func (c *clinic) limits(t *testing.T) {
	path := "/v1/patients/p01/limits"
	before := c.call("nurse-7", "GET", path, "")
	if before.status != 200 || before.header.Get("ETag") != `"0"` {
		t.Fatalf("before: %v", before)
	}
	if r := c.call("doctor-3", "PUT", path, putHigh); r.status != 428 || r.code() != "no-version" {
		t.Errorf("without If-Match: %v", r)
	}
	r := c.call("doctor-3", "PUT", path, putHigh, "If-Match", `"0"`, "Idempotency-Key", "k2")
	if r.status != 200 || r.header.Get("ETag") == `"0"` {
		t.Fatalf("put: %v", r)
	}
	force := func(r reply) map[string]any {
		for _, l := range r.body["force"].(map[string]any)["limits"].([]any) {
			if l := l.(map[string]any); l["rule"] == "hr.high" {
				return l
			}
		}
		return nil
	}
	for name, r := range map[string]reply{"answered": r, "read": c.call("nurse-7", "GET", path, "")} {
		if l := force(r); l["value"] != 130.0 || l["layer"] != "patient" || l["author"] != "doctor-3" || l["reason"] != "clinical-order" || l["set"] == nil {
			t.Errorf("%s: in force is %v", name, l)
		}
	}
	if again := c.call("doctor-3", "PUT", path, putHigh, "If-Match", `"0"`, "Idempotency-Key", "k2"); again.status != 200 || again.header.Get("ETag") != r.header.Get("ETag") {
		t.Errorf("a repeat: %v", again)
	}
	if r := c.call("nurse-7", "PUT", path, putHigh, "If-Match", `"0"`); r.status != 412 || r.code() != "stale-version" {
		t.Errorf("a stale version: %v", r)
	}
	c.noted("ask", "p01", "nurse-7", "stale-version")
	// What was read can be put back as it is.
	layer, _ := json.Marshal(r.body["layer"])
	if back := c.call("nurse-7", "PUT", path, `{"reason":"correction","layer":`+string(layer)+`}`, "If-Match", r.header.Get("ETag")); back.status != 200 {
		t.Errorf("put back: %v", back)
	}
	for of, who := range map[string]string{"/v1/units/4W/limits": "doctor-3", "/v1/site/limits": "doctor-3"} {
		r := c.call(who, "GET", of, "")
		if r.status != 200 || force(r)["value"] != 120.0 || r.header.Get("ETag") != `"0"` {
			t.Errorf("%s: %v", of, r.body)
		}
	}
	if r := c.call("doctor-3", "PUT", "/v1/units/4W/limits", `{"reason":"policy","layer":{"pause_s":60}}`, "If-Match", `"0"`); r.status != 200 || r.header.Get("ETag") == `"0"` {
		t.Errorf("a unit's: %v", r)
	}
}

// Each of these is a clear problem, changes nothing and is noted.
func (c *clinic) bad(t *testing.T) {
	path, etag := c.alarm("p01")
	other, _ := c.alarm("p02")
	ended, endedTag := c.alarm("p01")
	_ = endedTag
	limits := "/v1/patients/p01/limits"
	version := c.call("doctor-3", "GET", limits, "").header.Get("ETag")
	layer := func(limit string) string {
		return `{"reason":"clinical-order","layer":{"limits":[` + limit + `]}}`
	}
	before := fmt.Sprint(c.call("doctor-3", "GET", limits, "").body)
	acked := c.call("nurse-8", "POST", path+"/acknowledge", `{}`, "If-Match", etag)
	if acked.status != 200 {
		t.Fatalf("acknowledged: %v", acked)
	}
	for name, x := range map[string]struct {
		who, method, path, body string
		headers                 []string
		status                  int
		code, at                string
	}{
		"an acknowledgement twice":    {"nurse-8", "POST", path + "/acknowledge", `{}`, []string{"If-Match", acked.header.Get("ETag")}, 409, "acknowledged", ""},
		"of a stale version":          {"nurse-7", "POST", path + "/accept", `{}`, []string{"If-Match", `"99"`}, 412, "stale-version", ""},
		"of another patient's":        {"doctor-3", "POST", strings.Replace(other, "p02", "p01", 1) + "/acknowledge", `{}`, []string{"If-Match", "*"}, 404, "unknown-alarm", ""},
		"of a patient not to be seen": {"nurse-7", "POST", other + "/acknowledge", `{}`, []string{"If-Match", "*"}, 404, "unknown-patient", ""},
		"of an unknown patient":       {"nurse-7", "POST", strings.Replace(other, "p02", "p77", 1) + "/acknowledge", `{}`, []string{"If-Match", "*"}, 404, "unknown-patient", ""},
		"of no version":               {"nurse-7", "POST", path + "/acknowledge", `{}`, nil, 428, "no-version", ""},
		"of a strange version":        {"nurse-7", "POST", path + "/acknowledge", `{}`, []string{"If-Match", `W/"1"`}, 400, "bad-request", ""},
		"of a strange alarm":          {"nurse-7", "POST", "/v1/patients/p01/alarms/all/acknowledge", `{}`, []string{"If-Match", `*`}, 422, "bad-request", "path.alarm"},
		"by a viewer":                 {"viewer-1", "POST", path + "/accept", `{}`, []string{"If-Match", "*"}, 403, "forbidden", ""},
		"by nobody":                   {"nobody-9", "POST", path + "/accept", `{}`, []string{"If-Match", "*"}, 403, "no-account", ""},
		"words for a reason":          {"nurse-7", "POST", path + "/accept", `{"reason":"Mr Smith"}`, []string{"If-Match", "*"}, 400, "bad-request", ""},
		"no JSON":                     {"nurse-7", "POST", path + "/accept", `{"reason":`, []string{"If-Match", "*"}, 400, "bad-request", "body"},
		"a field that is none":        {"nurse-7", "POST", path + "/accept", `{"person":"doctor-3"}`, []string{"If-Match", "*"}, 422, "bad-request", "body.person"},
		"a negative pause":            {"nurse-7", "POST", path + "/pause", `{"duration_s":-1}`, []string{"If-Match", "*"}, 422, "bad-request", "body.duration_s"},
		"too long a pause":            {"nurse-7", "POST", "/v1/patients/p01/pause", `{"duration_s":86400}`, nil, 422, "too-long", ""},
		"a standby without a reason":  {"nurse-7", "POST", "/v1/patients/p01/standby", `{"on":true,"duration_s":60}`, nil, 422, "no-reason", ""},
		"a form":                      {"nurse-7", "POST", path + "/accept", `reason=x`, []string{"If-Match", "*", "Content-Type", "text/plain"}, 415, "not-json", ""},
		"a stranger's page":           {"nurse-7", "POST", path + "/accept", `{}`, []string{"If-Match", "*", "Origin", "https://evil.example"}, 403, "foreign-origin", ""},
		"inverted limits":             {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":60,"duration_s":3,"hysteresis":2},{"rule":"hr.low","value":90,"duration_s":3,"hysteresis":2}`), []string{"If-Match", version}, 422, "inverted", ""},
		"NaN":                         {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":NaN}`), []string{"If-Match", version}, 400, "bad-request", "body"},
		"a number that is none":       {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":1e999}`), []string{"If-Match", version}, 400, "bad-request", "body"},
		"a negative duration":         {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":130,"duration_s":-3}`), []string{"If-Match", version}, 422, "bad-request", "body.layer.limits[0].duration_s"},
		"out of bounds":               {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":900,"duration_s":3,"hysteresis":2}`), []string{"If-Match", version}, 422, "out-of-bounds", ""},
		"an unknown rule":             {"doctor-3", "PUT", limits, layer(`{"rule":"hr.hihg","value":130}`), []string{"If-Match", version}, 422, "unknown-rule", ""},
		"over before it begins":       {"doctor-3", "PUT", limits, layer(`{"rule":"hr.high","value":130,"duration_s":3,"hysteresis":2,"expires":"2001-01-01T00:00:00Z"}`), []string{"If-Match", version}, 422, "expired", ""},
		"a lethal rule off":           {"doctor-3", "PUT", limits, layer(`{"rule":"asystole","off":true}`), []string{"If-Match", version}, 422, "lethal-off", ""},
		"a rule that cannot be":       {"doctor-3", "PUT", limits, `{"reason":"policy","layer":{"rules":[{"name":"mine","when":"hr.mean(30s > 5","priority":"low"}]}}`, []string{"If-Match", version}, 422, "bad-rule", ""},
		"no reason":                   {"doctor-3", "PUT", limits, `{"reason":"","layer":{}}`, []string{"If-Match", version}, 422, "bad-request", "body.reason"},
		"an unknown patient's limits": {"doctor-3", "PUT", "/v1/patients/p77/limits", putHigh, []string{"If-Match", `"0"`}, 404, "unknown-patient", ""},
		"another unit's limits":       {"nurse-7", "PUT", "/v1/units/5E/limits", putHigh, []string{"If-Match", `"0"`}, 403, "forbidden", ""},
		"the site's limits":           {"doctor-3", "PUT", "/v1/site/limits", putHigh, []string{"If-Match", `"0"`}, 403, "forbidden", ""},
		"a path that is none":         {"doctor-3", "POST", "/v1/alarms", `{}`, nil, 404, "unknown-path", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call(x.who, x.method, x.path, x.body, x.headers...)
			if r.status != x.status || r.code() != x.code {
				t.Fatalf("%d %v, want %d %s", r.status, r.body, x.status, x.code)
			}
			if x.at == "" {
				return
			}
			for _, e := range r.body["errors"].([]any) {
				if e.(map[string]any)["location"] == x.at {
					return
				}
			}
			t.Errorf("no error at %s: %v", x.at, r.body["errors"])
		})
	}
	if after := fmt.Sprint(c.call("doctor-3", "GET", limits, "").body); after != before {
		t.Errorf("what was refused has changed something:\n%s\n%s", before, after)
	}
	for person, codes := range map[string][]string{
		"nurse-7": {"bad-request", "unknown-patient", "stale-version", "too-long", "no-reason"}, "nurse-8": {"acknowledged"},
		"viewer-1": {"forbidden"}, "nobody-9": {"no-account"},
	} {
		for _, code := range codes {
			c.noted("act", map[bool]string{true: "p02", false: "p01"}[code == "unknown-patient"], person, code)
		}
	}
	for _, code := range []string{"inverted", "out-of-bounds", "unknown-rule", "expired", "lethal-off", "bad-rule", "bad-request"} {
		c.noted("ask", "p01", "doctor-3", code)
	}

	// An alarm that has ended.
	if err := c.hearts.beat("p01", 70, 30); err != nil {
		t.Fatal(err)
	}
	c.eventually("the end of the alarm", func() bool { return c.call("doctor-3", "GET", ended, "").status == 404 })
	if r := c.call("nurse-7", "POST", ended+"/acknowledge", `{}`, "If-Match", "*"); r.status != 409 || r.code() != "ended" {
		t.Errorf("of one that has ended: %v", r)
	}
	c.noted("act", "p01", "nurse-7", "ended")
}

// The same over the WebSocket.
func (c *clinic) socket(t *testing.T) {
	d := websocket.Dialer{TLSClientConfig: c.client.Transport.(*http.Transport).TLSClientConfig, Subprotocols: []string{"heartwire.v1.json"}}
	req, _ := http.NewRequest("GET", "/", nil)
	req.SetBasicAuth("nurse-7", "secret")
	ws, _, err := d.Dial("wss"+strings.TrimPrefix(c.url, "https")+"/v1/live", req.Header)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	until := func(pick func(*gateway.ServerMessage) bool) *gateway.ServerMessage {
		t.Helper()
		ws.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			var m gateway.ServerMessage
			_, b, err := ws.ReadMessage()
			if err == nil {
				err = protojson.Unmarshal(b, &m)
			}
			if err != nil {
				t.Fatal(err)
			}
			if pick(&m) {
				return &m
			}
		}
	}
	send := func(text string) {
		t.Helper()
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	answered := func(m *gateway.ServerMessage) bool { return m.GetDone() != nil || m.GetProblem() != nil }
	send(`{"subscribe":{"all":true}}`)
	until(func(m *gateway.ServerMessage) bool { return m.GetSnapshot().GetBed().GetPatient() == "p01" })
	layer := until(func(m *gateway.ServerMessage) bool { return m.GetSetting().GetObject() == "layer/patient/p01" }).GetSetting()

	send(`{"id":"5","act":{"patient":"p01","answer":{"action":"ACTION_PAUSE"}}}`)
	if m := until(answered); m.GetDone().GetId() != 5 || !m.GetDone().GetAnswer().GetAccepted() || m.GetDone().GetAnswer().GetPerson() != "nurse-7" {
		t.Errorf("a pause: %v", m)
	}
	began := time.Now()
	ask := `{"id":"6","ask":{"reason":"nuisance","expected":"%d","layer":{"of":"patient/p01","limits":[{"rule":"hr.high","value":140,"durationS":3,"hysteresis":2}]}}}`
	send(fmt.Sprintf(ask, layer.GetVersion()))
	var told, live bool
	until(func(m *gateway.ServerMessage) bool {
		if answered(m) && !m.GetDone().GetSetting().GetAccepted() {
			t.Fatalf("limits: %v", m)
		}
		told = told || m.GetSetting().GetObject() == "layer/patient/p01" && m.GetSetting().GetAuthor() == "nurse-7"
		for _, l := range m.GetChart().GetLimits().GetLimits() {
			live = live || l.GetRule() == "hr.high" && l.GetValue() == 140 && l.GetAuthor() == "nurse-7"
		}
		return told && live
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a limit was live after %v", took)
	}
	send(fmt.Sprintf(ask, layer.GetVersion()))
	if m := until(answered); m.GetDone().GetSetting().GetCode() == "" {
		m = until(answered) // the first was the accepted one's
		if m.GetDone().GetSetting().GetCode() != "stale-version" {
			t.Errorf("a stale version: %v", m)
		}
	}
	send(`{"id":"7","act":{"patient":"p02","answer":{"action":"ACTION_PAUSE"}}}`)
	if m := until(answered); m.GetProblem().GetId() != 7 || m.GetProblem().GetCode() != "unknown-patient" {
		t.Errorf("another unit's: %v", m)
	}

	// Another unit: within 2 s the patient is out of sight.
	began = time.Now()
	c.put(admitted("p01", "5E"))
	until(func(m *gateway.ServerMessage) bool {
		return m.GetBed().GetPatient() == "p01" && m.GetBed().GetDischarged()
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("out of sight after %v", took)
	}
}

// A site whose clock has gone an hour ahead of who asks.
func (c *clinic) clock(t *testing.T) {
	ahead := &topics.Tick{N: 1 << 40, Owner: 1 << 40, ElapsedUs: 1e6, WallUs: time.Now().Add(time.Hour).UnixMicro()}
	if err := pipeline.NewWriter(c.conf, quiet(), "clock").Write(t.Context(), topics.Requests, topics.Requests.WrapTick(ahead)); err != nil {
		t.Fatal(err)
	}
	path := "/v1/patients/p02/limits"
	r := c.call("doctor-3", "PUT", path, putHigh, "If-Match", `"0"`)
	if r.status != 422 || r.code() != "bad-time" || !strings.Contains(r.body["detail"].(string), "set the clock") {
		t.Errorf("%v", r.body)
	}
	if r := c.call("doctor-3", "GET", path, ""); r.header.Get("ETag") != `"0"` {
		t.Errorf("it was changed: %v", r.body)
	}
	c.noted("ask", "p02", "doctor-3", "bad-time")
}
