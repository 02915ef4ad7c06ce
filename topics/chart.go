package topics

// Charts is what is known about a patient: all that judging needs.
var Charts = define(Spec{
	Name: "chart", Key: "patient", Retention: 30 * day, Schema: 1,
	Doc: "each second's rate and intervals, other vitals, limits in force",
}, (*Chart).GetPatient).withTicks((*Chart).GetTick, func(t *Tick) *Chart {
	w := new(struct {
		value Chart
		kind  Chart_Tick
	})
	w.kind.Tick = t
	w.value.Kind = &w.kind
	return &w.value
})
