package patch

import (
	"math"

	"heartwire/topics"
)

// walker goes through a script in samples.
type walker struct {
	script     *Script
	rate       float64
	index      int
	start, end uint64 // samples; end is the first one of the next step
}

func newWalker(s *Script, rate float64) walker {
	w := walker{script: s, rate: rate, index: -1}
	w.advance()
	return w
}

// advance goes to the next step, which begins where this one ends.
func (w *walker) advance() {
	w.start = w.end
	if w.index++; w.index == len(w.script.Steps) {
		w.index = 0
	}
	if d := w.step().For; d > 0 {
		w.end = w.start + max(1, uint64(math.Round(d.Seconds()*w.rate)))
	} else {
		w.end = math.MaxUint64
	}
}

func (w *walker) step() *Step { return &w.script.Steps[w.index] }

// until is the time at which the step ends, in s.
func (w *walker) until() float64 {
	if w.end == math.MaxUint64 {
		return math.Inf(1)
	}
	return float64(w.end) / w.rate
}

// rr is the mean RR interval of the step's rhythm at time t, in s.
func (w *walker) rr(t float64) float64 {
	r := w.step().Rhythm
	if r.From == r.To {
		return 60 / r.From
	}
	x := (t*w.rate - float64(w.start)) / float64(w.end-w.start)
	return 60 / (r.From + (r.To-r.From)*min(max(x, 0), 1))
}

// wave is a gaussian on its way through time.
type wave struct {
	at, left, right float64 // s
	amps            [maxLeads]float64
}

// burstRR is the interval within couplets and runs, in s: 150 /min.
const burstRR = 0.4

// tail is how many standard deviations of a wave are drawn: what is left out
// is below 0.1 µV.
const tail = 4.5

// heart decides when which beat comes, some time ahead of the samples, since
// a P wave begins before its R. It is the RR process of the model; all times
// are in s from the first sample.
type heart struct {
	walk   walker
	luck   *chance
	hrv    []line
	leads  []string
	person func(float64) float64 // varies an amplitude from person to person

	next     float64          // the next beat, or pulse; +Inf: none
	class    topics.BeatClass // of the next beat
	after    float64          // the sinus beat after an early one
	last     float64          // R of the last beat
	slow     float64          // RR that repolarisation has got used to
	ectopy   float64          // when the next early beat is due
	couple   float64          // coupling of this person's PVCs, as a part of RR
	normals  int              // sinus beats since the last PVC
	burst    int              // ventricular beats that follow the next one
	waves    []wave
	events   []Event // not yet reached by the samples, in order
	shapes   map[*shape][][maxLeads]float64
	atrium   float64 // 1: fibrillating
	breath   float64 // Hz
	pulseLen float64 // s
}

// run decides all that begins before the time until.
func (h *heart) run(until float64) {
	for {
		if end := h.walk.until(); h.next >= end {
			if end > until {
				return
			}
			h.walk.advance()
			h.enter(end)
			continue
		}
		if h.next > until {
			return
		}
		h.beat()
	}
}

// enter begins the step's rhythm at time t. A rhythm whose next beat is
// already decided keeps it if it can be its own.
func (h *heart) enter(t float64) {
	st := h.walk.step()
	if st.Rhythm.Kind != Sinus {
		h.burst = 0
	}
	if st.Ectopy.Rate > 0 && h.ectopy < t {
		h.ectopy = t + 60/st.Ectopy.Rate*h.luck.between(0.1, 0.5)
	}
	switch st.Rhythm.Kind {
	case VF, Flutter, Asystole:
		h.next = math.Inf(1)
		return
	case Sinus:
		if h.class == topics.BeatClass_BEAT_CLASS_N && h.next < t+h.walk.rr(t) {
			return
		}
		h.class = topics.BeatClass_BEAT_CLASS_N
	case VT:
		h.class = topics.BeatClass_BEAT_CLASS_V
	case Paced, Uncaught:
		h.class = topics.BeatClass_BEAT_CLASS_Q
	case AF:
		h.class = topics.BeatClass_BEAT_CLASS_N
	}
	h.next = max(h.last+h.walk.rr(t), t+min(0.3, 0.5*h.walk.rr(t)))
	h.after = 0
}

// beat draws the beat that is due and decides the next.
func (h *heart) beat() {
	t, st := h.next, h.walk.step()
	rr := h.walk.rr(t)
	switch st.Rhythm.Kind {
	case Sinus:
		h.sinus(t, rr, st.Ectopy)
	case AF:
		h.draw(&noPBeat, t, topics.BeatClass_BEAT_CLASS_N)
		// RR of fibrillation is skewed and does not remember the one before.
		h.next = t + max(0.33*math.Sqrt(rr), rr*math.Exp(0.22*h.luck.normal()-0.22*0.22/2))
	case VT:
		h.draw(&ventricularBeat, t, topics.BeatClass_BEAT_CLASS_V)
		h.next = t + rr*(1+0.012*h.luck.normal())
	case Paced:
		h.pulse(t)
		h.draw(&pacedBeat, t+paceLead, topics.BeatClass_BEAT_CLASS_Q)
		h.next = t + rr
	case Uncaught:
		h.pulse(t)
		h.next = t + rr
	}
}

