package bridge

import (
	"math"

	"heartwire/topics"
)

// Why a sample's time is anchor + n/rate: a patch has no clock that can be
// trusted, but its sample counter is one of a crystal's quality. What delays
// a message on its way only ever adds, so the least of arrival − n/rate is
// nearest to the truth; and since a patch's crystal may be slower than it
// says, the least is let rise again, by no more than such crystals are wrong.
const (
	drift = 200e-6 // the most that an anchor rises by itself; crystals of wearables are within 100 ppm, ours within 100 more

	// A counter that paused, or a clock that was set while no bridge ran, leaves every
	// later frame behind by the same amount; taken for late data it would never alarm.
	// A backlog gets shorter while it is sent, so what stays behind for a minute,
	// each frame newer than the one before, is not one, and the anchor is moved to it.
	behind      = 5e6  // µs by which frames are behind at least
	catchingUp  = 1e6  // µs: a frame that is so much less behind shows a backlog
	behindSince = 60e6 // µs that it must last
)

// anchor is where a boot of a device begins in time. All times are UTC µs.
type anchor struct {
	boot uint64
	rate float64 // Hz
	at   float64 // time of sample 0, if it had always been sampled at rate
	seen int64   // arrival of the frame it was last computed from
	next uint64  // first sample not yet received
	turn uint64  // sample from which on rate holds

	lag      float64 // µs by which frames were behind at lagSince
	lagSince int64   // since when they are; 0: they are not
}

// place tells the time of a frame's first sample and keeps the anchor. moved
// says that the anchor was moved to frames that stayed behind.
func (a *anchor) place(s *topics.Samples, arrival int64) (first int64, moved bool) {
	end := s.First + uint64(s.Count)
	if s.Rate != a.rate && a.rate != 0 {
		if s.First < a.next {
			// A run from before a change of rate: counted back from the change.
			at := a.at + seconds(a.turn, a.rate) - seconds(a.turn, s.Rate)
			return int64(math.Round(at + seconds(s.First, s.Rate))), false
		}
		a.turn = s.First
		a.at += seconds(a.turn, a.rate) - seconds(a.turn, s.Rate)
	}
	newer := end > a.next
	latest := float64(arrival) - seconds(end-1, s.Rate)
	if a.rate == 0 {
		a.at = latest
	} else {
		since := max(arrival-a.seen, 0)
		a.at = min(latest, a.at+drift*float64(since))
	}
	a.rate, a.seen, a.next = s.Rate, max(a.seen, arrival), max(a.next, end)
	if newer && a.stuck(latest-a.at, arrival) {
		a.at, moved = latest, true
	}
	return int64(math.Round(a.at + seconds(s.First, s.Rate))), moved
}

// stuck follows by how much frames are behind, and reports when that has
// lasted: see behindSince.
func (a *anchor) stuck(lag float64, arrival int64) bool {
	if lag < behind {
		a.lagSince = 0
		return false
	}
	if a.lagSince == 0 || lag < a.lag-catchingUp {
		a.lag, a.lagSince = lag, arrival
		return false
	}
	// The mark stays where the run began while the lag creeps down, so that a
	// slow catching up adds up and shows.
	if arrival-a.lagSince < behindSince {
		return false
	}
	a.lagSince = 0
	return true
}

// seconds is the time of n samples, in µs.
func seconds(n uint64, rate float64) float64 { return float64(n) / rate * 1e6 }

// device is what the bridge remembers of a device.
type device struct {
	now    anchor    // of the newest boot
	before []anchor  // of older ones, newest first, at most olderBoots
	saved  anchor    // now, as it stands in the changelog
	recent []run     // ring of the newest runs, to find contradictions
	at     int       // next place in recent
	clock  clockSkew // of the device
	key    string    // under which it is watched while it is nobody's; "" until needed
}

const (
	olderBoots = 4
	recentRuns = 64 // 16 s of frames of 250 ms: a resent frame comes soon
)

