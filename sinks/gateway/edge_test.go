package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/bcrypt"

	"heartwire/topics"
)

func TestHandshakeRefusals(t *testing.T) {
	r := start(t, func(c *Config) { c.MaxClients, c.Origins = 1, []string{"https://ward.example"} })
	for name, c := range map[string]struct {
		protocol string
		header   http.Header
		status   int
		says     string
	}{
		"no subprotocol":          {"", nil, 400, protocolProto},
		"another subprotocol":     {"heartwire.v9", nil, 400, protocolProto},
		"another origin":          {protocolProto, http.Header{"Origin": {"https://evil.example"}}, 403, "origin"},
		"an origin by path":       {protocolProto, http.Header{"Origin": {"null"}}, 403, "origin"},
		"a listed name over http": {protocolProto, http.Header{"Origin": {"http://ward.example"}}, 403, "origin"},
		"another host":            {protocolProto, http.Header{"Host": {"evil.example"}}, 421, "origins"},
	} {
		_, resp, err := r.try(c.protocol, c.header)
		if err == nil || resp == nil {
			t.Errorf("%s: was let in", name)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s: %d %q, want %d with %q", name, resp.StatusCode, body, c.status, c.says)
		}
	}
	resp, err := http.Get(r.url("/v1/live"))
	if err != nil || resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("plain HTTP on /v1/live: %v %v", resp, err)
	}

	for _, origin := range []string{"https://ward.example", r.url(""), ""} {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		p, _, err := r.try(protocolJSON, h)
		if err != nil {
			t.Fatalf("origin %q: %v", origin, err)
		}
		if _, resp, err := r.try(protocolProto, nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a second client was let in though max_clients is 1")
		}
		p.Close()
		for r.ward.reserve() != nil { // until it has left
			time.Sleep(10 * time.Millisecond)
		}
		r.ward.release()
	}
	r.ready.Store(false)
	if _, resp, err := r.try(protocolProto, nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Error("a client was let in before the log was read")
	}
}

func TestMalformedMessagesAreAnsweredAndForgiven(t *testing.T) {
	r := start(t, func(c *Config) { c.MaxSubscriptions = 2 })
	p, j := r.connect(protocolProto), r.connect(protocolJSON)
	for _, c := range []struct {
		p    *peer
		op   int
		data string
		code string
	}{
		{p, websocket.BinaryMessage, "\xff\xff\xff", "malformed"},
		{p, websocket.TextMessage, `{"subscribe":{"all":true}}`, "encoding"},
		{p, websocket.BinaryMessage, "", "unknown"},
		{p, websocket.BinaryMessage, "\x12\x00", "refused"}, // subscribes to nothing
		{p, websocket.BinaryMessage, "\x12\x02\x0a\x00", "refused"},
		{p, websocket.BinaryMessage, "\x12\x09\x0a\x01a\x0a\x01b\x0a\x01c", "refused"},
		{j, websocket.BinaryMessage, "\x12\x02\x10\x01", "encoding"},
		{j, websocket.TextMessage, `{"subscribe":`, "malformed"},
		{j, websocket.TextMessage, strings.Repeat("[", 60_000), "malformed"},
		{j, websocket.TextMessage, `{"subscribe":{"patients":5}}`, "malformed"},
		{j, websocket.TextMessage, `{"id":"3","shout":{}}`, "unknown"},
	} {
		if err := c.p.WriteMessage(c.op, []byte(c.data)); err != nil {
			t.Fatal(err)
		}
		v := until(c.p, func(m *ServerMessage) (*Problem, bool) { return m.GetProblem(), m.GetProblem() != nil })
		if v.GetCode() != c.code || v.GetText() == "" {
			t.Errorf("%.40q: %v, want %s with words", c.data, v, c.code)
		}
	}
	for _, c := range []*peer{p, j} { // and they still work
		c.subscribeAll()
		give(t, r.Alarms(), topics.Alarms, alarm("p1", "a", 1, active))
		until(c, snapshotOf("p1"))
	}
}

func TestViolationsOfTheProtocolEndTheConnection(t *testing.T) {
	r := start(t, nil)
	for name, c := range map[string]struct {
		bytes []byte
		code  int
	}{
		"too large":          {append([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1}, make([]byte, 8)...), websocket.CloseMessageTooBig},
		"not masked":         {[]byte{0x82, 0x01, 'x'}, websocket.CloseProtocolError},
		"reserved bits":      {[]byte{0xf2, 0x80, 0, 0, 0, 0}, websocket.CloseProtocolError},
		"unknown opcode":     {[]byte{0x83, 0x80, 0, 0, 0, 0}, websocket.CloseProtocolError},
		"fragmented control": {[]byte{0x09, 0x80, 0, 0, 0, 0}, websocket.CloseProtocolError},
	} {
		p := r.connect(protocolProto)
		p.NetConn().Write(c.bytes)
		var err error
		for err == nil {
			_, err = p.read()
		}
		if !websocket.IsCloseError(err, c.code) {
			t.Errorf("%s: closed with %v, want %d", name, err, c.code)
		}
	}
	p := r.connect(protocolProto)
	p.WriteControl(websocket.PingMessage, []byte("hello"), time.Now().Add(time.Second))
	pong := ""
	p.SetPongHandler(func(s string) error { pong = s; return nil })
	p.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	var err error
	for err == nil {
		_, err = p.read()
	}
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure) || pong != "hello" {
		t.Errorf("closed with %v and pong %q", err, pong)
	}
}

