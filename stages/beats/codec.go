package beats

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/stages"
	"heartwire/topics"
)

var marshal = proto.MarshalOptions{Deterministic: true}

// AppendBinary writes the state down.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	e := &stages.Encoder{B: b}
	if err := s.write(e); err != nil {
		return nil, err
	}
	writeReaders(e, s.live)
	writeReaders(e, s.late)
	writeEpisodes(e, s.live)
	writeEpisodes(e, s.late)
	writeSignals(e, s.live)
	writeSignals(e, s.late)
	writeMarks(e, s.live)
	writeMarks(e, s.late)
	writeContexts(e, s.live)
	writeContexts(e, s.late)
	return e.B, nil
}

// write writes what version 2 knew.
func (s *State) write(e *stages.Encoder) error {
	e.String(s.patient)
	e.Bool(s.left)
	e.Bool(s.paced)
	e.Uint(uint64(s.age))
	e.Uint(uint64(len(s.bound)))
	for _, o := range s.bound {
		e.String(o.device)
		e.Int(o.at)
	}
	d := s.device
	e.Int(int64(d.battery))
	e.Bool(d.known)
	e.Int(d.clock)
	e.Int(d.frame)
	e.Bool(d.online)
	e.Bool(d.onlineSaid)
	e.Int(int64(s.silent))
	e.Int(int64(s.lateIdle))
	e.String(s.lateLife.device)
	e.Uint(s.lateLife.boot)
	e.Uint(s.lateNext)
	writeSpans(e, s.gaps)
	writeSpans(e, s.lateDone)
	writeAnalysis(e, s.live)
	writeAnalysis(e, s.late)
	e.Uint(uint64(len(s.held)))
	for _, h := range s.held {
		raw, err := marshal.Marshal(h.samples)
		if err != nil {
			return fmt.Errorf("write a run that is held: %w", err)
		}
		e.Int(int64(h.age))
		e.Bytes(raw)
	}
	e.Bool(s.overtaken)
	return nil
}

// UnmarshalBinary reads what AppendBinary wrote; after an error the state is
// that of a patient never seen.
func (s *State) UnmarshalBinary(b []byte) error {
	*s = State{}
	d := stages.NewDecoder(b)
	n := State{patient: d.String(), left: d.Bool(), paced: d.Bool(), age: topics.AgeGroup(d.Uint())}
	for i := d.Len(2); i > 0; i-- {
		n.bound = append(n.bound, bound{d.String(), d.Int()})
	}
	n.device = deviceState{int32(d.Int()), d.Bool(), d.Int(), d.Int(), d.Bool(), d.Bool()}
	n.silent, n.lateIdle = time.Duration(d.Int()), time.Duration(d.Int())
	n.lateLife, n.lateNext = life{d.String(), d.Uint()}, d.Uint()
	n.gaps, n.lateDone = readSpans(d), readSpans(d)
	n.live, n.late = readAnalysis(d), readAnalysis(d)
	for i := d.Len(2); i > 0; i-- {
		h := held{age: time.Duration(d.Int()), samples: new(topics.Samples)}
		if err := proto.Unmarshal(d.Bytes(), h.samples); err != nil {
			d.Fail("a run that is held: %v", err)
		} else if err := validate(h.samples); err != nil {
			d.Fail("a run that is held: %v", err)
		}
		n.held = append(n.held, h)
	}
	n.overtaken = d.Bool()
	readReaders(d, n.live)
	readReaders(d, n.late)
	readEpisodes(d, n.live)
	readEpisodes(d, n.late)
	readSignals(d, n.live)
	readSignals(d, n.late)
	readMarks(d, n.live)
	readMarks(d, n.late)
	readContexts(d, n.live)
	readContexts(d, n.late)
	if len(n.held) > 0 && n.live == nil {
		d.Fail("runs are held for nothing")
	}
	if err := d.Err(); err != nil {
		return err
	}
	*s = n
	return nil
}

func writeSpans(e *stages.Encoder, list []span) {
	e.Uint(uint64(len(list)))
	for _, s := range list {
		e.Uint(s.from)
		e.Uint(s.to)
	}
}

