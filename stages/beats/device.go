package beats

import (
	"math"
	"slices"

	"heartwire/topics"
)

// describe says what has changed about the device with this frame.
func (s *State) describe(r *topics.Samples, rebooted bool, v voice) {
	d := &s.device
	changed := rebooted
	if r.BatteryPercent != nil && (!d.known || d.battery != int32(r.GetBatteryPercent())) {
		d.battery, d.known, changed = int32(r.GetBatteryPercent()), true, true
	}
	if r.GetDeviceTimeUs() != 0 {
		if offset := r.GetDeviceTimeUs() - r.GetTimeUs(); offset-d.clock > clockShift || d.clock-offset > clockShift {
			d.clock, changed = offset, true
		}
	}
	frame := int64(math.Round(float64(r.GetCount()) * 1e6 / r.GetRate()))
	if math.Abs(float64(frame-d.frame)) > frameShift*float64(d.frame) {
		d.frame, changed = frame, true
	}
	if changed {
		out := s.sayDevice(r.GetDevice(), r.GetBoot(), v)
		out.Sample, out.TimeUs = r.GetFirst(), r.GetTimeUs()
		out.GetDeviceState().Rebooted = rebooted
		v.emit(out)
	}
}

func (s *State) sayDevice(device string, boot uint64, v voice) *topics.Annotation {
	d := &topics.DeviceState{ClockOffsetUs: s.device.clock, FrameUs: s.device.frame}
	if s.device.known {
		b := uint32(s.device.battery)
		d.BatteryPercent = &b
	}
	if s.device.onlineSaid {
		on := s.device.online
		d.Online = &on
	}
	return &topics.Annotation{Patient: v.patient, Device: device, Boot: boot, Kind: &topics.Annotation_DeviceState{DeviceState: d}}
}

// presence says that the live device came or went.
func (s *State) presence(p *topics.Presence, v voice) {
	owner := s.owner()
	if owner == "" && s.live != nil {
		owner = s.live.device
	}
	if owner != "" && p.GetDevice() != owner || s.device.onlineSaid && s.device.online == p.GetOnline() {
		return
	}
	s.device.online, s.device.onlineSaid = p.GetOnline(), true
	out := s.sayDevice(p.GetDevice(), p.GetBoot(), v)
	out.TimeUs = p.GetArrivalUs()
	if s.live != nil && s.live.device == p.GetDevice() && s.live.boot == p.GetBoot() {
		out.Sample = s.live.next
	}
	v.emit(out)
}

// binding keeps whose samples are live, and passes the binding on. When the
// last device is taken away, all that is known is said and the key is done with.
func (s *State) binding(b *topics.Binding, v voice) {
	s.bound = slices.DeleteFunc(s.bound, func(o bound) bool { return o.device == b.GetDevice() })
	if b.GetBound() {
		at := len(s.bound)
		for at > 0 && s.bound[at-1].at > b.GetAtUs() {
			at--
		}
		s.bound = slices.Insert(s.bound, at, bound{b.GetDevice(), b.GetAtUs()})
		if len(s.bound) > maxBound {
			s.bound = slices.Delete(s.bound, 0, 1)
		}
		s.paced, s.age = b.GetPaced(), b.GetAgeGroup()
	} else if len(s.bound) == 0 {
		s.leave(v)
	}
	out := &topics.Annotation{Patient: v.patient, Device: b.GetDevice(), TimeUs: b.GetAtUs()}
	out.Kind = &topics.Annotation_Binding{Binding: &topics.Binding{
		Device: b.GetDevice(), Bound: b.GetBound(), AtUs: b.GetAtUs(), Other: b.GetOther(),
		Paced: b.GetPaced(), AgeGroup: b.GetAgeGroup(), Restated: b.GetRestated(),
	}}
	v.emit(out)
}

// leave says what is left to say.
func (s *State) leave(v voice) {
	if s.live != nil {
		s.end(v)
	}
	if s.late != nil {
		s.late.finish(v)
		s.late = nil
	}
	s.left = true
}
