package local

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"

	pebbledb "github.com/cockroachdb/pebble"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/hooks/storage/pebble"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// MQTT is an MQTT broker in the process. Sessions, retained messages and what
// nobody has acknowledged yet stand in a folder, so a second start goes on
// where the first ended. It asks nobody who he is, and therefore listens on
// the loopback alone.
type MQTT struct {
	server *mqtt.Server
	addr   string
}

// keepSeconds is how long an unacknowledged or retained message is kept: as
// long as the topic frames keeps what it becomes.
const keepSeconds = 7 * 24 * 60 * 60

// pending is the most messages that can wait for one client. The packet
// identifier of MQTT has 16 bits, so more cannot wait for an acknowledgement.
const pending = math.MaxUint16

// StartMQTT starts the broker on listen, a host:port of the loopback (port 0
// takes a free one), with its data in dir. A port in use is an error that
// wraps syscall.EADDRINUSE.
func StartMQTT(dir, listen string, log *slog.Logger) (*MQTT, error) {
	if err := loopbackOnly(listen); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the MQTT broker: %w", err)
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumInflight = pending
	caps.MaximumClientWritesPending = 2 * pending // acknowledgements stand in the same queue
	caps.MaximumMessageExpiryInterval = keepSeconds
	server := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: quiet(log)})
	// Listening comes first: a second process on the same folder would wait
	// for its lock, and a port in use is what tells the two apart.
	tcp := listeners.NewTCP(listeners.Config{ID: "tcp", Address: listen})
	if err := server.AddListener(tcp); err != nil {
		return nil, fmt.Errorf("listen for MQTT on %s: %w", listen, err)
	}
	m := &MQTT{server: server, addr: tcp.Address()}
	if err := m.start(dir, log); err != nil {
		tcp.Close(func(string) {})
		return nil, err
	}
	return m, nil
}

func (m *MQTT) start(dir string, log *slog.Logger) error {
	if err := m.server.AddHook(new(auth.AllowHook), nil); err != nil {
		return fmt.Errorf("start the MQTT broker: %w", err)
	}
	if err := m.server.AddHook(newGate(), nil); err != nil {
		return fmt.Errorf("start the MQTT broker: %w", err)
	}
	store := &pebble.Options{Path: dir, Options: &pebbledb.Options{Logger: storeLog{log}}}
	if err := m.server.AddHook(new(pebble.Hook), store); err != nil {
		return fmt.Errorf("open the MQTT broker's data in %s: %w", dir, err)
	}
	if err := m.server.Serve(); err != nil {
		return fmt.Errorf("start the MQTT broker: %w", err)
	}
	return nil
}

// Addr is the host:port it listens on.
func (m *MQTT) Addr() string { return m.addr }

// Close disconnects all clients, writes everything down and ends the broker.
func (m *MQTT) Close() error {
	if err := m.server.Close(); err != nil {
		return fmt.Errorf("close the MQTT broker: %w", err)
	}
	return nil
}

// loopbackOnly refuses an address that another machine could reach.
func loopbackOnly(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen for MQTT on %q: not host:port", listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen for MQTT on %s: the broker inside has no passwords and stays on the loopback; use 127.0.0.1, or a broker of your own", listen)
	}
	return nil
}

// quiet takes the broker's warnings and errors; its information is ours to say.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h atLeastWarn) WithAttrs(a []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(a)}
}

func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}

// storeLog gives the store's words to slog at debug.
type storeLog struct{ log *slog.Logger }

func (l storeLog) Infof(format string, args ...any) { l.log.Debug(fmt.Sprintf(format, args...)) }

// Fatalf is called when the store cannot go on; its contract is not to return.
func (l storeLog) Fatalf(format string, args ...any) {
	l.log.Error("the MQTT broker's data cannot be written", "err", fmt.Sprintf(format, args...))
	panic(fmt.Sprintf(format, args...))
}
