package patch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Ward is patients with patches.
type Ward struct {
	conf    Config
	scripts []Script
	log     *slog.Logger

	sent, connects atomic.Int64
	fates          [4]atomic.Int64
	warned         atomic.Bool
	write          func(Entry)
	writeFailed    func() error
}

// Stats count what a Ward has done since Run began.
type Stats struct {
	Messages  int64 // written to the broker, of every kind, without repeats after a lost connection
	Delivered int64 // frames; see Fate
	Lost      int64
	Dropped   int64
	Unknown   int64
	Connects  int64 // connections made
}

// New checks the configuration and does no I/O.
func New(conf Config, log *slog.Logger) (*Ward, error) {
	if err := conf.Validate(); err != nil {
		return nil, err
	}
	w := &Ward{conf: conf, log: log}
	for _, text := range conf.Scripts {
		s, err := Parse(text)
		if err != nil {
			return nil, err
		}
		w.scripts = append(w.scripts, s)
	}
	return w, nil
}

// Run lets the patches send until ctx ends or their sources do, and returns
// nil after they have said goodbye. A broker that is away is waited for. A
// record, a ledger or a boot counter that cannot be opened is an error.
func (w *Ward) Run(ctx context.Context) (err error) {
	broker, err := w.conf.open()
	if err != nil {
		return err
	}
	if w.conf.Ledger != "" {
		f, err := os.OpenFile(w.conf.Ledger, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open the ledger: %w", err)
		}
		defer f.Close()
		w.write, w.writeFailed = LedgerWriter(f)
	}
	links, err := w.links(broker)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range links {
		group.Go(func() error { return l.run(ctx) })
	}
	err = group.Wait()
	if w.writeFailed != nil {
		err = errors.Join(err, w.writeFailed())
	}
	return err
}

// Stats can be asked at any time.
func (w *Ward) Stats() Stats {
	return Stats{
		Messages: w.sent.Load(), Connects: w.connects.Load(),
		Delivered: w.fates[0].Load(), Lost: w.fates[1].Load(), Dropped: w.fates[2].Load(), Unknown: w.fates[3].Load(),
	}
}

// links makes the devices and deals them out to the connections.
func (w *Ward) links(b *broker) ([]*link, error) {
	devices, err := w.devices()
	if err != nil {
		return nil, err
	}
	n := w.conf.Connections
	if n == 0 {
		n = len(devices)
	}
	links := make([]*link, n)
	for i, d := range devices {
		if i < n {
			links[i] = &link{conf: &w.conf, broker: b, id: w.conf.Site + "-" + d.name, ward: w, luck: newChance(w.conf.Seed<<20+uint64(i), "link")}
		}
		links[i%n].devices = append(links[i%n].devices, d)
	}
	for _, l := range links {
		// As the protocol asks of a patch: enough for 5 s of frames at 250 ms.
		l.window = min(20*len(l.devices), 4096)
		l.limit = int(w.conf.Backlog/w.conf.Frame) * len(l.devices)
		slices.SortStableFunc(l.devices, func(a, b *device) int { return a.due.Compare(b.due) })
	}
	return links, nil
}

// devices makes each patient and patch. Their frames are complete at
// different moments, as those of real patches are.
func (w *Ward) devices() ([]*device, error) {
	boots := w.conf.Boot
	switch {
	case boots != nil:
	case w.conf.StateDir != "":
		boots = BootDir(w.conf.StateDir)
	default:
		boots = bootClock(time.Now)
	}
	var one sync.Mutex // patches reboot when they like
	boot := func(device string) (uint64, error) {
		one.Lock()
		defer one.Unlock()
		return boots(device)
	}
	recordings, err := w.recordings()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	devices := make([]*device, w.conf.Patients)
	for i := range devices {
		source, err := w.source(i, recordings)
		if err != nil {
			return nil, err
		}
		if w.conf.For > 0 {
			source = &limited{source, uint64(w.conf.For.Seconds() * source.Rate())}
		}
		phase := w.conf.Frame.Seconds() / w.conf.Speed * float64(i) / float64(len(devices))
		if devices[i], err = newDevice(&w.conf, i, source, boot, begin.Add(time.Duration(phase*1e9))); err != nil {
			return nil, err
		}
	}
	return devices, nil
}

func (w *Ward) recordings() ([]*Recording, error) {
	var all []*Recording
	for _, path := range w.conf.Records[:min(len(w.conf.Records), w.conf.Patients)] {
		r, err := OpenRecording(path, w.conf.RecordLeads...)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (w *Ward) source(i int, recordings []*Recording) (Source, error) {
	if len(recordings) > 0 {
		return recordings[i%len(recordings)].Play(w.conf.Skip, w.conf.Loop)
	}
	return NewSynth(w.conf.synth(w.scripts[i%len(w.scripts)], i))
}

var fateIndex = []Fate{Delivered, Lost, Dropped, Unknown}

// told counts a frame's fate and passes it on.
func (w *Ward) told(e Entry) {
	w.fates[slices.Index(fateIndex, e.Fate)].Add(1)
	if w.write != nil {
		w.write(e)
	}
	if w.conf.Entries != nil {
		w.conf.Entries(e)
	}
}

// away says once that the broker is, however many patches find out.
func (w *Ward) away(l *link, cause error) {
	if cause != nil && w.warned.CompareAndSwap(false, true) {
		w.log.Warn("no MQTT broker, patches keep their data and try again", "broker", l.broker.addr, "reason", cause.Error())
	}
}

// back says once that the broker answers again.
func (w *Ward) back(l *link) {
	w.connects.Add(1)
	if w.warned.CompareAndSwap(true, false) {
		w.log.Info("the MQTT broker answers again", "broker", l.broker.addr)
	}
}
