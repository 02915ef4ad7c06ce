package topics

import "time"

const day = 24 * time.Hour

// Frames is the truth: every sample that a patch delivered.
var Frames = define(Spec{
	Name: "frames", Key: "patient", Retention: 7 * day, Schema: 1,
	Doc: "samples as they came, what changes measuring, and the clock's ticks",
}, (*Frame).GetPatient).withTicks((*Frame).GetTick, func(t *Tick) *Frame {
	w := new(struct {
		value Frame
		kind  Frame_Tick
	})
	w.kind.Tick = t
	w.value.Kind = &w.kind
	return &w.value
})
