package local_test

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"heartwire/pipeline/local"
)

func startMQTT(t *testing.T, dir, listen string) *local.MQTT {
	t.Helper()
	m, err := local.StartMQTT(dir, listen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func client(t *testing.T, addr, id string, handler paho.MessageHandler) paho.Client {
	t.Helper()
	opts := paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(id).SetCleanSession(false)
	opts.SetAutoReconnect(false)
	opts.SetDefaultPublishHandler(handler)
	c := paho.NewClient(opts)
	wait(t, c.Connect())
	return c
}

func wait(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(5 * time.Second) {
		t.Fatal("the broker did not answer in 5 s")
	}
	if token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// What was published while a subscriber was away, and what the broker itself
// was restarted with, arrives when the subscriber is back.
func TestMQTTKeepsMessagesOverARestart(t *testing.T) {
	dir := t.TempDir()
	m := startMQTT(t, dir, "127.0.0.1:0")
	got := make(chan string, 100)
	handler := func(_ paho.Client, msg paho.Message) { got <- string(msg.Payload()) }
	sub := client(t, m.Addr(), "reader", handler)
	wait(t, sub.Subscribe("a/+/frames", 1, nil))
	sub.Disconnect(100)
	pub := client(t, m.Addr(), "writer", func(paho.Client, paho.Message) {})
	const n = 50
	for i := range n {
		wait(t, pub.Publish("a/b/frames", 1, false, fmt.Sprint(i)))
	}
	pub.Disconnect(100)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}

	m = startMQTT(t, dir, "127.0.0.1:0")
	defer m.Close()
	sub = client(t, m.Addr(), "reader", handler)
	defer sub.Disconnect(100)
	seen := map[string]bool{}
	for len(seen) < n {
		select {
		case p := <-got:
			seen[p] = true
		case <-time.After(5 * time.Second):
			t.Fatalf("%d of %d messages came back", len(seen), n)
		}
	}
}

func TestMQTTStaysOnTheLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:1883", "nonsense"} {
		if m, err := local.StartMQTT(t.TempDir(), listen, slog.New(slog.DiscardHandler)); err == nil {
			m.Close()
			t.Errorf("%q was accepted", listen)
		}
	}
}

func TestMQTTTellsThatAPortIsTaken(t *testing.T) {
	m := startMQTT(t, t.TempDir(), "127.0.0.1:0")
	defer m.Close()
	_, err := local.StartMQTT(t.TempDir(), m.Addr(), slog.New(slog.DiscardHandler))
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want EADDRINUSE", err)
	}
}