// run is a run of samples that was accepted.
type run struct {
	boot, first uint64
	count       uint32
	print       uint64
}

// clockSkew is how the device's own clock stands, by its last frame.
type clockSkew struct {
	boot   uint64
	offset int64 // device time less sample time; 0 unknown
}

// contradicts reports whether r says something else of the same samples than
// a recent frame did, and remembers r when it does not.
func (d *device) contradicts(r run) bool {
	for _, old := range d.recent {
		if old.first == r.first && old.boot == r.boot && old.count == r.count {
			return old.print != r.print
		}
	}
	if len(d.recent) < recentRuns {
		d.recent = append(d.recent, r)
		return false
	}
	d.recent[d.at] = r
	d.at = (d.at + 1) % recentRuns
	return false
}

// place gives s its times. moved is anchor.place's.
func (d *device) place(s *topics.Samples, arrival int64) (moved bool) {
	s.ArrivalUs = arrival
	a := d.anchorOf(s.Boot)
	s.TimeUs, moved = a.place(s, arrival)
	if a != &d.now {
		// An older boot ended before the newest began.
		length := int64(seconds(uint64(s.Count), s.Rate))
		s.TimeUs = min(s.TimeUs, int64(d.now.at)-length)
		return false
	}
	if s.DeviceTimeUs != 0 {
		d.clock = clockSkew{s.Boot, s.DeviceTimeUs - s.TimeUs}
	}
	return moved
}

// anchorOf is the anchor of a boot, an empty one when it is new.
func (d *device) anchorOf(boot uint64) *anchor {
	if d.now.rate == 0 || boot > d.now.boot {
		if d.now.rate != 0 {
			d.before = append([]anchor{d.now}, d.before[:min(len(d.before), olderBoots-1)]...)
		}
		d.now = anchor{boot: boot}
		return &d.now
	}
	if boot == d.now.boot {
		return &d.now
	}
	for i := range d.before {
		if d.before[i].boot == boot {
			return &d.before[i]
		}
	}
	d.before = append([]anchor{{boot: boot}}, d.before[:min(len(d.before), olderBoots-1)]...)
	return &d.before[0]
}

// vitalTime is when a value was measured: by the device's clock, set right by
// what its frames show of it, and never after its arrival. Without frames it
// is the arrival.
func (d *device) vitalTime(v *topics.PatchVitals, arrival int64) int64 {
	if d == nil || v.DeviceTimeUs == 0 || d.clock.offset == 0 || d.clock.boot != v.Boot {
		return arrival
	}
	return min(v.DeviceTimeUs-d.clock.offset, arrival)
}

// How far the anchor in the changelog may be from the one in memory: sample
// times jump by no more than the sum when the bridge is restarted.
const (
	saveMoved = 5e3  // µs
	saveAge   = 30e6 // µs, in which the anchor rises by 6 ms at most
)

// unsaved returns the record of the newest boot's anchor when the changelog
// must be told, and takes it as told.
func (d *device) unsaved(name string) *topics.Anchor {
	a, old := &d.now, &d.saved
	if old.rate == a.rate && old.boot == a.boot &&
		math.Abs(a.at-old.at) < saveMoved && a.seen-old.seen < saveAge {
		return nil
	}
	d.saved = *a
	return &topics.Anchor{Device: name, Boot: a.boot, Rate: a.rate, AnchorUs: a.at, ArrivalUs: a.seen, Next: a.next}
}

// restored is a device as the changelog has it; nil when that cannot be.
func restored(r *topics.Anchor) *device {
	if !validRate(r.Rate) || math.IsNaN(r.AnchorUs) || math.IsInf(r.AnchorUs, 0) {
		return nil
	}
	a := anchor{boot: r.Boot, rate: r.Rate, at: r.AnchorUs, seen: r.ArrivalUs, next: r.Next}
	return &device{now: a, saved: a}
}
