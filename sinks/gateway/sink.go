package gateway

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"heartwire/sinks"
	"heartwire/topics"
)

// sink takes the records of one patient topic. Repeats are dropped by their
// origin; what cannot be attributed to one patient is condemned.
type sink[T interface {
	comparable
	proto.Message
}] struct {
	g     *Gateway
	topic topics.Topic[T]
	kind  kind
	field protowire.Number
	wants topicSet
	fold  func(p *patient, o topics.Origin, v T, m *message) bool // false: a repeat
	tick  func(partition int32, t *topics.Tick)
}

// Deliver implements sinks.Sink. It waits for nobody: what a client cannot
// take is the business of that client's queue.
func (s *sink[T]) Deliver(ctx context.Context, batch []topics.Record[T]) error {
	return deliver(ctx, batch, s.take)
}

// deliver takes each record of a batch, and names those that were condemned.
func deliver[T any](ctx context.Context, batch []topics.Record[T], take func(*topics.Record[T]) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var bad sinks.RejectError
	for i := range batch {
		if err := take(&batch[i]); err != nil {
			bad.Index, bad.Err = append(bad.Index, i), errors.Join(bad.Err, err)
		}
	}
	if bad.Index != nil {
		return &bad
	}
	return nil
}

// Close implements sinks.Sink.
func (s *sink[T]) Close(context.Context) error { return nil }

var (
	errEmpty   = errors.New("a record without a value")
	errKeyless = errors.New("a record without a key that is no tick")
	errForeign = errors.New("the key of the record is not that of the patient in it")
)

func (s *sink[T]) take(r *topics.Record[T]) error {
	var none T
	if r.Value == none {
		return errEmpty
	}
	if t := s.topic.Tick(r.Value); t != nil {
		if s.tick != nil {
			s.tick(r.Partition, t)
		}
		return nil
	}
	key := s.topic.Key(r.Value)
	switch {
	case key == "":
		return errKeyless
	case key != r.Key:
		return errForeign
	}
	raw := r.Raw
	if raw == nil {
		b, err := s.topic.Append(nil, r.Value)
		if err != nil {
			return err
		}
		raw = b
	}
	m := pass(s.kind, s.field, key, raw)
	if r.Trace != "" {
		s.follow(m, r, raw)
	}
	origin := r.Origin
	if origin == (topics.Origin{}) { // written by another program: its place in the log has to do
		origin = topics.Origin{Source: s.topic.Name, Partition: r.Partition, Offset: r.Offset, Index: -1}
	}
	s.g.ward.fold(key, func(p *patient) {
		if s.fold(p, origin, r.Value, m) && !p.tell(m, s.wants) && m.span != nil {
			m.span.End() // nobody is there to be told
		}
	})
	return nil
}

// follow makes a message one that is followed: its span ends when it has been
// written to the first client, and clients may go on from there.
func (s *sink[T]) follow(m *message, r *topics.Record[T], raw []byte) {
	from := propagation.MapCarrier{topics.HeaderTrace: r.Trace}
	ctx := propagation.TraceContext{}.Extract(context.Background(), from)
	ctx, m.span = s.g.tracer.Start(ctx, "gateway", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", s.topic.On(s.g.cfg.Site)),
		attribute.Int64("messaging.destination.partition.id", int64(r.Partition)),
		attribute.Int64("messaging.kafka.offset", r.Offset),
	))
	to := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, to)
	m.fill(s.field, to[topics.HeaderTrace], raw)
}

// Frames is the sink of the topic frames.
func (g *Gateway) Frames() sinks.Sink[*topics.Frame] {
	return &sink[*topics.Frame]{
		g: g, topic: topics.Frames, kind: kindFrame, field: serverFrame, wants: topicFrames,
		fold: func(p *patient, o topics.Origin, v *topics.Frame, m *message) bool {
			return p.frame(o, v, m, g.cfg.Window)
		},
	}
}

// Annotations is the sink of the topic annotations.
func (g *Gateway) Annotations() sinks.Sink[*topics.Annotation] {
	return &sink[*topics.Annotation]{
		g: g, topic: topics.Annotations, kind: kindAnnotation, field: serverAnnotation, wants: topicAnnotations,
		fold: func(p *patient, o topics.Origin, v *topics.Annotation, m *message) bool {
			return p.annotation(o, v, m, g.cfg.Window)
		},
	}
}

// Charts is the sink of the topic chart.
func (g *Gateway) Charts() sinks.Sink[*topics.Chart] {
	return &sink[*topics.Chart]{
		g: g, topic: topics.Charts, kind: kindChart, field: serverChart, wants: topicChart,
		fold: (*patient).chart,
	}
}

