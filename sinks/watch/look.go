package watch

import (
	"cmp"
	"slices"
	"time"

	"heartwire/topics"
)

// subject is what a page is about: a unit, a node or the site.
type subject struct{ of, node string }

// The reasons of a page.
const (
	reasonNoDecision = "no-decision" // no tick comes out of the stages
	reasonBehind     = "behind"      // they go on, and are too far behind
	reasonAbsent     = "absent"      // a patient's partition goes on, and nothing is said of the patient
	reasonKafka      = "kafka"       // Kafka does not answer
	reasonReading    = "reading"     // the watcher cannot read the log
	reasonSynthetic  = "synthetic"   // the synthetic patient's alarm did not come
	reasonNode       = "node"        // it does not answer that it is well
)

// finding is what is not monitored.
type finding struct {
	subject
	scope    topics.MonitoringScope
	reason   string
	sinceUs  int64        // 0: no decision is known
	patients []topics.Key // sorted
	beds     []string     // sorted
	lastSeen string
}

// view is what a look has found.
type view struct {
	stopped   []finding // by subject
	uncertain map[subject]bool
	blind     bool // nothing is known yet
	expected  int  // patients to be monitored
	worst     time.Duration
}

// sound reports whether a subject is well, and not only not yet found out.
func (v *view) sound(s subject) bool {
	if v.blind && s.node == "" || v.uncertain[s] {
		return false
	}
	return !slices.ContainsFunc(v.stopped, func(f finding) bool { return f.subject == s })
}

// look says what is not monitored at a moment.
func (j *judge) look(now time.Time, wallUs int64) *view {
	if late := now.Sub(j.looked); !j.looked.IsZero() && late > asleep {
		j.slept(late)
	}
	j.looked = now
	v := &view{uncertain: map[subject]bool{}, blind: !j.caughtUp}
	j.wake(wallUs)
	j.lookAtNodes(now, v)
	if !j.caughtUp {
		j.lookBefore(now, v)
		return v
	}
	standing := j.standing(now, v)
	site := j.lookAtSite(now, standing, v)
	units := j.units(now, standing, v)
	if !site {
		v.stopped = append(v.stopped, units...)
	}
	slices.SortFunc(v.stopped, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.node, b.node))
	})
	return v
}

// lookBefore judges while the log is not read to its end.
func (j *judge) lookBefore(now time.Time, v *view) {
	site := finding{subject: subject{of: topics.SiteOf}, scope: topics.MonitoringScope_MONITORING_SCOPE_SITE}
	switch waited := now.Sub(j.began); {
	case waited > j.after && now.Sub(j.kafka) > sound:
		site.reason = reasonKafka
	case waited > reading:
		site.reason = reasonReading
	default:
		return
	}
	v.stopped = append(v.stopped, site)
}

// standing tells which partitions of alarms stand still. What is about to be
// found with one that does is found with it.
func (j *judge) standing(now time.Time, v *view) []bool {
	standing := make([]bool, len(j.decided))
	for i := range j.decided {
		v.worst = max(v.worst, j.decided[i].age(now, j.fromTime))
	}
	if v.worst <= j.after {
		return standing
	}
	for i := range j.decided {
		standing[i] = j.decided[i].age(now, j.fromTime) > j.after-together
	}
	return standing
}

// lookAtSite judges the site as a whole, and reports whether it speaks for all units.
func (j *judge) lookAtSite(now time.Time, standing []bool, v *view) bool {
	site := finding{subject: subject{of: topics.SiteOf}, scope: topics.MonitoringScope_MONITORING_SCOPE_SITE}
	well := false
	for i := range j.decided {
		site.sinceUs = max(site.sinceUs, j.decided[i].wallUs)
		well = well || j.decided[i].age(now, j.fromTime) < sound
	}
	if !slices.Contains(standing, false) {
		if site.reason = j.why(now, standing); now.Sub(j.kafka) > sound {
			site.reason = reasonKafka
		}
		v.stopped = append(v.stopped, site)
		return true
	}
	if j.trial != nil && j.trial.overdue(now) {
		site.reason, site.sinceUs, site.lastSeen = reasonSynthetic, j.trial.raisedUs, j.trial.lastSeen
		v.stopped = append(v.stopped, site)
		return false
	}
	v.uncertain[site.subject] = !well
	return false
}

