package trace_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heartwire/pipeline/trace"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		conf trace.Config
		want string // nothing: valid
	}{
		{trace.Config{}, ""},
		{trace.Config{Ratio: 1, Endpoint: "http://collector:4318"}, ""},
		{trace.Config{Endpoint: "https://collector:4318/v1/traces", CAFile: "ca", HeadersFile: "h"}, ""},
		{trace.Config{Endpoint: "http://127.0.0.1:4318", HeadersFile: "h"}, ""},
		{trace.Config{Ratio: 0.1}, "set trace.endpoint too"},
		{trace.Config{Ratio: 1.1, Endpoint: "http://collector:4318"}, "not between 0 and 1"},
		{trace.Config{Ratio: -1}, "not between 0 and 1"},
		{trace.Config{Endpoint: "collector:4318"}, "want http"},
		{trace.Config{Endpoint: "grpc://collector:4317"}, "want http"},
		{trace.Config{Endpoint: "https://me:secret@collector:4318"}, "trace.headers_file"},
		{trace.Config{Endpoint: "http://collector:4318", CAFile: "ca"}, "write https"},
		{trace.Config{Endpoint: "http://collector:4318", HeadersFile: "h"}, "write https"},
	} {
		err := c.conf.Validate()
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.conf, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret is told: %v", err)
		}
	}
}

// told makes a collector that counts what it is told, over TLS.
func told(t *testing.T, status int) (conf trace.Config, requests chan *http.Request) {
	t.Helper()
	requests = make(chan *http.Request, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		requests <- r
	}))
	t.Cleanup(server.Close)
	conf = trace.Config{Endpoint: server.URL, CAFile: filepath.Join(t.TempDir(), "ca.pem"), HeadersFile: filepath.Join(t.TempDir(), "headers")}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for path, content := range map[string][]byte{conf.CAFile: ca, conf.HeadersFile: []byte("\nAuthorization: Bearer abc:def\n")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return conf, requests
}

func TestTheCollectorIsToldOverTLSWithItsHeaders(t *testing.T) {
	conf, requests := told(t, http.StatusOK)
	provider, done, err := conf.Open("site", "", "build", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("").Start(context.Background(), "a span")
	if got := trace.Carry(span); len(got) != 55 || !strings.HasSuffix(got, "-01") {
		t.Errorf("it carries %q", got)
	}
	span.End()
	done() // waits until the last is told
	select {
	case r := <-requests:
		if r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "Bearer abc:def" {
			t.Errorf("told at %s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
	default:
		t.Error("the collector is not told")
	}
}

// What was not sampled elsewhere is handed on and not told.
func TestWhatOthersDoNotFollowIsNotTold(t *testing.T) {
	conf, requests := told(t, http.StatusOK)
	provider, done, err := conf.Open("site", "", "build", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "00-0123456789abcdef0123456789abcdef-"
	_, span := provider.Tracer("").Start(trace.Go(prefix+"0123456789abcdef-00"), "a span")
	if got := trace.Carry(span); !strings.HasPrefix(got, prefix) || !strings.HasSuffix(got, "-00") {
		t.Errorf("it carries %q", got)
	}
	span.End()
	done()
	if len(requests) > 0 {
		t.Error("the collector is told")
	}
}

func TestACollectorThatFailsIsSaidOnceWithoutSecrets(t *testing.T) {
	conf, requests := told(t, http.StatusForbidden)
	var log bytes.Buffer
	provider, done, err := conf.Open("site", "", "build", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, span := provider.Tracer("").Start(context.Background(), "a span")
		span.End()
		<-requests
	}
	done()
	if n := strings.Count(log.String(), "spans are lost"); n != 1 || strings.Contains(log.String(), "abc") {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}

func TestOpenSaysWhichFileIsWrong(t *testing.T) {
	good, _ := told(t, http.StatusOK)
	none, noCA, noHeaders := filepath.Join(t.TempDir(), "none"), good, good
	noCA.CAFile, noHeaders.HeadersFile = none, none
	for want, conf := range map[string]trace.Config{
		"trace.ca_file: open": noCA, "trace.headers_file: open": noHeaders,
		"holds no certificate": {Endpoint: good.Endpoint, CAFile: good.HeadersFile},
		`line 1 of`:            {Endpoint: good.Endpoint, HeadersFile: good.CAFile},
	} {
		if _, _, err := conf.Open("site", "", "build", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
