// Package bench loads a gateway, or another server that fans messages out over
// WebSocket, and measures what a client of it sees. The clients are a process of
// their own (Read), so that what the server's process uses is the server's alone.
package bench

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Load is who watches what.
type Load struct {
	Clients  int
	Patients int
	Watchers int // clients that watch each patient
	Size     int // bytes of a frame, about
}

// Patient is the key of the i-th patient.
func Patient(i int) string { return fmt.Sprintf("bench-%04d", i) }

// Of are the patients that a client watches: all pairs of a patient and a
// watcher are dealt to the clients in turn.
func (l Load) Of(client int) (patients []string) {
	for pair := client; pair < l.Patients*l.Watchers; pair += l.Clients {
		p := Patient(pair / l.Watchers)
		if n := len(patients); n == 0 || patients[n-1] != p {
			patients = append(patients, p)
		}
	}
	return patients
}

// Validate tells what of a Load cannot be.
func (l Load) Validate() error {
	switch {
	case l.Clients < 1 || l.Patients < 1 || l.Watchers < 1:
		return fmt.Errorf("%d clients, %d patients and %d watchers: want at least one of each", l.Clients, l.Patients, l.Watchers)
	case l.Watchers > l.Clients:
		return fmt.Errorf("%d watchers of a patient are more than the %d clients", l.Watchers, l.Clients)
	case l.Size < 100 || l.Size > 60_000:
		return fmt.Errorf("a frame of %d bytes: want 100 to 60000", l.Size)
	}
	return nil
}

const (
	rate   = 250 // Hz
	second = 1_000_000
)

// Frames makes the patients' frames, one after the other.
type Frames struct {
	of     []*topics.Samples
	values []*topics.Frame
	next   int
}

// NewFrames makes frames of two leads for the patients of l; the first is of time from.
func NewFrames(l Load, from time.Time) *Frames {
	deltas := make([]int32, max((l.Size-60)/4, 4)) // two leads of deltas of two bytes
	for n := range deltas {
		deltas[n] = int32(n*37%300 - 150)
	}
	f := &Frames{}
	for i := range l.Patients {
		s := &topics.Samples{
			Device: Patient(i), Boot: 1, Rate: rate, Count: uint32(len(deltas)), TimeUs: from.UnixMicro(),
			Leads: []*topics.Lead{{Name: "I", MicrovoltsPerCount: 5, Deltas: deltas}, {Name: "II", MicrovoltsPerCount: 5, Deltas: deltas}},
		}
		f.of = append(f.of, s)
		f.values = append(f.values, &topics.Frame{Patient: Patient(i), Kind: &topics.Frame_Samples{Samples: s}})
	}
	return f
}

// Lasts is how long a frame is.
func (f *Frames) Lasts() time.Duration { return time.Duration(f.of[0].Count) * time.Second / rate }

// Next is the next frame, of the patients in turn, as the log has it; now is told
// to whoever measures how old it is on arrival.
func (f *Frames) Next(now time.Time) (topics.Record[*topics.Frame], error) {
	i := f.next % len(f.of)
	f.next++
	s := f.of[i]
	s.ArrivalUs = now.UnixMicro()
	raw, err := topics.Frames.Append(nil, f.values[i])
	if err != nil {
		return topics.Record[*topics.Frame]{}, err
	}
	r := topics.Record[*topics.Frame]{
		Key: topics.Key(f.values[i].Patient), Origin: topics.Origin{Source: s.Device, Epoch: 1, Offset: int64(s.First)},
		Offset: int64(f.next), Value: proto.CloneOf(f.values[i]), Raw: raw, // a sink may keep it
	}
	s.First += uint64(s.Count)
	s.TimeUs += int64(s.Count) * second / rate
	return r, nil
}

// Pace gives frames to deliver for a time: so many a second, or with 0 as many as
// the clients take. It returns how many frames that were.
func (c *Clients) Pace(ctx context.Context, frames *Frames, perSecond float64, lasts time.Duration, deliver func([]topics.Record[*topics.Frame]) error) (n int, err error) {
	const most = 64 // a batch, as a poll of the log gives
	from := c.Received()
	began := time.Now()
	for time.Since(began) < lasts && ctx.Err() == nil {
		due := most
		if perSecond > 0 {
			due = min(int(time.Since(began).Seconds()*perSecond)-n, most)
		} else if waits := int64(n)*int64(c.load.Watchers) - (c.Received() - from); waits > int64(c.load.Clients)*32 {
			due = 0 // not faster than they read
		}
		if due <= 0 {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		batch := make([]topics.Record[*topics.Frame], due)
		now := time.Now()
		for i := range batch {
			if batch[i], err = frames.Next(now); err != nil {
				return n, err
			}
		}
		if err := deliver(batch); err != nil {
			return n, err
		}
		n += due
	}
	return n, ctx.Err()
}
