package gateway

import (
	"math"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// patient is what the gateway remembers of one key, and who listens to it.
// Records are folded and handed to the listeners under one lock, and a
// Snapshot is taken under the same: so there is no hole between the two.
type patient struct {
	key topics.Key

	mu   sync.Mutex
	gone bool         // forgotten by the ward: look it up again
	subs []subscriber // who is told

	bed        *Bed   // replaced, never changed, when anything in it changes
	registered bool   // settings know it
	version    uint64 // of settings, that said so last
	known      bool   // there is something to show
	left       bool   // discharged, or an unassigned key whose device was bound
	leftAt     int64  // sample time at which it was left
	leftWall   time.Time
	boundAt    int64    // the newest binding's
	devices    []string // bound to it, oldest first

	newest        int64 // sample time of the newest sample or annotation; UTC µs
	frames        window
	annotations   window
	charts        window // origins alone
	second        *message
	vitals        []vital
	limits        []byte // Limits as they stand in chart or settings
	limitsVersion uint64
	alarms        []openAlarm
	ended         []openAlarm // the last few, so that a repeat cannot open them again
	pause         silence     // of all alarms
	standby       silence
	silences      window // origins alone
}

type subscriber struct {
	c     *client
	wants topicSet
	named bool
}

// vital is the newest of one kind of measurement.
type vital struct {
	loinc string
	m     *message
}

type openAlarm struct {
	id      string
	version uint32
	m       *message
}

const (
	// unassignedPrefix begins the key of a device that is bound to nobody.
	unassignedPrefix = "u-"

	// A frame that was on its way when its device was bound may still come
	// under the key that was left. Samples this much newer than the binding
	// are no stragglers: a patient is never hidden while data come.
	stragglers = 10 * time.Second

	chartOrigins = 64 // a minute of Seconds
	endedAlarms  = 32
	saidSilences = 32
)

func newPatient(key topics.Key, patientBytes int) *patient {
	return &patient{
		key:         key,
		bed:         &Bed{Patient: string(key), Unassigned: strings.HasPrefix(string(key), unassignedPrefix)},
		frames:      window{maxBytes: patientBytes},
		annotations: window{maxBytes: patientBytes},
		charts:      window{maxItems: chartOrigins},
		silences:    window{maxItems: saidSilences},
	}
}

// tell hands a message to whoever wants its topic, and reports whether anybody does.
func (p *patient) tell(m *message, t topicSet) (told bool) {
	for i := range p.subs {
		if p.subs[i].wants&t != 0 {
			p.subs[i].c.push(m)
			told = true
		}
	}
	return told
}

// change replaces the bed and tells of it when it differs.
func (p *patient) change(f func(*Bed)) {
	b := proto.CloneOf(p.bed)
	f(b)
	if proto.Equal(b, p.bed) {
		return
	}
	p.bed = b
	m := say(kindBed, &ServerMessage{Kind: &ServerMessage_Bed{Bed: b}})
	m.patient = p.key
	for _, s := range p.subs {
		if s.c.sees(p.unit()) { // else it is about to be told that the patient has left its sight
			s.c.push(m)
		}
	}
}

// leave ends a key: it is discharged, or its device was bound to a patient.
// Open alarms stay until the alarms stage ends them.
func (p *patient) leave(at int64) {
	if p.left {
		return
	}
	p.left, p.known, p.leftAt, p.leftWall = true, false, at, time.Now()
	p.frames.clear()
	p.annotations.clear()
	p.second, p.vitals = nil, nil
	p.change(func(b *Bed) { b.Discharged = true })
}

// enter takes a leave back.
func (p *patient) enter() {
	if p.left {
		p.left = false
		p.change(func(b *Bed) { b.Discharged = false })
	}
}

// binding folds a binding, which comes by frames, annotations and chart alike;
// the newest decides.
func (p *patient) binding(b *topics.Binding) {
	if b.GetAtUs() < p.boundAt {
		return
	}
	p.boundAt = b.GetAtUs()
	if !p.registered {
		p.change(func(bed *Bed) { bed.Paced = b.GetPaced() })
	}
	switch {
	case !strings.HasPrefix(string(p.key), unassignedPrefix):
	case b.GetBound():
		p.enter()
	default:
		p.leave(b.GetAtUs())
	}
}

// settled folds what the registry says of the patient.
func (p *patient) settled(s *topics.Patient, at int64) {
	p.registered = true
	if s.GetDischarged() {
		p.leave(at)
	} else {
		p.enter()
		p.remember()
	}
	p.change(func(b *Bed) {
		b.Unit, b.Bed, b.Alias, b.Paced, b.Unassigned = s.GetUnit(), s.GetBed(), s.GetAlias(), s.GetPaced(), false
	})
}

// bound says that a device is, or is no longer, this patient's.
func (p *patient) bound(device string, is bool) {
	kept := p.devices[:0]
	for _, d := range p.devices {
		if d != device {
			kept = append(kept, d)
		}
	}
	if p.devices = kept; is {
		p.devices = append(p.devices, device)
	}
	p.change(func(b *Bed) {
		if b.Device = ""; len(p.devices) > 0 {
			b.Device = p.devices[0]
		}
	})
}

// remember notes that something was said about the patient. One by whose alarms
// the site is tested is nobody to be shown.
func (p *patient) remember() { p.known = p.known || !p.left && !topics.Synthetic(p.key) }

// frame folds a record of frames; false says that it is a repeat.
func (p *patient) frame(o topics.Origin, f *topics.Frame, m *message, span time.Duration) bool {
	switch k := f.GetKind().(type) {
	case *topics.Frame_Samples:
		if p.frames.has(o) {
			return false
		}
		m.worth = waveform
		s := k.Samples
		if p.left && s.GetTimeUs() > p.leftAt+stragglers.Microseconds() {
			p.enter()
		}
		p.remember()
		if p.left {
			break
		}
		if p.bed.GetDevice() == "" {
			p.change(func(b *Bed) { b.Device = s.GetDevice() })
		}
		p.keep(&p.frames, kept{origin: o, end: s.GetTimeUs() + length(s), m: m}, span)
	case *topics.Frame_Binding:
		p.binding(k.Binding)
	default:
		p.remember()
	}
	return true
}

// length is that of a run of samples, in µs. The bridge lets no absurd rate
// pass; whatever comes, the answer is between none and ten minutes.
func length(s *topics.Samples) int64 {
	us := float64(s.GetCount()) / s.GetRate() * 1e6
	if math.IsNaN(us) || us < 0 {
		return 0
	}
	return int64(min(us, 600e6))
}

// annotation folds a record of annotations; false says that it is a repeat.
func (p *patient) annotation(o topics.Origin, a *topics.Annotation, m *message, span time.Duration) bool {
	if p.annotations.has(o) {
		return false
	}
	m.worth = event
	if b := a.GetBinding(); b != nil {
		m.worth = essential
		p.binding(b)
		return true
	}
	if p.remember(); p.left {
		return true
	}
	at := a.GetTimeUs()
	if at == 0 { // not of a sample, such as presence: it is true now
		at = p.newest
	}
	p.keep(&p.annotations, kept{origin: o, end: at, m: m}, span)
	return true
}

// keep remembers what lies in the window of sample time, late or not.
func (p *patient) keep(w *window, k kept, span time.Duration) {
	p.newest = max(p.newest, k.end)
	oldest := p.newest - span.Microseconds()
	if k.end >= oldest {
		w.add(k)
	}
	p.frames.trim(oldest)
	p.annotations.trim(oldest)
}

// chart folds a record of chart; false says that it is a repeat.
func (p *patient) chart(o topics.Origin, c *topics.Chart, m *message) bool {
	if p.charts.has(o) {
		return false
	}
	p.charts.add(kept{origin: o})
	p.charts.trim(math.MinInt64)
	switch k := c.GetKind().(type) {
	case *topics.Chart_Second:
		m.worth = number
		if p.remember(); !p.left {
			p.second = m
		}
	case *topics.Chart_Vital:
		m.worth = number
		if p.remember(); !p.left {
			p.vital(k.Vital.GetLoinc(), m)
		}
	case *topics.Chart_Limits:
		p.limit(k.Limits)
	case *topics.Chart_Binding:
		p.binding(k.Binding)
	}
	return true
}

func (p *patient) vital(loinc string, m *message) {
	for i := range p.vitals {
		if p.vitals[i].loinc == loinc {
			p.vitals[i].m = m
			return
		}
	}
	const most = 64 // kinds of measurement
	if len(p.vitals) < most {
		p.vitals = append(p.vitals, vital{loinc, m})
	}
}

// limit takes the limits in force, by chart or by settings: the newer decide.
func (p *patient) limit(l *topics.Limits) {
	if p.limits != nil && l.GetVersion() < p.limitsVersion {
		return
	}
	b, err := proto.Marshal(l)
	if err != nil {
		return // it was decoded, so it can be encoded
	}
	p.limits, p.limitsVersion = b, l.GetVersion()
}

// alarm folds a change of an alarm; false says that it is a repeat, or that
// nothing new is restated.
func (p *patient) alarm(s *topics.AlarmState, m *message) bool {
	if s.GetId() == "" { // nothing to know it again by: told, not remembered
		return true
	}
	for _, e := range p.ended {
		if e.id == s.GetId() && s.GetVersion() <= e.version {
			return false
		}
	}
	at := -1
	for i, a := range p.alarms {
		if a.id == s.GetId() {
			at = i
		}
	}
	if at >= 0 && s.GetVersion() <= p.alarms[at].version {
		return false
	}
	now := openAlarm{s.GetId(), s.GetVersion(), m}
	switch {
	case s.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED:
		if at >= 0 {
			p.alarms = append(p.alarms[:at], p.alarms[at+1:]...)
		}
		if len(p.ended) == endedAlarms {
			p.ended = append(p.ended[:0], p.ended[1:]...)
		}
		now.m = nil
		p.ended = append(p.ended, now)
		return true
	case at >= 0:
		p.alarms[at] = now
	default:
		p.alarms = append(p.alarms, now)
	}
	p.remember()
	return true
}
