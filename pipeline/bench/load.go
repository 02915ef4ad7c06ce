package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// Load is what a bench writes: each key has a record each 250 ms of sample
// time, and each partition a tick a second.
type Load struct {
	Keys   int
	Rounds int // records of each key
	Size   int // bytes of a record's value
}

// perSecond is how many records a second a key has.
const perSecond = 4

// begin is the sample time of the first record: on a window's edge.
var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Fill writes the load as fast as it goes, and then a tick behind the last window's end.
func (l Load) Fill(ctx context.Context, conf kafka.Config, log *slog.Logger) error {
	w, err := newWriter(ctx, conf, log)
	if err != nil {
		return err
	}
	defer w.cl.Close()
	keys, pad := l.keys(), l.pad()
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range l.Rounds {
		at := begin.Add(time.Duration(round) * time.Second / perSecond)
		if round%perSecond == 0 {
			w.ticks(uint64(round/perSecond+1), at)
		}
		for _, key := range keys {
			w.frame(key, round, at, at.Add(time.Duration(rnd.IntN(1e6))*time.Microsecond), pad)
		}
		if err := w.failed(); err != nil {
			return err
		}
	}
	seconds := (l.Rounds + perSecond - 1) / perSecond
	w.ticks(uint64(seconds+1), begin.Add(time.Duration(seconds)*time.Second+2*Window))
	if err := w.cl.Flush(ctx); err != nil {
		return err
	}
	return w.failed()
}

// Play writes the load at its own pace until ctx ends: each key's records in
// the same order, evenly over each 250 ms, with the time of writing as arrival.
func (l Load) Play(ctx context.Context, conf kafka.Config, log *slog.Logger) error {
	w, err := newWriter(ctx, conf, log)
	if err != nil {
		return err
	}
	defer w.cl.Close()
	keys, pad := l.keys(), l.pad()
	began := time.Now()
	each := time.Second / perSecond / time.Duration(len(keys))
	for round := 0; ; round++ {
		if round%perSecond == 0 {
			w.ticks(uint64(round/perSecond+1), time.Now())
		}
		for i, key := range keys {
			due := began.Add(time.Duration(round)*time.Second/perSecond + time.Duration(i)*each)
			// The timer of a busy machine is late by a millisecond or so: what is due is written at once.
			if wait := time.Until(due); wait > time.Millisecond {
				time.Sleep(wait)
			}
			now := time.Now()
			w.frame(key, round, due, now, pad)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := w.failed(); err != nil {
			return err
		}
	}
}

// keys are pseudonyms, in no order.
func (l Load) keys() []string {
	rnd := rand.New(rand.NewPCG(3, 4))
	keys := make([]string, l.Keys)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x", rnd.Uint64())
	}
	return keys
}

// pad fills a record up to its size: a bitmap of missing samples, one field
// of bytes, so that it is the engine that is measured and not the decoding of samples.
func (l Load) pad() []byte {
	f := frame("0123456789abcdef", 1000, begin, begin.Add(time.Second), nil)
	pad := make([]byte, max(l.Size-proto.Size(f)-6, 0)) // a field's tag and length, and those of the field around it that grow
	for i := range pad {
		pad[i] = byte(i * 7)
	}
	return pad
}

func frame(key string, n int, at, arrival time.Time, pad []byte) *topics.Frame {
	return &topics.Frame{Patient: key, Kind: &topics.Frame_Samples{Samples: &topics.Samples{
		Device: key[:8], Boot: 1, First: uint64(n), Rate: 250, Count: 62,
		TimeUs: at.UnixMicro(), ArrivalUs: arrival.UnixMicro(), Missing: pad,
	}}}
}

type writer struct {
	ctx  context.Context
	cl   *kgo.Client
	conf kafka.Config
	err  atomic.Pointer[error]
}

func newWriter(ctx context.Context, conf kafka.Config, log *slog.Logger) (*writer, error) {
	cl, err := conf.NewClient(log)
	if err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, cl: cl, conf: conf}, nil
}

func (w *writer) write(f *topics.Frame, p int32) {
	r, err := kafka.Encode(w.conf.Site, topics.Frames, w.conf.Partitions, f, topics.Origin{Source: f.GetSamples().GetDevice(), Epoch: 1, Offset: int64(f.GetSamples().GetFirst())})
	if err != nil {
		w.note(nil, err)
		return
	}
	if p >= 0 {
		r.Partition = p
	}
	w.cl.Produce(w.ctx, r, w.note)
}

func (w *writer) note(_ *kgo.Record, err error) {
	if err != nil && w.ctx.Err() == nil {
		w.err.CompareAndSwap(nil, &err)
	}
}

func (w *writer) frame(key string, n int, at, arrival time.Time, pad []byte) {
	w.write(frame(key, n, at, arrival, pad), -1)
}

func (w *writer) ticks(n uint64, at time.Time) {
	for p := range w.conf.Partitions {
		w.write(topics.Frames.Wrap(&topics.Tick{N: n, Owner: 1, ElapsedUs: time.Second.Microseconds(), WallUs: at.UnixMicro()}), p)
	}
}

func (w *writer) failed() error {
	if err := w.err.Load(); err != nil {
		return fmt.Errorf("write the load: %w", *err)
	}
	return nil
}
