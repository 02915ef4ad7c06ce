package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/failpoint"
	"heartwire/pipeline/kafka"
	"heartwire/pipeline/trace"
	"heartwire/topics"
)

// term is the time in which this bridge is the active one: what it knows of
// devices and bindings, and its way into Kafka.
type term struct {
	kafka    kafka.Config
	log      *slog.Logger
	metrics  *metrics
	refused  *refused
	sample   sample
	siteKey  []byte
	clock    clock
	bindings *bindings
	client   *kgo.Client
	ledger   *ledger
	ctx      context.Context // of the writing: ends after the source's

	mu      sync.Mutex // a source that reconnects may still be handing over the last message of its old connection
	devices map[string]*device
	out     []*kgo.Record // of the message at hand
	wire    wire          // the message at hand
	samples topics.Samples
}

// deliver takes a message: everything it causes is on its way when it returns.
func (t *term) deliver(m Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.metrics.messages.WithLabelValues(m.Kind.String()).Inc()
	t.out = t.out[:0]
	span := t.sample.begin(m)
	arrival := t.clock.micros()
	err := t.fold(m, arrival)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		t.out = t.out[:0]
		t.reject(m, refusal, arrival)
	} else if err != nil {
		// Encoding fails on what is no UTF-8, and that has been checked.
		t.log.Error("a message cannot be encoded", "err", err)
		t.out = t.out[:0]
		t.reject(m, &Refusal{Unwritable, err.Error()}, arrival)
	}
	failpoint.Hit(failpoint.BridgeReceived)
	if span != nil {
		carry := trace.Carry(span)
		for _, r := range t.out {
			kafka.SetTrace(r, carry)
		}
	}
	p := &pending{ack: m.Ack, size: len(m.Payload), arrived: time.Now(), span: span}
	p.left.Add(len(t.out))
	if !t.ledger.enter(t.ctx, p) {
		return // the term is over; the message comes again
	}
	for _, r := range t.out {
		t.write(p, m, r)
	}
}

// fold makes records of a message.
func (t *term) fold(m Message, arrival int64) error {
	switch m.Kind {
	case Frames:
		return t.frame(m, arrival)
	case Vitals:
		return t.vitals(m, arrival)
	default:
		return t.status(m, arrival)
	}
}

func (t *term) frame(m Message, arrival int64) error {
	// A name that is known has been found valid.
	if d := t.devices[m.Device]; d != nil && t.wire.read(m.Payload, m.Device) {
		w := &t.wire
		t.samples.Reset()
		s := &t.samples
		s.Device, s.Boot, s.First, s.Rate, s.Count = m.Device, w.boot, w.first, w.rate, uint32(w.count)
		s.DeviceTimeUs = w.deviceTime
		patient, err := t.place(d, s, w.print, arrival)
		if err != nil {
			return err
		}
		t.out = append(t.out, kafka.Raw(t.kafka.Site, topics.Frames, t.kafka.Partitions,
			topics.Key(patient), w.append(nil, patient, m.Device, s), frameOrigin(s)))
		return nil
	}
	s, err := decodeFrame(m.Payload, m.Device)
	if err != nil {
		return err
	}
	d := t.devices[s.Device]
	if d == nil {
		d = &device{}
		t.devices[s.Device] = d
		t.metrics.devices.Set(float64(len(t.devices)))
	}
	patient, err := t.place(d, s, fingerprint(s), arrival)
	if err != nil {
		return err
	}
	return add(t, topics.Frames, &topics.Frame{Patient: patient, Kind: &topics.Frame_Samples{Samples: s}}, frameOrigin(s))
}

func frameOrigin(s *topics.Samples) topics.Origin {
	return topics.Origin{Source: s.Device, Epoch: int64(s.Boot), Offset: int64(s.First)}
}

// place gives a frame its times and tells whose it is.
func (t *term) place(d *device, s *topics.Samples, print uint64, arrival int64) (patient string, err error) {
	if d.contradicts(run{s.Boot, s.First, s.Count, print}) {
		return "", refuse(Conflict, "samples %d to %d of boot %d were sent before with other content", s.First, s.First+uint64(s.Count)-1, s.Boot)
	}
	if d.place(s, arrival) {
		t.metrics.moved.Inc()
		t.log.Warn("a device's samples stayed behind for a minute; they are taken for live from here", "device", s.Device, "boot", s.Boot)
	}
	if a := d.unsaved(s.Device); a != nil {
		if err := add(t, topics.BridgeChangelog, a, topics.Origin{Source: s.Device, Epoch: int64(a.Boot), Offset: int64(a.Next)}); err != nil {
			return "", err
		}
	}
	last := s.TimeUs + int64(seconds(uint64(s.Count-1), s.Rate))
	patient, assigned := t.patient(s.Device, s.TimeUs, last)
	if !assigned {
		t.metrics.unassigned.Inc()
	}
	return patient, nil
}