func TestPage(t *testing.T) {
	r := start(t, nil)
	get := func(path, etag string) *http.Response {
		req, _ := http.NewRequest("GET", r.url(path), nil)
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := get("/", "")
	body, _ := io.ReadAll(resp.Body)
	if !bytes.Equal(body, testPage["index.html"].Data) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("the page is %q of %s", body, resp.Header.Get("Content-Type"))
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'self'", "worker-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("the policy %q lacks %s", csp, part)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is unsafe: %q", csp)
	}
	for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if again := get("/", resp.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged: %d, want 304", again.StatusCode)
	}
	if js := get("/assets/app.js", ""); js.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("a script has the type %q", js.Header.Get("Content-Type"))
	}
	for path, status := range map[string]int{"/../go.mod": 404, "/assets/": 404, "/none": 404, "/healthz": 200, "/readyz": 200} {
		if resp := get(path, ""); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
		}
	}
	r.ready.Store(false)
	if resp := get("/readyz", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz before the log was read: %d", resp.StatusCode)
	}
}

func TestUsersAndTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := selfSigned(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "users")
	os.WriteFile(file, []byte("# ward\nnurse:"+string(hash)+"\n"), 0o600)
	r := start(t, func(c *Config) { c.TLS, c.UsersFile = TLSConfig{CertFile: cert, KeyFile: key}, file })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	addr := r.ln.Addr().String()
	for _, c := range []struct {
		path, user, password string
		status               int
	}{
		{"/", "", "", 401}, {"/healthz", "", "", 401}, {"/", "nurse", "wrong", 401}, {"/", "nobody", "secret", 401},
		{"/", "nurse", "secret", 200}, {"/", "nurse", "secret", 200}, {"/", "nurse", "wrong", 401},
	} {
		req, _ := http.NewRequest("GET", "https://"+addr+c.path, nil)
		if c.user != "" {
			req.SetBasicAuth(c.user, c.password)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.status {
			t.Errorf("%s as %q with %q: %d, want %d", c.path, c.user, c.password, resp.StatusCode, c.status)
		}
	}
	d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: pool}, Subprotocols: []string{protocolProto}}
	if _, resp, err := d.Dial("wss://"+addr+"/v1/live", nil); err == nil || resp.StatusCode != 401 {
		t.Error("a WebSocket was opened without a user")
	}
	req, _ := http.NewRequest("GET", "/", nil)
	req.SetBasicAuth("nurse", "secret")
	ws, _, err := d.Dial("wss://"+addr+"/v1/live", req.Header)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	p := &peer{Conn: ws, t: t}
	give(t, r.Settings(), topics.Settings, accountSetting(1, "nurse", "nurse", "*"))
	p.subscribeAll()
	for i := range 100 {
		give(t, r.Frames(), topics.Frames, frame("p1", i))
	}
	seen := 0
	for seen < 100 {
		m := p.next()
		if m.GetFrame() != nil {
			seen++
		}
		seen += len(m.GetSnapshot().GetFrames())
	}
}

func selfSigned(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	os.WriteFile(cert, certPEM, 0o600)
	os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), 0o600)
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestConfigRefusals(t *testing.T) {
	secured := func(c *Config) {
		c.TLS, c.UsersFile = TLSConfig{CertFile: "c", KeyFile: "k"}, "u"
	}
	for name, c := range map[string]struct {
		change func(*Config)
		says   string // empty: accepted
	}{
		"as it comes":             {func(*Config) {}, ""},
		"IPv6":                    {func(c *Config) { c.Listen = "[::1]:0" }, ""},
		"by name":                 {func(c *Config) { c.Listen = "localhost:80" }, ""},
		"all addresses":           {func(c *Config) { c.Listen = ":8080" }, "other machines"},
		"all addresses, in words": {func(c *Config) { c.Listen = "0.0.0.0:8080" }, "other machines"},
		"TLS without users":       {func(c *Config) { c.Listen, c.TLS = ":443", TLSConfig{CertFile: "c", KeyFile: "k"} }, "users_file"},
		"users without TLS":       {func(c *Config) { c.UsersFile = "u" }, "need TLS"},
		"secured":                 {func(c *Config) { secured(c); c.Listen = ":443" }, ""},
		"half a certificate":      {func(c *Config) { c.TLS.CertFile = "c" }, "come together"},
		"no port":                 {func(c *Config) { c.Listen = "127.0.0.1" }, "host:port"},
		"an origin with a path":   {func(c *Config) { c.Origins = []string{"https://a/b"} }, "origins"},
		"a tiny queue":            {func(c *Config) { c.QueueBytes = 1 }, "queue_bytes"},
		"a ping too rare":         {func(c *Config) { c.PingInterval = time.Minute }, "ping_interval"},
		"no window":               {func(c *Config) { c.Window = 0 }, "window"},
		"no time to die":          {func(c *Config) { c.DeadAfter = 0 }, "dead_after"},
	} {
		cfg := DefaultConfig()
		c.change(&cfg)
		_, err := New(cfg, testPage, slog.New(slog.DiscardHandler), nil)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want an error with %q", name, err, c.says)
		}
	}
}
