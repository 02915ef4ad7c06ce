package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"heartwire/pipeline/driver"
	"heartwire/stages/alarms/compare"
	"heartwire/stages/alarms/lives"
	"heartwire/stages/alarms/trial"
	"heartwire/stages/rhythm"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

const extReference = "atr"

// records tries the rules on the recordings of a folder.
func (b *backtest) records(ctx context.Context, conf *loaded, errOut io.Writer) (*compare.Report, error) {
	names, err := recordings(b.in)
	if err != nil {
		return nil, fmt.Errorf("--in %w", err)
	}
	for _, p := range b.patients {
		if !slices.Contains(names, p) {
			return nil, fmt.Errorf("--patients %s: no such recording in %s", p, b.in)
		}
	}
	if len(b.patients) > 0 {
		names = slices.Sorted(slices.Values(b.patients))
	}
	b.trial.Sweeps = trial.Sweeps(nil)
	all := make([]*tried, len(names))
	var mu sync.Mutex
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		g.Go(func() (err error) {
			if all[i], err = b.record(ctx, conf, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if done++; done%10 == 0 || done == len(names) {
				fmt.Fprintf(errOut, "%d of %d recordings\n", done, len(names))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return b.recordsReport(all), nil
}

// recordsReport adds up what came of the recordings.
func (b *backtest) recordsReport(all []*tried) *compare.Report {
	span := compare.Span{From: recordStart.UnixMicro(), To: recordStart.UnixMicro()}
	variants := make([][]*lives.Life, trial.FirstSweep+len(b.trial.Sweeps))
	beds, judged := map[string]string{}, 0
	var refused []compare.Problem
	for _, t := range all {
		span.To = max(span.To, t.end)
		beds[t.name] = t.name
		refused = append(refused, t.refused.list...)
		if t.judged {
			judged++
		}
		for v := range variants {
			variants[v] = append(variants[v], t.lives[v]...)
		}
	}
	in := compare.Input{Base: variants[trial.Base], Changed: variants[trial.Changed], Span: span, Beds: beds, Zone: b.zone}
	if b.trial.Layer == nil {
		in.Changed = in.Base
	}
	for i, w := range b.trial.Sweeps {
		in.Tried = append(in.Tried, b.try(w, in.Base, variants[trial.FirstSweep+i], span))
	}
	r := compare.New(in)
	r.Patients, r.Annotated, r.Refused = len(all), judged > 0, refused
	r.Truth = fmt.Sprintf("%d of %d recordings have reference annotations. There an alarm of the body is true where the same stages, over the reference beats and with the same limits, have one of its rule within 5 s, or where a reference rhythm of its name is; else it is false.", judged, len(all))
	return r
}

// tried is what came of one recording.
type tried struct {
	name    string
	end     int64 // UTC µs
	lives   [][]*lives.Life
	judged  bool
	refused refusals
}

// record runs the stages over one recording, and over its reference.
func (b *backtest) record(ctx context.Context, conf *loaded, name string) (*tried, error) {
	t := &tried{name: name}
	r, err := wfdb.Open(filepath.Join(b.in, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: its signals are to be in the folder", err)
	}
	if err != nil {
		return nil, err
	}
	run := annotation{in: b.in, lead: "auto", beatsConf: conf.Beats}
	v := viewer{transcript: wfdb.Transcript{Rate: r.Rate, Start: recordStart}}
	said, _, err := run.measured(r, &v)
	if err != nil {
		return nil, err
	}
	if t.lives, err = b.fold(ctx, t, &v, said); err != nil {
		return nil, err
	}
	t.end = v.now
	if r, err = wfdb.Open(filepath.Join(b.in, name)); err != nil { // what was read of it is gone
		return nil, err
	}
	run.beats = []string{extReference}
	ref := viewer{transcript: wfdb.Transcript{Rate: r.Rate, Start: recordStart}}
	given, err := run.given(r, name, &ref)
	if errors.Is(err, errNoReference) {
		return t, nil
	} else if err != nil {
		return nil, err
	}
	reference, err := b.fold(ctx, t, &ref, given)
	if err != nil {
		return nil, err
	}
	labels, err := b.labels(name, r.Rate, t.end)
	if err != nil {
		return nil, err
	}
	t.judged = true
	for i := range t.lives {
		compare.Judge(t.lives[i], slices.Concat(reference[i], labels), t.end)
	}
	return t, nil
}

// fold runs the stages after beats, with each variant of the last.
func (b *backtest) fold(ctx context.Context, t *tried, v *viewer, said iter.Seq2[topics.Record[*topics.Annotation], error]) ([][]*lives.Life, error) {
	logs := make([]lives.Log, trial.FirstSweep+len(b.trial.Sweeps))
	chart := driver.Fold(rhythm.Stage(), topics.Annotations, topics.Charts, said)
	for r, err := range driver.Fold(trial.New(b.trial), topics.Charts, topics.Alarms, chart) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		r.Value.Patient = t.name
		if s := r.Value.GetState(); s != nil {
			s.Id = t.name + "/" + s.Id // each recording is of the same patient to the stages
		}
		t.refused.take(r.Value)
		logs[trial.Variant(r.Value)].Take(r.Value)
	}
	out := make([][]*lives.Life, len(logs))
	for i := range logs {
		out[i] = logs[i].Lives()
		for _, l := range out[i] {
			if l.OverUs == 0 {
				l.OverUs = v.now // the recording ends
			}
		}
	}
	return out, nil
}

// labelled are the rules that a reference rhythm of a name makes true.
var labelled = map[string]string{
	"(VT": topics.RuleVT, "(VFL": topics.RuleVF, "(VF": topics.RuleVF, "(VFIB": topics.RuleVF, "(ASYS": topics.RuleAsystole, "(SVTA": topics.RuleSVT,
	"(AFIB": topics.RuleAF, "(IVR": topics.RuleIdioventricular, "(B": topics.RuleBigeminy, "(T": topics.RuleTrigeminy,
}

// labels are the reference rhythms of a recording, as lives of the rules that they make true.
func (b *backtest) labels(name string, rate float64, end int64) (list []*lives.Life, err error) {
	all, err := wfdb.ReadAnnotations(filepath.Join(b.in, name+"."+extReference))
	if err != nil {
		return nil, err
	}
	var open *lives.Life
	for _, a := range all {
		if a.Code != wfdb.Rhythm {
			continue
		}
		at := recordStart.Add(time.Duration(float64(a.Sample) / rate * 1e9)).UnixMicro()
		if open != nil {
			open.OverUs = at
		}
		open = nil
		if rule := labelled[strings.TrimRight(a.Aux, "\x00 ")]; rule != "" {
			open = &lives.Life{Patient: name, Rule: rule, OnsetUs: at, RaisedUs: at, OverUs: end}
			list = append(list, open)
		}
	}
	return list, nil
}
