package mqtt_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"heartwire/pipeline/bridge"
	"heartwire/pipeline/bridge/bridgetest"
	"heartwire/pipeline/bridge/mqtt"
	"heartwire/pipeline/local"
)

func TestSource(t *testing.T) {
	bridgetest.Run(t, func(t *testing.T) bridgetest.Place {
		broker, err := local.StartMQTT(t.TempDir(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { broker.Close() })
		return place(t, "tcp://"+broker.Addr())
	})
}

// place is an MQTT broker with a layout of topics of its own.
func place(t *testing.T, broker string) bridgetest.Place {
	conf := mqtt.DefaultConfig()
	conf.Broker, conf.Topic = broker, "{kind}/of/{device}/+/{site}"
	device := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID("device"))
	wait(t, device.Connect())
	t.Cleanup(func() { device.Disconnect(50) })
	return bridgetest.Place{
		Open: func(t *testing.T) bridge.Source {
			s, err := mqtt.New(conf, "ward", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Publish: func(t *testing.T, kind bridge.Kind, from string, payload []byte) {
			wait(t, device.Publish("commands/of/"+from+"/x/ward", 1, false, payload)) // not ours
			wait(t, device.Publish(kind.String()+"/of/"+from+"/x/ward", 1, false, payload))
		},
		Ready: func(t *testing.T, s bridge.Source) {
			select {
			case <-s.(*mqtt.Source).Subscribed():
			case <-time.After(5 * time.Second):
				t.Fatal("not subscribed in 5 s")
			}
		},
	}
}

func wait(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(5*time.Second) || token.Error() != nil {
		t.Fatalf("the broker did not answer: %v", token.Error())
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		how  func(*mqtt.Config)
		want string // in the error; "" is none
	}{
		"as it is":           {func(*mqtt.Config) {}, ""},
		"another layout":     {func(c *mqtt.Config) { c.Topic = "hospital/4W/{device}/ecg/{kind}" }, ""},
		"shared":             {func(c *mqtt.Config) { c.Topic = "$share/bridges/{site}/v1/{device}/{kind}" }, "every second message"},
		"no device":          {func(c *mqtt.Config) { c.Topic = "{site}/{kind}" }, "{device}"},
		"device twice":       {func(c *mqtt.Config) { c.Topic = "{device}/{kind}/{device}" }, "twice"},
		"all":                {func(c *mqtt.Config) { c.Topic = "{device}/{kind}/#" }, "neither"},
		"half a level":       {func(c *mqtt.Config) { c.Topic = "x{device}/{kind}" }, "neither"},
		"no port":            {func(c *mqtt.Config) { c.Broker = "tcp://broker" }, "mqtt.broker"},
		"websocket":          {func(c *mqtt.Config) { c.Broker = "ws://broker:80" }, "tls://"},
		"password in URL":    {func(c *mqtt.Config) { c.Broker = "tcp://u:p@broker:1883" }, "password_file"},
		"user alone":         {func(c *mqtt.Config) { c.User = "u" }, "password_file"},
		"authority over tcp": {func(c *mqtt.Config) { c.TLS.CAFile = "ca.pem" }, "tls://"},
	} {
		conf := mqtt.DefaultConfig()
		c.how(&conf)
		err := conf.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
