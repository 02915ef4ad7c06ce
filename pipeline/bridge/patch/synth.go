package patch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"heartwire/topics"
)

// SynthConfig says which patient a Synth is.
type SynthConfig struct {
	Script             Script
	Rate               float64  // Hz, 10 to 5000
	Leads              []string // 1 to 12 of LeadNames
	MicrovoltsPerCount float64  // > 0
	Seed               uint64   // another seed is another person
}

// DefaultSynthConfig is a healthy adult at 72/min, leads II and V1 at 250 Hz.
func DefaultSynthConfig() SynthConfig {
	calm := Rhythm{Sinus, defaultRate, defaultRate}
	return SynthConfig{Script: Script{Steps: []Step{{Rhythm: calm}}}, Rate: 250, Leads: []string{"II", "V1"}, MicrovoltsPerCount: 5, Seed: 1}
}

// Validate tells all problems at once.
func (c SynthConfig) Validate() error {
	var errs []error
	if len(c.Script.Steps) == 0 {
		errs = append(errs, errors.New("script: there is no step"))
	}
	if !(c.Rate >= 10 && c.Rate <= 5000) {
		errs = append(errs, fmt.Errorf("rate: %g Hz is not between 10 and 5000", c.Rate))
	}
	if len(c.Leads) < 1 || len(c.Leads) > maxLeads {
		errs = append(errs, fmt.Errorf("leads: %d are not between 1 and %d", len(c.Leads), maxLeads))
	}
	for i, l := range c.Leads {
		if !slices.Contains(LeadNames, l) {
			errs = append(errs, fmt.Errorf("leads: %q is not one of %s", l, strings.Join(LeadNames, " ")))
		}
		if slices.Contains(c.Leads[:i], l) {
			errs = append(errs, fmt.Errorf("leads: %s is named twice", l))
		}
	}
	if !(c.MicrovoltsPerCount > 0 && c.MicrovoltsPerCount <= 1000) {
		errs = append(errs, fmt.Errorf("microvolts_per_count: %g is not above 0 and at most 1000", c.MicrovoltsPerCount))
	}
	for _, st := range c.Script.Steps {
		for _, cond := range st.Conditions {
			if cond.Kind == LeadOff && cond.Lead != "all" && !slices.Contains(c.Leads, cond.Lead) {
				errs = append(errs, fmt.Errorf("script: lead-off %s: the patch has only %s", cond.Lead, strings.Join(c.Leads, " ")))
			}
		}
	}
	return errors.Join(errs...)
}

// Synth is a synthetic patient: ECGSYN, the dynamical model of McSharry,
// Clifford, Tarassenko and Smith (IEEE Trans Biomed Eng 50:289, 2003), widened
// to several leads and to rhythms by script. Its three equations are
//
//	x' = αx − ωy,  y' = αy + ωx,  α = 1 − √(x²+y²),  ω = 2π/RR
//	z' = −Σ aᵢ Δθᵢ exp(−Δθᵢ²/2bᵢ²) − (z − z₀)
//
// (x, y) begins on its limit cycle and never leaves it, so θ = ∫ω dt is
// written down instead of integrated, and Δθᵢ = ωΔtᵢ is kept as a time: each
// beat brings its own gaussians, because an early beat, a wide one or a pulse
// has others than the beat before. The sum is then the derivative of
// G = Σ Aᵢ exp(−Δtᵢ²/2σᵢ²), with Aᵢ in mV, and with u = z − G each lead's z
// obeys u' = −(u + G − z₀), which is solved exactly over a sample at any rate.
// z₀ is the breathing that moves the baseline.
//
// Equal configurations give equal samples and events, however they are cut
// into blocks. (The last bit of a floating-point sum may differ between
// processors; a count differs by it less than once in 10⁹ samples.)
type Synth struct {
	conf    SynthConfig
	heart   heart
	walk    walker // of the samples; the heart's is ahead
	started bool
	n       uint64
	pace    uint64  // samples between two looks ahead, about 50 ms
	decay   float64 // of u over one sample
	u, g    []float64
	noise   *chance
	muscle  []float64 // the last noise of each lead
	chaos   fibrillation
	flutter flutter
	atrial  flutterWaves
	body    vitals
	now     conditions
}

// conditions are those of the step in force.
type conditions struct {
	off                        []bool
	noise, wander, mains, gain float64
	dropout                    bool
}

