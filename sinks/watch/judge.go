package watch

import (
	"strings"
	"time"

	"heartwire/topics"
)

// judge is what the watcher believes: a fold over what comes out of the stages
// and when it came, by this process's own clock. It does no I/O and reads no clock.
type judge struct {
	after time.Duration
	began time.Time

	caughtUp bool
	fromTime time.Time  // when it had caught up
	decided  []progress // of alarms, by partition
	charted  []progress // of chart
	patients map[topics.Key]*patient
	devices  map[string]binding
	nodes    map[string]time.Time // when each was well last
	nodeErr  map[string]string    // why it is not; empty: it is
	nodeWall map[string]int64     // when it was well last, as a label
	kafka    time.Time            // when Kafka answered last
	looked   time.Time            // when it looked last; zero: not yet
	trial    *trial               // nil: there is no synthetic patient
}

// patient is what is known of a key.
type patient struct {
	unit, bed  string
	registered bool
	discharged bool
	version    uint64 // of settings, that said so
	bound      int    // devices
	standby    int64  // until when, UTC µs; 0: not on standby
	sum        time.Duration
	secondUs   int64 // time of the newest Second; 0: none has come
}

// binding is whose a device is.
type binding struct {
	patient topics.Key // empty: nobody's
	version uint64
}

const (
	// sound is how new a decision is when all is well: ticks come each second,
	// and a takeover lasts longer.
	sound = 5 * time.Second
	// together is how much earlier others of one outage are counted with the
	// first: what stopped with it is one page, though ticks are a second apart.
	together = 3 * time.Second
	// lately is how long a key that no setting knows is thought of after its
	// last Second: a device bound to nobody is watched while it sends.
	lately = time.Minute
	// reading is how long the log may be read before the watcher says that it
	// cannot see whether anybody is watched.
	reading = time.Minute

	// asleep is how late a look may come before this process has stood still.
	asleep = 2 * time.Second

	unassigned = "unassigned" // the unit of devices that are bound to nobody
)

func newJudge(after time.Duration, partitions int, nodes []string, now time.Time) *judge {
	j := &judge{
		after: after, began: now, kafka: now,
		decided: make([]progress, partitions), charted: make([]progress, partitions),
		patients: map[topics.Key]*patient{}, devices: map[string]binding{},
		nodes: map[string]time.Time{}, nodeErr: map[string]string{}, nodeWall: map[string]int64{},
	}
	for _, n := range nodes {
		j.nodes[n], j.nodeErr[n] = now, "not asked yet"
	}
	return j
}

// ready says that the log has been read to its end. Who has not been seen until
// now is waited for from here.
func (j *judge) ready(now time.Time) {
	if j.caughtUp {
		return
	}
	j.caughtUp, j.fromTime = true, now
	for key, p := range j.patients {
		if p.secondUs == 0 {
			p.sum = j.chart(key).sum
		}
	}
}

// chart is the progress of a key's partition of chart.
func (j *judge) chart(key topics.Key) *progress {
	return &j.charted[topics.Partition(key, int32(len(j.charted)))]
}

func (j *judge) known(key topics.Key) *patient {
	p := j.patients[key]
	if p == nil {
		p = &patient{sum: j.chart(key).sum}
		j.patients[key] = p
	}
	return p
}

// change changes a patient. From when one is to be monitored on, a Second is waited for.
func (j *judge) change(key topics.Key, f func(*patient)) {
	p := j.known(key)
	before := p.expected()
	if f(p); !before && p.expected() {
		p.sum = max(p.sum, j.chart(key).sum)
	}
}

// expected reports whether somebody is to be monitored, by the settings: in a
// bed, with a patch, and not a synthetic patient.
func (p *patient) expected() bool {
	return p.registered && !p.discharged && p.bound > 0 && p.unit != topics.SyntheticUnit && p.standby == 0
}

