//go:build real

package clinical

import (
	"cmp"
	"encoding/csv"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heartwire/pipeline/driver"
	"heartwire/stages/alarms"
	"heartwire/stages/beats"
	"heartwire/stages/ec57"
	"heartwire/stages/rhythm"
	"heartwire/test/real"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// start is a sample time for recordings that have none.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// pass is one recording and what the stages said of it, as heartwire annotate
// would have written it.
type pass struct {
	folder, name string
	path         string
	rate         float64
	length       int64 // samples

	ref, test []wfdb.Annotation // test: beats and rhythms together
	onsets    []float64         // s, of alarms vt
	spells    []spell           // VT, VF and flutter, in the order in which they were said
	raised    []raised          // alarms, in that order
	blind     []float64         // s, the seconds in which nothing could be analysed
	truth     bool              // of cinc2015vt: its alarm is true
	err       error
}

func (p *pass) options(from time.Duration) ec57.Options {
	o := ec57.FromStart(p.rate, int(p.length))
	o.Start = int64(from.Seconds() * p.rate)
	return o
}

// Each set of recordings is folded once, whichever tests look at it.
var sets = struct {
	mitdb, mitdbAll, motion, motionAll, drowned, vfdb, afdb, alarms func(t testing.TB) []*pass
}{
	mitdb:     once("mitdb", func(p *pass) { p.fold(0) }),
	mitdbAll:  once("mitdb", func(p *pass) { p.fold() }),
	motion:    once("mitdb", func(p *pass) { p.foldWithMotion(12) }, "118", "119"),
	motionAll: once("mitdb", func(p *pass) { p.foldWithMotion(12) }),
	drowned:   once("mitdb", func(p *pass) { p.foldWithMotion(-6) }, "118", "119"),
	vfdb:      once("vfdb", func(p *pass) { p.fold() }),
	afdb:      once("afdb", (*pass).foldGiven),
	alarms:    once("cinc2015vt", func(p *pass) { p.fold() }),
}

func once(folder string, do func(*pass), only ...string) func(testing.TB) []*pass {
	var mu sync.Mutex
	var done []*pass
	return func(t testing.TB) []*pass {
		t.Helper()
		data := real.Data(t)
		mu.Lock()
		defer mu.Unlock()
		if done == nil {
			done = all(filepath.Join(data, folder), do, only)
		}
		for _, p := range done {
			if p.err != nil {
				t.Errorf("%s %s: %v", folder, p.name, p.err)
			}
		}
		if len(done) == 0 || t.Failed() {
			t.Fatalf("the recordings in %s could not be folded", folder)
		}
		return done
	}
}

// all does recordings side by side.
func all(folder string, do func(*pass), only []string) []*pass {
	paths, _ := filepath.Glob(filepath.Join(folder, "*.hea"))
	var list []*pass
	var running sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	truths := truths(folder)
	for _, path := range paths {
		p := &pass{folder: filepath.Base(folder), path: strings.TrimSuffix(path, ".hea")}
		p.name = filepath.Base(p.path)
		if only != nil && !slices.Contains(only, p.name) {
			continue
		}
		p.truth = truths[p.name]
		list = append(list, p)
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			p.ref, p.err = wfdb.ReadAnnotations(p.path + ".atr")
			if errors.Is(p.err, fs.ErrNotExist) {
				p.err = nil
			}
			if p.err == nil {
				do(p)
			}
		})
	}
	running.Wait()
	return list
}

// truths are the alarms that are true; none where there is no list of them.
func truths(folder string) map[string]bool {
	f, err := os.Open(filepath.Join(folder, "alarms.csv"))
	if err != nil {
		return nil
	}
	defer f.Close()
	lines, _ := csv.NewReader(f).ReadAll()
	is := make(map[string]bool)
	for _, l := range lines {
		is[l[0]] = l[1] == "1"
	}
	return is
}

// fold runs the stages over the leads with these numbers; none: all.
func (p *pass) fold(leads ...int) {
	p.foldFrames(func(f *topics.Frame) {}, leads...)
}

// foldFrames lets change look at each frame first.
func (p *pass) foldFrames(change func(*topics.Frame), leads ...int) {
	r, err := wfdb.Open(p.path)
	if err != nil {
		p.err = err
		return
	}
	o := wfdb.FrameOptions{Patient: "p", Device: "recorder", Boot: 1, Start: start, Lost: int(r.Rate)}
	for _, l := range leads {
		o.Leads = append(o.Leads, r.Leads()[l])
	}
	log := driver.Tap(driver.Ticks(r.Frames(o), 3*time.Second), func(f *topics.Frame) {
		if f.GetSamples() != nil {
			change(f)
		}
	})
	p.watch(r, int64(r.Length), driver.Fold(beats.New(beats.DefaultConfig()), topics.Frames, topics.Annotations, log))
}

// foldGiven starts from the beats that are there.
func (p *pass) foldGiven() {
	r, err := wfdb.Open(p.path)
	if err != nil {
		p.err = err
		return
	}
	list, err := wfdb.ReadAnnotations(p.path + ".qrsc")
	if errors.Is(err, fs.ErrNotExist) {
		list, err = wfdb.ReadAnnotations(p.path + ".qrs")
	}
	if err != nil || len(list) == 0 {
		p.err = cmp.Or(err, errors.New("no beats"))
		return
	}
	g := wfdb.Given{Patient: "p", Device: "recorder", Boot: 1, Start: start, Rate: r.Rate, Length: list[len(list)-1].Sample + 1}
	p.watch(r, g.Length, driver.TicksAt(topics.Annotations, g.Arrived, g.Annotations(list), 3*time.Second))
}

// watch runs the stages after beats, and keeps what was said.
func (p *pass) watch(r *wfdb.Record, length int64, said iter.Seq2[topics.Record[*topics.Annotation], error]) {
	p.rate, p.length = r.Rate, length
	tr := &wfdb.Transcript{Rate: r.Rate, Start: start, Length: length}
	log := driver.Fold(alarms.Stage(), topics.Charts, topics.Alarms,
		driver.Tap(driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts,
			driver.Tap(said, tr.Annotation)), func(c *topics.Chart) { tr.Chart(c); p.spell(c); p.watched(c) }))
	for r, err := range log {
		if err != nil {
			p.err = err
			return
		}
		tr.Alarm(r.Value)
		p.alarm(r.Value.GetState(), r.Value.GetTimeUs())
		if a := r.Value.GetState(); a.GetRule() == "vt" && a.GetVersion() == 1 {
			p.onsets = append(p.onsets, float64(a.GetOnsetUs()-start.UnixMicro())/1e6)
		}
	}
	p.test = slices.Concat(tr.Beats(), tr.Rhythms())
	slices.SortStableFunc(p.test, func(a, b wfdb.Annotation) int { return cmp.Compare(a.Sample, b.Sample) })
}

// An alarm of the PhysioNet Challenge 2015 sounded at 5:00; one of ours with
// its onset in the 16 s before keeps it.
const alarmFrom, alarmTo = 284.0, 300.0 // s

func (p *pass) kept() bool {
	return slices.ContainsFunc(p.onsets, func(s float64) bool { return s >= alarmFrom && s <= alarmTo })
}
