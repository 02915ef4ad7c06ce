package patch

import (
	"fmt"
	"io"
	"slices"
	"time"

	"heartwire/topics/wfdb"
)

// Recording is a WFDB record in memory; many patches can play it at once.
type Recording struct {
	name   string
	rate   float64
	leads  []LeadSpec
	counts [][]int32 // each lead, 0 at 0 mV; wfdb.Missing where there is none
}

// OpenRecording reads the ECG leads of the record at path (without an
// extension), all of them or those named.
func OpenRecording(path string, leads ...string) (*Recording, error) {
	rec, err := wfdb.Open(path)
	if err != nil {
		return nil, err
	}
	samples, err := rec.Samples()
	if err != nil {
		return nil, err
	}
	r := &Recording{name: rec.Name, rate: rec.Rate}
	names, at := rec.Leads(), 0
	for i, sig := range rec.Signals {
		if !sig.ECG() {
			continue
		}
		name := names[at]
		at++
		if len(leads) > 0 && !slices.Contains(leads, name) {
			continue
		}
		for j, v := range samples[i] {
			if v != wfdb.Missing {
				samples[i][j] = v - int32(sig.Baseline)
			}
		}
		r.leads = append(r.leads, LeadSpec{name, sig.MicrovoltsPerCount()})
		r.counts = append(r.counts, samples[i])
	}
	switch {
	case len(r.leads) == 0:
		return nil, fmt.Errorf("record %s: none of its signals is a lead that was asked for (it has %q)", path, names)
	case len(r.leads) > maxLeads:
		return nil, fmt.Errorf("record %s: %d leads are more than the %d of a patch: choose by name", path, len(r.leads), maxLeads)
	case len(r.counts[0]) == 0:
		return nil, fmt.Errorf("record %s: there is no sample", path)
	}
	return r, nil
}

// Play is a source that plays the recording from skip on, once or for ever.
func (r *Recording) Play(skip time.Duration, loop bool) (Source, error) {
	from := int(skip.Seconds() * r.rate)
	if from < 0 || from >= len(r.counts[0]) {
		return nil, fmt.Errorf("record %s: it is %.0f s long, so nothing is left after %s", r.name, float64(len(r.counts[0]))/r.rate, skip)
	}
	return &player{rec: r, at: from, loop: loop}, nil
}

// player is one patient who plays a recording.
type player struct {
	rec  *Recording
	at   int    // in the recording
	n    uint64 // sample number
	loop bool
}

func (p *player) Rate() float64     { return p.rec.rate }
func (p *player) Leads() []LeadSpec { return p.rec.leads }

// Read copies the next samples. A sample that no lead has is missing; a lead
// that lacks one which another has is off, as a frame marks missing samples
// for all leads alike.
func (p *player) Read(b *Block, n int) error {
	length := len(p.rec.counts[0])
	if p.at == length && !p.loop {
		return io.EOF
	}
	if !p.loop {
		n = min(n, length-p.at)
	}
	b.reset(p.n, len(p.rec.leads), n)
	for i := range n {
		if p.at == length {
			p.at = 0
		}
		p.sample(b, i)
		p.at++
	}
	p.n += uint64(n)
	return nil
}

// sample copies one sample of each lead.
func (p *player) sample(b *Block, i int) {
	absent := 0
	for k, lead := range p.rec.counts {
		if b.Counts[k][i] = lead[p.at]; b.Counts[k][i] == wfdb.Missing {
			absent++
		}
	}
	if absent == 0 {
		return
	}
	all := absent == len(p.rec.counts)
	if all {
		b.miss(i)
	}
	for k := range b.Counts {
		if b.Counts[k][i] == wfdb.Missing {
			b.Counts[k][i] = 0
			b.Off[k] = b.Off[k] || !all
		}
	}
}