// Alarms is the sink of the topic alarms.
func (g *Gateway) Alarms() sinks.Sink[*topics.Alarm] {
	return &sink[*topics.Alarm]{
		g: g, topic: topics.Alarms, kind: kindAlarm, field: serverAlarm, wants: topicAlarms,
		fold: func(p *patient, o topics.Origin, v *topics.Alarm, m *message) bool {
			switch k := v.GetKind().(type) {
			case *topics.Alarm_State:
				return p.alarm(k.State, m)
			case *topics.Alarm_Silence:
				return p.silence(o, k.Silence, m)
			case *topics.Alarm_Outcome:
				g.acts.tell(k.Outcome.GetAnswer(), k.Outcome)
			}
			return true // nothing of it is remembered, or its kind is newer than this build
		},
		tick: g.ward.decided.tick,
	}
}

// Settings is the sink of the topic settings. It gives patients their beds
// and devices, and limits to a gateway that began after they were said; to
// people their accounts, and the outcomes of what they have asked for.
func (g *Gateway) Settings() sinks.Sink[*topics.Setting] { return settings{g.ward, &g.asks} }

type settings struct {
	ward *ward
	asks *outcomes[*topics.Outcome]
}

func (s settings) Close(context.Context) error { return nil }

func (s settings) Deliver(ctx context.Context, batch []topics.Record[*topics.Setting]) error {
	return deliver(ctx, batch, s.take)
}

func (s settings) take(r *topics.Record[*topics.Setting]) error {
	if r.Value == nil {
		return errEmpty
	}
	if len(r.Raw) == 0 && r.Value.GetKind() == nil {
		return nil // a tombstone
	}
	if object := r.Value.GetObject(); object == "" || topics.Key(object) != r.Key {
		return errForeign
	}
	switch k := r.Value.GetKind().(type) {
	case *topics.Setting_Patient:
		if k.Patient.GetPatient() == "" {
			return errKeyless
		}
		s.ward.fold(topics.Key(k.Patient.GetPatient()), func(p *patient) {
			if newer(r.Value.GetVersion(), &p.version) {
				p.settled(k.Patient, r.Value.GetTimeUs())
			}
		})
	case *topics.Setting_Device:
		if k.Device.GetDevice() == "" {
			return errKeyless
		}
		s.ward.bind(k.Device, r.Value.GetVersion())
	case *topics.Setting_Limits:
		if key, ok := strings.CutPrefix(r.Value.GetObject(), "limits/"); ok && key != "" {
			s.ward.fold(topics.Key(key), func(p *patient) { p.limit(k.Limits) })
		}
	case *topics.Setting_Layer, *topics.Setting_Profile, *topics.Setting_Bounds:
		return s.relayer(r)
	case *topics.Setting_Account:
		s.ward.enroll(k.Account, r.Value.GetVersion())
	case *topics.Setting_Outcome:
		s.asks.tell(k.Outcome.GetRequest(), k.Outcome)
	}
	return nil
}

func (s settings) relayer(r *topics.Record[*topics.Setting]) error {
	raw := r.Raw
	if raw == nil {
		b, err := topics.Settings.Append(nil, r.Value)
		if err != nil {
			return err
		}
		raw = b
	}
	s.ward.relayer(r.Value, raw)
	return nil
}

// newer reports whether a version of settings is to be folded, and notes it.
// Versions only rise, so a repeat has one that was seen; 0 is no version.
func newer(version uint64, seen *uint64) bool {
	if version != 0 && version <= *seen {
		return false
	}
	*seen = version
	return true
}

// holder is whose a device is, by which version of settings.
type holder struct {
	patient topics.Key // empty: nobody's
	version uint64
}

// bind gives a device to the patient of its open binding, and takes it from another.
func (w *ward) bind(d *topics.Device, version uint64) {
	var now topics.Key
	for _, b := range d.GetBindings() {
		if b.GetUntilUs() == 0 {
			now = topics.Key(b.GetPatient())
		}
	}
	w.mu.Lock()
	h := w.devices[d.GetDevice()]
	before := h.patient
	if newer(version, &h.version) {
		h.patient = now
		w.devices[d.GetDevice()] = h
	} else {
		now = before
	}
	w.mu.Unlock()
	if before == now {
		return
	}
	if before != "" {
		w.fold(before, func(p *patient) { p.bound(d.GetDevice(), false) })
	}
	if now != "" {
		w.fold(now, func(p *patient) { p.bound(d.GetDevice(), true) })
	}
}
