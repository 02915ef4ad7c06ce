// Package mqtt receives what patches publish by MQTT 3.1.1, QoS 1.
//
// The session is persistent: while no bridge is connected the broker keeps the
// messages, as many as it is told to (mosquitto: max_queued_messages 0,
// persistence true). A message is acknowledged when the bridge says so, in the
// order of arrival, and only on the connection it came by: what is not, the
// broker sends again on the next.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"heartwire/pipeline/bridge"
)

const (
	dialTimeout    = 5 * time.Second
	keepAlive      = 10 * time.Second // a broker that is cut off is noticed within keepAlive + pingTimeout
	pingTimeout    = 5 * time.Second
	drainTime      = 2 * time.Second // for what was delivered to be acknowledged at the end
	subscribeAgain = 2 * time.Second
	pauseFirst     = 100 * time.Millisecond
	pauseMost      = 2 * time.Second
	sayAgain       = 30 * time.Second
)

// Source is a subscription at an MQTT broker.
type Source struct {
	conf     Config
	template template
	clientID string
	log      *slog.Logger

	first      sync.Once
	subscribed chan struct{}
}

// New prepares a source; it does no I/O.
func New(conf Config, site string, log *slog.Logger) (*Source, error) {
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	t, err := parseTemplate(conf.Topic, site)
	if err != nil {
		return nil, fmt.Errorf("mqtt.topic: %w", err)
	}
	s := &Source{conf: conf, template: t, clientID: conf.ClientID, log: log, subscribed: make(chan struct{})}
	if s.clientID == "" {
		s.clientID = clientID(t.name())
	}
	return s, nil
}

var notPlain = regexp.MustCompile(`[^A-Za-z0-9]+`)

// clientID names the session of a filter: in characters that every broker
// takes, and different for different filters.
func clientID(filter string) string {
	h := fnv.New32a()
	h.Write([]byte(filter))
	return fmt.Sprintf("bridge-%s-%08x", strings.Trim(notPlain.ReplaceAllString(filter, "-"), "-"), h.Sum32())
}

// Name is the filter of all topics.
func (s *Source) Name() string { return s.template.name() }

// Match tells the device and the kind of message that an MQTT topic names.
func (s *Source) Match(topic string) (device string, kind bridge.Kind, ok bool) {
	return s.template.match(topic)
}

// Subscribed is closed once the broker keeps messages for this source. What is
// published before the very first subscription is kept for nobody.
func (s *Source) Subscribed() <-chan struct{} { return s.subscribed }

// Run keeps a connection until ctx ends.
func (s *Source) Run(ctx context.Context, deliver func(bridge.Message)) error {
	opts, err := s.options()
	if err != nil {
		return err
	}
	pause, said, before := pauseFirst, time.Time{}, ""
	for ctx.Err() == nil {
		began := time.Now()
		err := s.connection(ctx, opts, deliver)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > sayAgain {
			pause, before = pauseFirst, ""
		}
		if text := err.Error(); text != before || time.Since(said) > sayAgain {
			s.log.Warn("the MQTT broker is not there; trying again", "broker", s.conf.Broker, "err", err)
			before, said = text, time.Now()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, pauseMost)
	}
	return nil
}

// connection is one connection, from its opening to its end.
func (s *Source) connection(ctx context.Context, opts paho.ClientOptions, deliver func(bridge.Message)) error {
	var unacked atomic.Int64
	var over atomic.Bool
	lost := make(chan error, 1)
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
	// Queued messages come before the subscription is renewed, so the handler
	// stands before the connection.
	opts.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		if over.Load() {
			return // it comes again
		}
		device, kind, ok := s.template.match(m.Topic())
		if !ok {
			m.Ack() // of an older layout's subscription, still in the session
			return
		}
		unacked.Add(1)
		deliver(bridge.Message{
			Kind: kind, Device: device, Place: m.Topic(), Payload: m.Payload(),
			Ack: func() { m.Ack(); unacked.Add(-1) },
		})
	})
	c := paho.NewClient(&opts)
	connected := c.Connect()
	if err := done(connected); err != nil {
		return err
	}
	defer func() {
		over.Store(true)
		c.Disconnect(uint(closeTimeout.Milliseconds()))
	}()
	if err := s.receive(ctx, c, connected.(*paho.ConnectToken).SessionPresent(), lost); err != nil {
		return err
	}
	over.Store(true)
	s.drain(&unacked, lost)
	return nil
}