func readSpans(d *stages.Decoder) (list []span) {
	for i := d.Len(2); i > 0; i-- {
		s := span{d.Uint(), d.Uint()}
		if s.from >= s.to {
			d.Fail("a span from %d to %d", s.from, s.to)
		}
		list = append(list, s)
	}
	return list
}

func writeAnalysis(e *stages.Encoder, a *analysis) {
	e.Bool(a != nil)
	if a == nil {
		return
	}
	e.String(a.device)
	e.Uint(a.boot)
	e.Float(a.rate)
	e.Bool(a.late)
	e.Uint(a.next)
	e.Uint(a.timeFirst)
	e.Int(a.timeUs)
	e.Int(int64(a.better))
	e.Bool(a.inRun)
	e.Uint(a.lastBeat)
	e.Bool(a.hasBeat)
	e.Uint(a.said)
	e.Uint(a.lastAny)
	e.Bool(a.hasAny)
	e.Uint(uint64(len(a.pulses)))
	for _, p := range a.pulses {
		e.Uint(p)
	}
	e.Uint(uint64(len(a.leads)))
	for i := range a.leads {
		writeLead(e, &a.leads[i])
		e.Float32(a.held[i])
	}
	writeTracker(e, &a.chosen)
	writeTracker(e, &a.spare)
}

func readAnalysis(d *stages.Decoder) *analysis {
	if !d.Bool() {
		return nil
	}
	a := &analysis{device: d.String(), boot: d.Uint(), rate: d.Float(), late: d.Bool()}
	if !(a.rate >= minRate && a.rate <= maxRate) {
		d.Fail("a rate of %v", a.rate)
		return nil
	}
	a.next, a.timeFirst, a.timeUs = d.Uint(), d.Uint(), d.Int()
	a.better, a.inRun = int(d.Int()), d.Bool()
	a.lastBeat, a.hasBeat, a.said = d.Uint(), d.Bool(), d.Uint()
	a.lastAny, a.hasAny = d.Uint(), d.Bool()
	for i := d.Len(1); i > 0; i-- {
		a.pulses = append(a.pulses, d.Uint())
	}
	n := d.Len(20)
	if n < 1 || n > maxLeads {
		d.Fail("%d leads", n)
		return nil
	}
	for range n {
		a.leads = append(a.leads, readLead(d))
		a.held = append(a.held, d.Float32())
	}
	a.derive()
	a.chosen, a.spare = readTracker(d, a.kernel, n), readTracker(d, a.kernel, n)
	return a
}

func writeLead(e *stages.Encoder, l *lead) {
	e.String(l.name)
	e.Float(l.gain)
	e.Bool(l.off)
	e.Bool(l.told)
	e.Float(l.said)
	e.Bool(l.usable)
	e.Bool(l.chosen)
	q := &l.quality
	e.Int(int64(q.counts))
	e.Int(int64(q.lag))
	e.Float32(q.last)
	e.Bool(q.has)
	e.Int(int64(q.blocks))
	e.Float(q.index)
	e.Bool(q.flat)
	e.Bool(q.wild)
	for _, b := range []*block{&q.now, &q.old} {
		e.Float32(b.low)
		e.Float32(b.high)
		e.Float32(b.sum)
		e.Float32(b.max)
		e.Int(int64(b.n))
		e.Int(int64(b.clipped))
	}
}

func readLead(d *stages.Decoder) lead {
	l := lead{name: d.String(), gain: d.Float(), off: d.Bool(), told: d.Bool(), said: d.Float(), usable: d.Bool(), chosen: d.Bool()}
	q := &l.quality
	q.counts, q.lag = int(d.Int()), int(d.Int())
	q.last, q.has, q.blocks = d.Float32(), d.Bool(), int(d.Int())
	q.index, q.flat, q.wild = d.Float(), d.Bool(), d.Bool()
	for _, b := range []*block{&q.now, &q.old} {
		*b = block{d.Float32(), d.Float32(), d.Float32(), d.Float32(), int(d.Int()), int(d.Int())}
	}
	return l
}