// alarm takes a record of alarms.
func (j *judge) alarm(now time.Time, r *topics.Record[*topics.Alarm]) {
	switch k := r.Value.GetKind().(type) {
	case *topics.Alarm_Tick:
		if int(r.Partition) < len(j.decided) {
			j.decided[r.Partition].tick(now, k.Tick)
		}
	case *topics.Alarm_Silence:
		if k.Silence.GetStandby() {
			j.change(r.Key, func(p *patient) {
				if p.standby = 0; k.Silence.GetOn() {
					p.standby = max(1, k.Silence.GetUntilUs())
				}
			})
		}
	case *topics.Alarm_State:
		if j.trial != nil && r.Key == j.trial.patient {
			j.trial.alarm(now, k.State)
		}
	}
}

// wake ends standbys that should be over, though nobody has said so: the stage
// that would have may be what stands still.
func (j *judge) wake(wallUs int64) {
	for key, p := range j.patients {
		if p.standby > 1 && p.standby < wallUs {
			j.change(key, func(p *patient) { p.standby = 0 })
		}
	}
}

// second takes a record of chart.
func (j *judge) second(now time.Time, r *topics.Record[*topics.Chart]) {
	switch k := r.Value.GetKind().(type) {
	case *topics.Chart_Tick:
		if int(r.Partition) < len(j.charted) {
			j.charted[r.Partition].tick(now, k.Tick)
		}
	case *topics.Chart_Second:
		p := j.known(r.Key)
		p.sum, p.secondUs = j.chart(r.Key).sum, r.Value.GetTimeUs()
	case *topics.Chart_Binding:
		if p := j.patients[r.Key]; p != nil && !p.registered && !k.Binding.GetBound() {
			delete(j.patients, r.Key) // the key is left
		}
	}
}

// setting takes a record of settings.
func (j *judge) setting(s *topics.Setting) {
	switch k := s.GetKind().(type) {
	case *topics.Setting_Patient:
		j.change(topics.Key(strings.Clone(k.Patient.GetPatient())), func(p *patient) {
			if s.GetVersion() < p.version {
				return
			}
			p.version, p.registered = s.GetVersion(), true
			p.unit, p.bed, p.discharged = k.Patient.GetUnit(), k.Patient.GetBed(), k.Patient.GetDischarged()
		})
	case *topics.Setting_Device:
		j.bind(k.Device, s.GetVersion())
	}
}

// bind gives a device to the patient of its open binding.
func (j *judge) bind(d *topics.Device, version uint64) {
	before := j.devices[d.GetDevice()]
	if version < before.version {
		return
	}
	now := binding{version: version}
	for _, b := range d.GetBindings() {
		if b.GetUntilUs() == 0 {
			now.patient = topics.Key(b.GetPatient())
		}
	}
	j.devices[d.GetDevice()] = now
	if before.patient == now.patient {
		return
	}
	if before.patient != "" {
		j.change(before.patient, func(p *patient) { p.bound-- })
	}
	if now.patient != "" {
		j.change(now.patient, func(p *patient) { p.bound++ })
	}
}

// slept takes the time out of every wait in which this process itself stood
// still: what it did not read then is not known to be missing.
func (j *judge) slept(d time.Duration) {
	for _, list := range [][]progress{j.decided, j.charted} {
		for i := range list {
			list[i].struck, list[i].seen = list[i].struck.Add(d), list[i].seen.Add(d)
		}
	}
	for node, well := range j.nodes {
		j.nodes[node] = well.Add(d)
	}
	j.began, j.fromTime, j.kafka = j.began.Add(d), j.fromTime.Add(d), j.kafka.Add(d)
	if j.trial != nil {
		j.trial.last = j.trial.last.Add(d)
	}
}

// asked takes what a node answered; empty is that it is well.
func (j *judge) asked(now time.Time, wallUs int64, node, problem string) {
	if j.nodeErr[node] = problem; problem == "" {
		j.nodes[node], j.nodeWall[node] = now, wallUs
	}
}