// NewSynth is a patient at the beginning of the script.
func NewSynth(c SynthConfig) (*Synth, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("synthetic patient: %w", err)
	}
	who := newChance(c.Seed, "person")
	breath := who.between(0.2, 0.3) // Hz; 12 to 18 /min
	size := who.between(0.85, 1.2)
	walk := newWalker(&c.Script, c.Rate)
	rr := walk.rr(0)
	if math.IsInf(rr, 0) {
		rr = 60 / defaultRate
	}
	s := &Synth{
		conf:  c,
		walk:  walk,
		decay: math.Exp(-1 / c.Rate), pace: uint64(max(1, c.Rate/20)),
		u: make([]float64, len(c.Leads)), g: make([]float64, len(c.Leads)), muscle: make([]float64, len(c.Leads)),
		noise:   newChance(c.Seed, "noise"),
		chaos:   newFibrillation(newChance(c.Seed, "fibrillation"), len(c.Leads)),
		flutter: newFlutter(newChance(c.Seed, "flutter"), len(c.Leads)),
		atrial:  newFlutterWaves(newChance(c.Seed, "atria"), c.Leads),
		body:    vitals{luck: newChance(c.Seed, "vitals"), spo2: who.between(95.5, 98.5), usual: breath * 60, breaths: breath * 60},
	}
	s.body.sat = s.body.spo2
	s.heart = heart{
		walk: walk, next: math.Inf(1), luck: newChance(c.Seed, "heart"),
		hrv: heartRateVariability(who, breath), leads: c.Leads, breath: breath,
		person: func(a float64) float64 { return a * size * who.between(0.9, 1.1) },
		last:   -rr, slow: rr, couple: who.between(0.54, 0.66),
		shapes:   make(map[*shape][][maxLeads]float64),
		pulseLen: 0.6 / c.Rate,
	}
	// Drawn here, in this order, so that a person does not depend on the script.
	for _, sh := range []*shape{&normalBeat, &noPBeat, &earlyPBeat, &ventricularBeat, &pacedBeat} {
		s.heart.shapes[sh] = s.heart.amplitudes(*sh)
	}
	s.heart.enter(0)
	return s, nil
}

// Rate is in Hz.
func (s *Synth) Rate() float64 { return s.conf.Rate }

// Leads are those of the configuration.
func (s *Synth) Leads() []LeadSpec {
	specs := make([]LeadSpec, len(s.conf.Leads))
	for i, name := range s.conf.Leads {
		specs[i] = LeadSpec{name, s.conf.MicrovoltsPerCount}
	}
	return specs
}

// lookahead is how long before its sample a beat is decided: more than a P
// wave lies before its R.
const lookahead = 0.6 // s

// Read makes the next n samples. It never ends.
func (s *Synth) Read(b *Block, n int) error {
	b.reset(s.n, len(s.conf.Leads), n)
	for i := range n {
		s.enterStep(b)
		t := float64(s.n) / s.conf.Rate
		if s.n%s.pace == 0 {
			s.heart.forget(t)
			s.heart.run(t + lookahead)
			s.body.advance(float64(s.pace)/s.conf.Rate, s.walk.step().Rhythm.Kind)
		}
		s.sample(b, i, t)
		s.n++
	}
	s.tell(b)
	b.SpO2, b.Breaths = s.body.spo2, s.body.breaths
	return nil
}

// enterStep notices that a step begins with the next sample.
func (s *Synth) enterStep(b *Block) {
	if s.started && s.n < s.walk.end {
		return
	}
	if s.started {
		s.walk.advance()
	}
	s.started = true
	st := s.walk.step()
	s.heart.say(Event{Sample: s.n, Kind: Onset, Step: st})
	s.now = conditions{off: make([]bool, len(s.conf.Leads)), gain: 1}
	for _, c := range st.Conditions {
		switch c.Kind {
		case Noise:
			s.now.noise = c.Value
		case Wander:
			s.now.wander = c.Value
		case Mains:
			s.now.mains = c.Value
		case Gain:
			s.now.gain = c.Value
		case Dropout:
			s.now.dropout = true
		case LeadOff:
			for k, name := range s.conf.Leads {
				s.now.off[k] = s.now.off[k] || c.Lead == "all" || c.Lead == name
			}
		}
	}
}

// rail is where the amplifier of a lead without its electrode ends up.
const rail = 10_000.0 // µV