// sinus is the sinus node with the early beats that may come between its own.
func (h *heart) sinus(t, rr float64, e Ectopy) {
	// Variability falls with the rate (SDNN about 35 ms at 60/min).
	own := func(at, mean float64) float64 { return mean * (1 + 0.035*mean*sum(h.hrv, at)) }
	switch h.class {
	case topics.BeatClass_BEAT_CLASS_V:
		h.draw(&ventricularBeat, t, h.class)
		if h.burst > 0 {
			h.burst--
			h.next, h.after = t+burstRR, max(h.after, t+burstRR+rr)
			return
		}
		h.next, h.class, h.normals = h.after, topics.BeatClass_BEAT_CLASS_N, 0
		return
	case topics.BeatClass_BEAT_CLASS_S:
		h.draw(&earlyPBeat, t, h.class)
		h.next, h.class = t+own(t, rr)*1.05, topics.BeatClass_BEAT_CLASS_N
		return
	}
	h.draw(&normalBeat, t, h.class)
	h.normals++
	next := t + own(t, rr)
	h.next = next
	switch due := t > h.ectopy; {
	case e.Kind == Bigeminy, e.Kind == Trigeminy && h.normals >= 2, e.Kind == PVC && due:
		// The sinus node goes on: its next beat is blocked, the one after comes
		// in time (a full compensatory pause).
		h.next, h.class = t+max(0.32, h.couple*rr), topics.BeatClass_BEAT_CLASS_V
		h.after = max(next+own(next, rr), h.next+0.35)
	case (e.Kind == Couplet || e.Kind == Run) && due:
		h.next, h.class, h.burst = t+max(0.36, h.couple*rr), topics.BeatClass_BEAT_CLASS_V, 1
		if e.Kind == Run {
			h.burst = 3
		}
		h.after = h.next + rr
	case e.Kind == RonT && due:
		h.next, h.class = t+0.31*math.Cbrt(rr), topics.BeatClass_BEAT_CLASS_V
		h.after = next + own(next, rr)
	case e.Kind == Blocked && due:
		h.next = next + own(next, rr)
	case e.Kind == PAC && due:
		h.next, h.class = t+max(0.32, 0.64*rr), topics.BeatClass_BEAT_CLASS_S
	default:
		return
	}
	if e.Rate > 0 {
		h.ectopy += 60 / e.Rate * h.luck.between(0.7, 1.3)
	}
}

// draw adds the waves of a beat whose R peak is at time r.
func (h *heart) draw(s *shape, r float64, class topics.BeatClass) {
	if rr := r - h.last; rr > 0.2 && rr < 2 {
		h.slow += 0.25 * (rr - h.slow)
	}
	h.last = r
	table, ok := h.shapes[s]
	if !ok {
		table = h.amplitudes(*s)
		h.shapes[s] = table
	}
	// QRS grows and shrinks with breathing, and a little by itself.
	gain := 1 + 0.03*math.Sin(2*math.Pi*h.breath*r) + 0.012*h.luck.normal()
	for i, c := range *s {
		stretch := math.Pow(h.slow, c.stretch)
		w := wave{at: r + c.at*stretch, left: c.left, right: c.right, amps: table[i]}
		if c.stretch == 0.5 {
			w.left, w.right = c.left*stretch, c.right*stretch
		}
		for k := range w.amps {
			w.amps[k] *= gain
		}
		h.waves = append(h.waves, w)
	}
	h.say(Event{Sample: h.sampleAt(r), Kind: Beat, Class: class})
}

// pulse adds a pulse of the pacemaker.
func (h *heart) pulse(t float64) {
	w := wave{at: float64(h.sampleAt(t)) / h.walk.rate, left: h.pulseLen, right: h.pulseLen}
	for k, name := range h.leads {
		w.amps[k] = lead(pacePulse, name)
	}
	h.waves = append(h.waves, w)
	h.say(Event{Sample: h.sampleAt(t), Kind: Pulse})
}

// amplitudes are those of a shape in this patient's leads.
func (h *heart) amplitudes(s shape) [][maxLeads]float64 {
	table := make([][maxLeads]float64, len(s))
	for i, c := range s {
		for j := range c.amps {
			c.amps[j] = h.person(c.amps[j])
		}
		for k, name := range h.leads {
			table[i][k] = lead(c.amps, name)
		}
	}
	return table
}

func (h *heart) sampleAt(t float64) uint64 { return uint64(math.Round(t * h.walk.rate)) }

// say keeps the events in order: a pulse's beat may be said before the pulse
// of the next step, and a step before both.
func (h *heart) say(e Event) {
	i := len(h.events)
	for i > 0 && h.events[i-1].Sample > e.Sample {
		i--
	}
	h.events = append(h.events, Event{})
	copy(h.events[i+1:], h.events[i:])
	h.events[i] = e
}
