package topics

// Alarms is the life of each alarm, one record a change.
var Alarms = define(Spec{
	Name: "alarms", Key: "patient", Retention: 365 * day, Schema: 1,
	Doc: "one record a change in an alarm's life, with what explains it",
}, (*Alarm).GetPatient).withTicks((*Alarm).GetTick, func(t *Tick) *Alarm {
	w := new(struct {
		value Alarm
		kind  Alarm_Tick
	})
	w.kind.Tick = t
	w.value.Kind = &w.kind
	return &w.value
})
