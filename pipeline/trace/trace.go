// Package trace follows single frames through Heartwire, from the bridge to the
// screen, for people who look for where time goes. A frame that is followed
// carries a W3C trace context in its record's headers; each part that makes
// something of it tells an OpenTelemetry collector when, and hands the context
// on. What is not followed, which is nearly everything, costs a look at the
// headers. Nothing that is decided depends on it, and nothing in it tells who
// a patient is.
package trace

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"heartwire/topics"
)

// Config says which frames are followed, and who is told.
type Config struct {
	Ratio       float64 `yaml:"ratio"`        // share of the frames that the bridge lets follow, 0 to 1
	Endpoint    string  `yaml:"endpoint"`     // of a collector that speaks OTLP over HTTP: https://host:4318; empty: nobody
	CAFile      string  `yaml:"ca_file"`      // whom to trust as the collector; empty: whom this machine trusts
	HeadersFile string  `yaml:"headers_file"` // lines "Name: value" that the collector wants to see, such as a token
}

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		errs = append(errs, fmt.Errorf("trace.ratio: %g is not between 0 and 1", c.Ratio))
	}
	if c.Endpoint == "" {
		if c.Ratio > 0 {
			errs = append(errs, errors.New("trace.ratio: nobody is told of the frames that are followed: set trace.endpoint too"))
		}
		return errors.Join(errs...)
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		errs = append(errs, errors.New("trace.endpoint: want http://host:port or https://host:port"))
	case u.User != nil:
		errs = append(errs, errors.New("trace.endpoint: credentials in an address end up in logs: put them into trace.headers_file"))
	case u.Scheme == "http" && c.CAFile != "":
		errs = append(errs, errors.New("trace.ca_file: the endpoint has no TLS: write https"))
	case u.Scheme == "http" && c.HeadersFile != "" && !loopback(u.Hostname()):
		errs = append(errs, errors.New("trace.headers_file: http sends it as it is: write https"))
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Open begins to tell the collector of spans. It reads the files that the
// Config names and does no other I/O. close waits a moment for the last spans
// to be sent. Without an endpoint nobody is told, and contexts are handed on.
// instance may be empty.
func (c Config) Open(site, instance, build string, log *slog.Logger) (_ trace.TracerProvider, close func(), err error) {
	if c.Endpoint == "" {
		return noop.NewTracerProvider(), func() {}, nil
	}
	opts, err := c.options()
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, nil, fmt.Errorf("trace.endpoint: %w", err)
	}
	about := []attribute.KeyValue{
		attribute.String("service.name", "heartwire"), attribute.String("service.namespace", site), attribute.String("service.version", build),
	}
	if instance != "" {
		about = append(about, attribute.String("service.instance.id", instance))
	}
	provider := sdk.NewTracerProvider(
		// Whether a frame is followed is settled once, by the bridge.
		sdk.WithSampler(sdk.ParentBased(sdk.AlwaysSample())),
		sdk.WithBatcher(&telling{SpanExporter: exporter, log: log}, sdk.WithBatchTimeout(time.Second)),
		sdk.WithResource(resource.NewSchemaless(about...)),
	)
	return provider, func() {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_ = provider.Shutdown(ctx) // what it could not tell it has said
	}, nil
}

func (c Config) options() ([]otlptracehttp.Option, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, errors.New("trace.endpoint: not an address")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	opts := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(5 * time.Second)}
	if u.Scheme == "https" {
		conf := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			ca, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("trace.ca_file: %w", err)
			}
			conf.RootCAs = x509.NewCertPool()
			if !conf.RootCAs.AppendCertsFromPEM(ca) {
				return nil, fmt.Errorf("trace.ca_file: %s holds no certificate in PEM", c.CAFile)
			}
		}
		opts = append(opts, otlptracehttp.WithTLSClientConfig(conf))
	}
	headers, err := c.headers()
	if err != nil {
		return nil, err
	}
	return append(opts, otlptracehttp.WithHeaders(headers)), nil
}

func (c Config) headers() (map[string]string, error) {
	headers := map[string]string{}
	if c.HeadersFile == "" {
		return headers, nil
	}
	b, err := os.ReadFile(c.HeadersFile)
	if err != nil {
		return nil, fmt.Errorf("trace.headers_file: %w", err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("trace.headers_file: line %d of %s is not \"Name: value\"", i+1, c.HeadersFile)
		}
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return headers, nil
}

// telling says when the collector cannot be told, which loses spans and
// nothing else: once a minute, whatever goes wrong.
type telling struct {
	sdk.SpanExporter
	log  *slog.Logger
	said time.Time
}

// ExportSpans implements sdk.SpanExporter. It is called by one goroutine at a time.
func (t *telling) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := t.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && time.Since(t.said) > time.Minute {
		t.said = time.Now()
		t.log.Warn("the collector of traces cannot be told; spans are lost", "err", err)
	}
	return nil
}

// Go is where a span goes on from: what a record carries, in a context.
func Go(traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{topics.HeaderTrace: traceparent})
}

// Carry is what a record is to carry so that others go on from the span.
func Carry(span trace.Span) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), span), carrier)
	return carrier[topics.HeaderTrace]
}