// sample computes one sample of every lead.
func (s *Synth) sample(b *Block, i int, t float64) {
	const (
		breathing = 0.06  // mV, z₀ of the model
		amplifier = 0.004 // mV RMS; IEC 60601-2-27 allows 30 µV from peak to peak
	)
	var sum [maxLeads]float64
	s.heart.add(&sum, t)
	kind := s.walk.step().Rhythm.Kind
	s.chaos.add(&sum, kind == VF, 1/s.conf.Rate, len(s.g))
	s.flutter.add(&sum, kind == Flutter, 1/s.walk.rr(t), 1/s.conf.Rate)
	s.atrial.add(&sum, kind == AF, t, 1/s.conf.Rate)
	z0 := breathing * math.Sin(2*math.Pi*s.heart.breath*t)
	shared := 0.0
	if s.now.wander > 0 {
		shared += s.now.wander / 2 * (0.7*math.Sin(2*math.Pi*0.13*t) + 0.3*math.Sin(2*math.Pi*0.37*t+1))
	}
	if s.now.mains > 0 {
		shared += s.now.mains / 2 * math.Sin(2*math.Pi*50*t)
	}
	for k := range s.g {
		g := sum[k] * s.now.gain
		s.u[k] = s.u[k]*s.decay + (1-s.decay)*(z0-(g+s.g[k])/2)
		s.g[k] = g
		// Muscles are heard above 20 Hz: the difference of white noise is.
		white := s.noise.normal()
		mv := g + s.u[k] + shared + amplifier*white + s.now.noise*(white-s.muscle[k])/math.Sqrt2
		s.muscle[k] = white
		uv := mv * 1000
		if s.now.off[k] {
			b.Off[k], uv = true, rail
		}
		b.Counts[k][i] = int32(math.Round(uv / s.conf.MicrovoltsPerCount))
	}
	if s.now.dropout {
		b.miss(i)
	}
}

// add adds the waves that are under way at time t.
func (h *heart) add(sum *[maxLeads]float64, t float64) {
	for i := range h.waves {
		w := &h.waves[i]
		d, sd := t-w.at, w.right
		if d < 0 {
			sd = w.left
		}
		if d < -tail*sd || d > tail*sd {
			continue
		}
		e := math.Exp(-d * d / (2 * sd * sd))
		for k := range h.leads {
			sum[k] += w.amps[k] * e
		}
	}
}

// tell moves the events that the block has reached into it.
func (s *Synth) tell(b *Block) {
	h := &s.heart
	n := 0
	for n < len(h.events) && h.events[n].Sample < s.n {
		e := h.events[n]
		b.Events = append(b.Events, e)
		if e.Kind == Pulse {
			b.Pulses = append(b.Pulses, uint32(e.Sample-b.First))
		}
		n++
	}
	h.events = slices.Delete(h.events, 0, n)
}

// forget drops the waves that are over.
func (h *heart) forget(t float64) {
	h.waves = slices.DeleteFunc(h.waves, func(w wave) bool { return t > w.at+tail*w.right })
}

// Truth is the beats that a patient with this configuration has in the first
// n samples, and what else happens to it.
func Truth(c SynthConfig, n int) ([]Event, error) {
	s, err := NewSynth(c)
	if err != nil {
		return nil, err
	}
	var b Block
	var all []Event
	for n > 0 {
		cut := min(n, 4096)
		if err := s.Read(&b, cut); err != nil {
			return nil, err
		}
		all = append(all, b.Events...)
		n -= cut
	}
	return all, nil
}

// vitals are the measurements beside the ECG.
type vitals struct {
	luck           *chance
	sat, spo2      float64 // %, usual and now
	usual, breaths float64 // /min
}

// advance lets dt s pass. Without circulation SpO2 falls with a time constant
// of a minute, and breathing stops within half of one.
func (v *vitals) advance(dt float64, r RhythmKind) {
	sat, breaths, tau := v.sat, v.usual, 20.0
	if r == VF || r == Flutter || r == Asystole || r == Uncaught {
		sat, breaths, tau = 55, 0, 60
	}
	step := 1 - math.Exp(-dt/tau)
	v.spo2 = min(100, v.spo2+step*(sat-v.spo2)+0.15*math.Sqrt(dt)*v.luck.normal())
	v.breaths = max(0, v.breaths+min(1, 3*step)*(breaths-v.breaths)+0.1*math.Sqrt(dt)*v.luck.normal())
}

var _ Source = (*Synth)(nil)

// vital is the two measurements as a patch reports them.
func (b *Block) vital() []*topics.Vital {
	var out []*topics.Vital
	if b.SpO2 > 0 {
		out = append(out, &topics.Vital{Loinc: "59408-5", Value: math.Round(b.SpO2), Ucum: "%"})
	}
	if b.Breaths >= 0 {
		out = append(out, &topics.Vital{Loinc: "9279-1", Value: math.Round(b.Breaths), Ucum: "/min"})
	}
	return out
}