// receive renews the subscription and waits until ctx ends, or returns why the
// connection did. A session that is there goes on receiving by its old
// subscription, so a refusal is no reason to leave; it is asked for again.
func (s *Source) receive(ctx context.Context, c paho.Client, session bool, lost <-chan error) error {
	err := s.subscribe(c)
	if err != nil && !session {
		return err
	}
	again := true
	s.first.Do(func() { close(s.subscribed); again = false })
	if again && !session {
		s.log.Warn("the MQTT broker forgot the session; what was published while no bridge was connected is lost: give it persistence and no expiry", "broker", s.conf.Broker)
	}
	s.log.Info("receiving from the MQTT broker", "broker", s.conf.Broker, "filter", s.Name(), "session", session)
	retry := time.NewTicker(subscribeAgain)
	defer retry.Stop()
	for {
		select {
		case why := <-lost:
			return fmt.Errorf("connection lost: %w", why)
		case <-ctx.Done():
			return nil
		case <-retry.C:
			if err != nil {
				s.log.Warn("receiving by the session's old subscription; asking for the new one again", "err", err)
				err = s.subscribe(c)
			}
		}
	}
}

// drain waits for what was delivered to be acknowledged.
func (s *Source) drain(unacked *atomic.Int64, lost <-chan error) {
	deadline := time.After(drainTime)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for unacked.Load() > 0 {
		select {
		case <-look.C:
		case <-lost:
			return
		case <-deadline:
			s.log.Info("messages are left unacknowledged and will come again", "count", unacked.Load())
			return
		}
	}
}

// subscribe renews the subscription, which makes the broker send the retained
// presence of each patch.
func (s *Source) subscribe(c paho.Client) error {
	filters := map[string]byte{}
	for _, k := range []bridge.Kind{bridge.Frames, bridge.Vitals, bridge.Status} {
		filters[s.template.filter(k)] = 1
	}
	token := c.SubscribeMultiple(filters, nil)
	if err := done(token); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for filter, qos := range token.(*paho.SubscribeToken).Result() {
		if qos != 1 {
			return fmt.Errorf("the broker refused to subscribe %s with QoS 1: allow it for client %s", filter, s.clientID)
		}
	}
	return nil
}

func done(t paho.Token) error {
	if !t.WaitTimeout(2 * dialTimeout) {
		return errors.New("no answer in time")
	}
	return t.Error()
}

func (s *Source) options() (paho.ClientOptions, error) {
	password, err := s.conf.password()
	if err != nil {
		return paho.ClientOptions{}, err
	}
	var secure *tls.Config
	if strings.HasPrefix(s.conf.Broker, "tls://") {
		if secure, err = s.conf.TLS.load(); err != nil {
			return paho.ClientOptions{}, err
		}
	}
	opts := paho.NewClientOptions().
		AddBroker(s.conf.Broker).
		SetClientID(s.clientID).
		SetUsername(s.conf.User).
		SetPassword(password).
		SetProtocolVersion(4). // 3.1.1
		SetCleanSession(false).
		SetAutoReconnect(false). // a connection's acknowledgements must end with it
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetKeepAlive(keepAlive).
		SetPingTimeout(pingTimeout).
		SetConnectTimeout(dialTimeout).
		SetStore(noStore{})
	opts.SetCustomOpenConnectionFn(func(at *url.URL, _ paho.ClientOptions) (net.Conn, error) {
		conn, err := net.DialTimeout("tcp", at.Host, dialTimeout)
		if err != nil {
			return nil, err
		}
		if secure != nil {
			own := secure.Clone()
			own.ServerName = at.Hostname()
			conn = tls.Client(conn, own) // the handshake is the first read's, within the connect timeout
		}
		return buffered(conn), nil
	})
	return *opts, nil
}

// noStore keeps nothing. The broker sends again what was not acknowledged. The
// client's own store would hand it over a second time after a reconnect, and
// acknowledging both copies can acknowledge, by a packet identifier that is in
// use again, a message that has not been written.
type noStore struct{}

func (noStore) Open()                             {}
func (noStore) Put(string, packets.ControlPacket) {}
func (noStore) Get(string) packets.ControlPacket  { return nil }
func (noStore) All() []string                     { return nil }
func (noStore) Del(string)                        {}
func (noStore) Close()                            {}
func (noStore) Reset()                            {}
