//go:build linux

package servers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Proxy is a TCP proxy in this process that can break what it carries.
type Proxy struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// Toxiproxy starts a proxy before the server at upstream. Kafka's brokers tell
// clients their own addresses, so a proxy before one carries only the first
// words; KafkaOptions.Proxied puts one before each that they do know.
func Toxiproxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	return toxiproxyAt(t, FreeAddr(t), upstream)
}

func toxiproxyAt(t testing.TB, addr, upstream string) *Proxy {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxics speak to no logger that they are given
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{t: t, proxy: toxiproxy.NewProxy(api, t.Name(), addr, upstream)}
	p.Mend()
	t.Cleanup(p.proxy.Stop)
	return p
}

// Addr is the host:port to dial instead of the server's.
func (p *Proxy) Addr() string { return p.proxy.Listen }

// Cut closes all connections and refuses new ones until Mend.
func (p *Proxy) Cut() { p.proxy.Stop() }

// Freeze lets connections stand and carries nothing more, in both directions,
// until Mend: the cable is out and nobody has been told.
func (p *Proxy) Freeze() {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.add("timeout", stream, `{"timeout": 0}`)
	}
}

// Delay adds d to each direction until Mend.
func (p *Proxy) Delay(d time.Duration) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.add("latency", stream, fmt.Sprintf(`{"latency": %d}`, d.Milliseconds()))
	}
}

// Throttle carries at most so many bytes a second in each direction of each
// connection, until Mend.
func (p *Proxy) Throttle(bytes int) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.add("bandwidth", stream, fmt.Sprintf(`{"rate": %d}`, bytes/1000))
	}
}

// Mend carries everything again, at once. Connections that were frozen end.
func (p *Proxy) Mend() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p.proxy.Toxics.ResetToxics(ctx)
	if err := p.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted {
		p.t.Fatalf("start a proxy at %s: %v", p.proxy.Listen, err)
	}
}

func (p *Proxy) add(kind, stream, attributes string) {
	p.t.Helper()
	body := fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": %s}`, kind, stream, attributes)
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(body)); err != nil {
		p.t.Fatalf("break a connection (%s): %v", kind, err)
	}
}
