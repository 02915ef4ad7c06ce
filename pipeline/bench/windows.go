// Package bench is the work by which the engine is measured, and its
// measuring from the side of the log. Every topic of a bench's site carries
// Frames, whatever its name: what is measured is the engine, not a stage.
package bench

import (
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/pipeline"
	"heartwire/stages"
	"heartwire/topics"
)

// Window is the length of the windows that the stage Windows says.
const Window = 10 * time.Second

// Windows is the stage that says, for each key and window of sample time, how
// many records there were and how long they were under way: count, sum, least
// and most. A window is said once, with the first record or tick behind its end.
// Of a record it reads the two times, as they stand in the bytes; with whole,
// all of it is decoded, as the stages of a site do. ballast is how many bytes
// more a key's state has: one of beats has 6,000.
func Windows(whole bool, ballast int) pipeline.Node {
	if whole {
		return pipeline.Stage(stages.Stage[Aggregate, *topics.Frame, *topics.Frame]{
			Name: "windows-whole", Version: 1, Processor: windows[*topics.Frame]{ballast, func(f *topics.Frame) (timeUs, arrivalUs int64, ok bool) {
				s := f.GetSamples()
				return s.GetTimeUs(), s.GetArrivalUs(), s != nil
			}},
		}, topics.Frames, topics.RhythmCheckpoints, Out(2))
	}
	return pipeline.Stage(stages.Stage[Aggregate, times, *topics.Frame]{
		Name: "windows", Version: 1, Processor: windows[times]{ballast, func(t times) (timeUs, arrivalUs int64, ok bool) {
			return t.timeUs, t.arrivalUs, t.samples
		}},
	}, timed(), topics.BeatsCheckpoints, Out(1))
}

// Out is the topic that the n-th of a bench's stages writes, counted from 1.
func Out(n int) topics.Topic[*topics.Frame] {
	t := topics.Frames
	t.Name = []string{topics.Frames.Name, topics.Annotations.Name, topics.Charts.Name, topics.Alarms.Name}[n]
	return t
}

// Aggregate is the state of Windows.
type Aggregate struct {
	key           string
	begin         int64 // of the window, µs
	n             uint64
	sum, min, max int64 // µs
	ballast       []byte
}

func (a *Aggregate) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.String(a.key)
	e.Int(a.begin)
	e.Uint(a.n)
	e.Int(a.sum)
	e.Int(a.min)
	e.Int(a.max)
	e.Bytes(a.ballast)
	return e.B, nil
}

func (a *Aggregate) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	*a = Aggregate{key: d.String(), begin: d.Int(), n: d.Uint(), sum: d.Int(), min: d.Int(), max: d.Int(), ballast: d.Bytes()}
	return d.Err()
}

type windows[In any] struct {
	ballast int
	times   func(In) (timeUs, arrivalUs int64, ok bool)
}

func (w windows[In]) Process(a *Aggregate, r topics.Record[In], emit func(*topics.Frame)) error {
	timeUs, arrivalUs, ok := w.times(r.Value)
	if !ok {
		return nil
	}
	if a.ballast == nil {
		a.key, a.ballast = string(r.Key), make([]byte, w.ballast)
	}
	begin := timeUs - timeUs%Window.Microseconds()
	switch {
	case a.n > 0 && begin < a.begin:
		return nil // late; there are none
	case begin > a.begin:
		a.end(emit)
		a.begin = begin
	}
	delay := arrivalUs - timeUs
	if a.n == 0 || delay < a.min {
		a.min = delay
	}
	if a.n == 0 || delay > a.max {
		a.max = delay
	}
	a.n++
	a.sum += delay
	return nil
}

func (windows[In]) Advance(a *Aggregate, t *topics.Tick, emit func(*topics.Frame)) error {
	if t.GetWallUs() >= a.begin+Window.Microseconds() {
		a.end(emit)
	}
	return nil
}

// end says the window, if anything was in it.
func (a *Aggregate) end(emit func(*topics.Frame)) {
	if a.n == 0 {
		return
	}
	emit(&topics.Frame{Patient: a.key, Kind: &topics.Frame_Samples{Samples: &topics.Samples{
		First: a.n, TimeUs: a.begin, ArrivalUs: a.sum, DeviceTimeUs: a.min, Boot: uint64(a.max),
	}}})
	a.n, a.sum, a.min, a.max = 0, 0, 0, 0
}

// Relay is the n-th of a chain of stages, counted from 1, that say each record
// again: what is measured by it is the way. ballast is how many bytes a key's
// state has beside its count.
func Relay(n, ballast int) pipeline.Node {
	return pipeline.Stage(stages.Stage[Count, *topics.Frame, *topics.Frame]{Name: RelayName(n), Version: 1, Processor: relay{ballast}},
		Out(n-1), []topics.Checkpoints{topics.BeatsCheckpoints, topics.RhythmCheckpoints, topics.AlarmsCheckpoints}[n-1], Out(n))
}

// RelayName is the name of the n-th relay.
func RelayName(n int) string { return "relay-" + strconv.Itoa(n) }

// Count is the state of a relay.
type Count struct {
	n       uint64
	ballast []byte
}

func (c *Count) AppendBinary(b []byte) ([]byte, error) {
	e := stages.Encoder{B: b}
	e.Uint(c.n)
	e.Bytes(c.ballast)
	return e.B, nil
}

func (c *Count) UnmarshalBinary(b []byte) error {
	d := stages.NewDecoder(b)
	*c = Count{n: d.Uint(), ballast: d.Bytes()}
	return d.Err()
}

type relay struct{ ballast int }

func (r relay) Process(c *Count, rec topics.Record[*topics.Frame], emit func(*topics.Frame)) error {
	if c.ballast == nil {
		c.ballast = make([]byte, r.ballast)
	}
	c.n++
	emit(proto.CloneOf(rec.Value))
	return nil
}

func (relay) Advance(*Count, *topics.Tick, func(*topics.Frame)) error { return nil }