func (t *term) vitals(m Message, arrival int64) error {
	v, err := decodeVitals(m.Payload, m.Device)
	if err != nil {
		return err
	}
	at := t.devices[v.Device].vitalTime(v, arrival)
	patient, _ := t.patient(v.Device, at, at)
	// A repeat of the message has the same place in the device's own time.
	from := topics.Origin{Source: v.Device, Epoch: int64(v.Boot), Offset: v.DeviceTimeUs}
	if from.Offset == 0 {
		from.Offset = arrival
	}
	for i, vital := range v.Vitals {
		from.Index = int32(i)
		if err := add(t, topics.Charts, &topics.Chart{Patient: patient, TimeUs: at, Kind: &topics.Chart_Vital{Vital: vital}}, from); err != nil {
			return err
		}
	}
	return nil
}

func (t *term) status(m Message, arrival int64) error {
	if len(m.Payload) == 0 {
		return nil // how MQTT takes a retained message away
	}
	s, err := decodeStatus(m.Payload, m.Device)
	if err != nil {
		return err
	}
	patient, _ := t.patient(s.Device, arrival, arrival)
	p := &topics.Presence{Device: s.Device, Boot: s.Boot, Online: s.Online, ArrivalUs: arrival}
	return add(t, topics.Frames, &topics.Frame{Patient: patient, Kind: &topics.Frame_Presence{Presence: p}},
		topics.Origin{Source: s.Device, Epoch: int64(s.Boot), Offset: arrival})
}

// patient is whose a stretch of a device's sample time is: the patient's it is
// bound to, or else the device's own key.
func (t *term) patient(device string, from, until int64) (key string, assigned bool) {
	if p := t.bindings.patient(device, from, until); p != "" {
		return p, true
	}
	d := t.devices[device]
	if d == nil {
		return string(topics.Unassigned(t.siteKey, device)), false
	}
	if d.key == "" {
		d.key = string(topics.Unassigned(t.siteKey, device))
	}
	return d.key, false
}

// maxOriginal is how much of a refused message is kept.
const maxOriginal = 64 << 10

func (t *term) reject(m Message, why *Refusal, arrival int64) {
	name := m.Device
	if !validDevice(name) {
		name = ""
	}
	t.metrics.rejects.WithLabelValues(string(why.Reason)).Inc()
	t.refused.count(name, why.Reason)
	r := &topics.Reject{
		Key: name, Reason: string(why.Reason), Detail: why.Detail, Source: m.Place,
		Original: m.Payload[:min(len(m.Payload), maxOriginal)], Size: uint64(len(m.Payload)), TimeUs: arrival,
	}
	if !printable(r.Source) || len(r.Source) > 1024 {
		r.Source = "bridge"
	}
	source := name
	if source == "" {
		source = "bridge"
	}
	if err := add(t, topics.Rejects, r, topics.Origin{Source: source, Offset: arrival}); err != nil {
		t.log.Error("a reject cannot be encoded", "err", err)
	}
}

// add encodes a value of a topic among the records of the message at hand.
func add[T proto.Message](t *term, topic topics.Topic[T], v T, origin topics.Origin) error {
	r, err := kafka.Encode(t.kafka.Site, topic, t.kafka.Partitions, v, origin)
	if err != nil {
		return err
	}
	t.out = append(t.out, r)
	return nil
}

// retryAfter is how long a record waits that Kafka refused for a reason that
// is not the record's: no authorization, a topic that is gone.
const retryAfter = time.Second

// write writes a record, for as long as it takes.
func (t *term) write(p *pending, m Message, r *kgo.Record) {
	t.client.Produce(t.ctx, r, func(r *kgo.Record, err error) {
		switch {
		case err == nil:
			p.left.Done()
		case t.ctx.Err() != nil || errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, kgo.ErrAborting):
			p.failed.Store(true)
			p.left.Done()
		case recordsFault(err) && r.Topic != topics.Rejects.On(t.kafka.Site):
			t.rejectUnwritten(p, m, err)
		default:
			t.metrics.retries.Inc()
			t.log.Warn("Kafka refused a record; trying again until it takes it", "topic", r.Topic, "err", err)
			again := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
			time.AfterFunc(retryAfter, func() { t.write(p, m, again) })
		}
	})
}

// rejectUnwritten writes a reject in the place of a record that Kafka will
// never take. It is not done where the client calls back, which must not wait.
func (t *term) rejectUnwritten(p *pending, m Message, cause error) {
	go func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.out = t.out[:0]
		t.reject(m, &Refusal{Unwritable, fmt.Sprintf("Kafka does not take its record: %v", cause)}, t.clock.micros())
		p.left.Add(len(t.out))
		for _, r := range t.out {
			t.write(p, m, r)
		}
		p.left.Done()
	}()
}

// recordsFault reports whether it is the record's own fault, for ever.
func recordsFault(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) ||
		errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}