// why tells partitions that stand still from those that are far behind.
func (j *judge) why(now time.Time, standing []bool) string {
	for i := range j.decided {
		if standing[i] && (j.decided[i].n == 0 || now.Sub(j.decided[i].seen) > sound) {
			return reasonNoDecision
		}
	}
	return reasonBehind
}

// unit is a unit in the making.
type unit struct {
	finding
	expected int
	standing []bool // partitions of those who are not monitored
}

// units judges each unit with somebody to be monitored in it.
func (j *judge) units(now time.Time, standing []bool, v *view) (stopped []finding) {
	units := map[string]*unit{}
	for key, p := range j.patients {
		if !p.expected() && !j.heard(key, p) {
			continue
		}
		v.expected++
		name := cmp.Or(p.unit, unassigned)
		u := units[name]
		if u == nil {
			u = &unit{finding: finding{subject: subject{of: topics.UnitOf(name)}}, standing: make([]bool, len(standing))}
			units[name] = u
		}
		u.expected++
		j.lookAt(now, key, p, u, standing, v)
	}
	for _, u := range units {
		if len(u.patients) == 0 {
			continue
		}
		if u.scope = topics.MonitoringScope_MONITORING_SCOPE_PATIENT; len(u.patients) == u.expected {
			u.scope = topics.MonitoringScope_MONITORING_SCOPE_UNIT
		}
		if slices.Contains(u.standing, true) {
			u.reason = j.why(now, u.standing)
		}
		slices.Sort(u.patients)
		slices.Sort(u.beds)
		stopped = append(stopped, u.finding)
	}
	return stopped
}

// heard reports whether a key that no setting knows is watched: a device bound
// to nobody, while it sends. It forgets those that have not been heard of for long.
func (j *judge) heard(key topics.Key, p *patient) bool {
	if p.registered || p.secondUs == 0 {
		return false
	}
	silent := j.chart(key).sum - p.sum
	if silent > 10*lately {
		delete(j.patients, key)
	}
	return silent <= lately
}

// lookAt judges one patient of a unit.
func (j *judge) lookAt(now time.Time, key topics.Key, p *patient, u *unit, standing []bool, v *view) {
	at := topics.Partition(key, int32(len(j.decided)))
	silent := time.Duration(0) // by the ticks of its own partition: one that stands still ages nobody
	if p.registered {
		silent = j.chart(key).sum - p.sum
	}
	since := j.decided[at].wallUs
	switch {
	case standing[at]:
		u.standing[at] = true
	case silent > j.after:
		u.reason, since = reasonAbsent, p.secondUs
	default:
		if silent >= sound || j.decided[at].age(now, j.fromTime) >= sound {
			v.uncertain[u.subject] = true
		}
		return
	}
	u.patients = append(u.patients, key)
	if p.bed != "" {
		u.beds = append(u.beds, p.bed)
	}
	if since > 0 && (u.sinceUs == 0 || since < u.sinceUs) {
		u.sinceUs = since
	}
}

// lookAtNodes judges the nodes that are asked for their health.
func (j *judge) lookAtNodes(now time.Time, v *view) {
	for node, well := range j.nodes {
		s := subject{of: topics.SiteOf, node: node}
		switch {
		case j.nodeErr[node] == "" && now.Sub(well) <= sound:
		case now.Sub(well) > j.after:
			v.stopped = append(v.stopped, finding{
				subject: s, scope: topics.MonitoringScope_MONITORING_SCOPE_NODE, reason: reasonNode, sinceUs: j.nodeWall[node],
			})
		default:
			v.uncertain[s] = true
		}
	}
}
