//go:build real

package clinical

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// raised is an alarm that was raised in a recording; times in s of it.
type raised struct {
	rule             string
	priority         topics.Priority // the highest that it had
	id               string
	onset, said, end float64 // end: when its condition was over; +Inf: it goes on
}

// alarm notes what becomes of one.
func (p *pass) alarm(a *topics.AlarmState, us int64) {
	s := func(us int64) float64 { return float64(us-start.UnixMicro()) / 1e6 }
	i := slices.IndexFunc(p.raised, func(r raised) bool { return r.id == a.GetId() })
	if i < 0 && a.GetId() != "" {
		p.raised = append(p.raised, raised{a.GetRule(), a.GetPriority(), a.GetId(), s(a.GetOnsetUs()), s(us), math.Inf(1)})
		return
	}
	if i < 0 {
		return
	}
	r := &p.raised[i]
	r.priority = max(r.priority, a.GetPriority())
	if a.GetEndedUs() > 0 {
		r.end = s(a.GetEndedUs())
	} else if a.GetCondition() == topics.AlarmCondition_ALARM_CONDITION_ENDED {
		r.end = s(us)
	}
}

// watched notes the seconds in which nothing could be analysed.
func (p *pass) watched(c *topics.Chart) {
	if sec := c.GetSecond(); sec.GetSuspended() || sec.GetLeadOff() {
		p.blind = append(p.blind, float64(sec.GetSampleUs()-start.UnixMicro())/1e6)
	}
}

func (p *pass) hours() float64 { return float64(p.length) / p.rate / 3600 }

var priorities = []topics.Priority{topics.Priority_PRIORITY_HIGH, topics.Priority_PRIORITY_MEDIUM, topics.Priority_PRIORITY_LOW}

// burden is the alarms of recordings, in an hour.
type burden struct {
	hours    float64
	rules    map[string]int
	priority map[topics.Priority]int
	worst    map[string]string // by rule, the recording with most of them
}

func burdenOf(passes []*pass) burden {
	b := burden{rules: map[string]int{}, priority: map[topics.Priority]int{}, worst: map[string]string{}}
	most := map[string]float64{}
	for _, p := range passes {
		b.hours += p.hours()
		own := map[string]int{}
		for _, r := range p.raised {
			b.rules[r.rule]++
			b.priority[r.priority]++
			own[r.rule]++
		}
		for rule, n := range own {
			if rate := float64(n) / p.hours(); rate > most[rule] {
				most[rule], b.worst[rule] = rate, fmt.Sprintf("%s %.0f", p.name, rate)
			}
		}
	}
	return b
}

// writeBurden says how often each rule speaks, and which lethal episodes it did not.
func writeBurden(t testing.TB, w io.Writer) {
	names := []string{"mitdb", "vfdb", "afdb", "cinc2015vt"}
	list := [][]*pass{sets.mitdbAll(t), sets.vfdb(t), sets.afdb(t), sets.alarms(t)}
	fmt.Fprint(w, "\n## Alarms an hour\n\nBy the default limits, with all leads; of afdb from its beats, so with no alarm of the signal and no class but N. In brackets the recording with most. "+
		"cinc2015vt are five minutes before an alarm of a bedside monitor each.\n\n| | mitdb | vfdb | afdb | cinc2015vt |\n|---|---|---|---|---|\n")
	var all []burden
	row := func(name string, cell func(b burden) string) {
		fmt.Fprintf(w, "| %s |", name)
		for _, b := range all {
			fmt.Fprintf(w, " %s |", cell(b))
		}
		fmt.Fprintln(w)
	}
	for _, passes := range list {
		all = append(all, burdenOf(passes))
	}
	row("hours", func(b burden) string { return fmt.Sprintf("%.1f", b.hours) })
	for _, p := range priorities {
		row("**"+strings.TrimPrefix(p.String(), "PRIORITY_")+"**", func(b burden) string { return fmt.Sprintf("%.2f", float64(b.priority[p])/b.hours) })
	}
	for _, r := range topics.BuiltIns() {
		if !slices.ContainsFunc(all, func(b burden) bool { return b.rules[r.Rule] > 0 }) {
			continue
		}
		row("`"+r.Rule+"`", func(b burden) string {
			if b.rules[r.Rule] == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f (%s)", float64(b.rules[r.Rule])/b.hours, b.worst[r.Rule])
		})
	}
	fmt.Fprint(w, "\n## Lethal episodes without an alarm of their own\n\nEach VT, VF, flutter and asystole by the reference's rhythm labels during which no alarm `vt`, `vf`, `asystole`, and for a VT none of `hr.extreme-high` or `v-run`, was there.\n\n"+
		"| recording | label | at | lasts | beats of class V by the reference | what Heartwire made of it |\n|---|---|---|---|---|---|\n")
	for i, passes := range list[:2] {
		found, missed := 0, 0
		for _, p := range passes {
			for _, e := range p.lethal() {
				if p.answered(e) {
					found++
					continue
				}
				missed++
				fmt.Fprintf(w, "| %s %s | %s | %s | %.1f s | %d | %s |\n", names[i], p.name, e.label, clock(e.from), e.to-e.from, p.ventricularIn(e.from, e.to), p.instead(e))
			}
		}
		fmt.Fprintf(w, "| **%s** | | | | | %d of %d have one |\n", names[i], found, found+missed)
	}
}

// lethalSpan is a rhythm of the reference, in s.
type lethalSpan struct {
	label    string
	from, to float64
}

// lethal are the episodes of the reference that somebody must come for.
func (p *pass) lethal() (list []lethalSpan) {
	open := false
	for _, a := range p.ref {
		if a.Code != wfdb.Rhythm || !strings.HasPrefix(a.Aux, "(") {
			continue
		}
		at := float64(a.Sample) / p.rate
		if open {
			list[len(list)-1].to = at
		}
		if open = slices.Contains(ventricularNames, a.Aux) || a.Aux == "(ASYS"; open {
			list = append(list, lethalSpan{a.Aux[1:], at, float64(p.length) / p.rate})
		}
	}
	return list
}

// during are the rules whose alarms have their condition in an episode, or are
// said within 7 s of its end.
func (p *pass) during(e lethalSpan) (rules []string) {
	for _, r := range p.raised {
		if r.onset < e.to && r.end > e.from && r.said < e.to+inTime && !slices.Contains(rules, r.rule) {
			rules = append(rules, r.rule)
		}
	}
	return rules
}

func (p *pass) answered(e lethalSpan) bool {
	want := []string{topics.RuleVT, topics.RuleVF, topics.RuleAsystole}
	if e.label == "VT" {
		want = append(want, topics.RuleHRExtremeHigh, topics.RuleVRun)
	}
	return slices.ContainsFunc(p.during(e), func(rule string) bool { return slices.Contains(want, rule) })
}

// instead is what there was in place of an alarm.
func (p *pass) instead(e lethalSpan) string {
	var words []string
	if rules := p.during(e); len(rules) > 0 {
		words = append(words, "alarms "+strings.Join(rules, ", "))
	}
	blind := 0
	for _, s := range p.blind {
		if s >= e.from && s <= e.to {
			blind++
		}
	}
	if blind > 0 {
		words = append(words, fmt.Sprintf("suspended for %d s", blind))
	}
	v, n := 0, 0
	for _, a := range p.test {
		class, is := a.Code.Class()
		if at := float64(a.Sample) / p.rate; is && at >= e.from-0.15 && at <= e.to+0.15 {
			n++
			if class == topics.BeatClass_BEAT_CLASS_V {
				v++
			}
		}
	}
	return strings.Join(append(words, fmt.Sprintf("%d beats, %d of class V", n, v)), "; ")
}

// TestAlarmsOnRecordings holds how many of the reference's lethal episodes may
// have no alarm, and how often alarms may come.
func TestAlarmsOnRecordings(t *testing.T) {
	for name, c := range map[string]struct {
		passes       []*pass
		missed, long int     // that may be missed; long: of 8 s and more
		high, others float64 // alarms an hour at most
	}{
		"vfdb":  {sets.vfdb(t), 26, 0, 40, 55},
		"mitdb": {sets.mitdbAll(t), 12, 1, 3.5, 32},
		"afdb":  {sets.afdb(t), 0, 0, 0.6, 8},
	} {
		missed, long, all := 0, 0, 0
		for _, p := range c.passes {
			for _, e := range p.lethal() {
				all++
				if p.answered(e) {
					continue
				}
				if missed++; e.to-e.from >= 8 {
					long++
				}
			}
		}
		b := burdenOf(c.passes)
		high := float64(b.priority[topics.Priority_PRIORITY_HIGH]) / b.hours
		others := float64(b.priority[topics.Priority_PRIORITY_MEDIUM]+b.priority[topics.Priority_PRIORITY_LOW]) / b.hours
		t.Logf("%s: %d of %d lethal episodes have no alarm, %d of them of 8 s and more; %.2f HIGH alarms an hour, %.2f others", name, missed, all, long, high, others)
		if missed > c.missed || long > c.long || high > c.high || others > c.others {
			t.Errorf("%s: want at most %d without, %d of them of 8 s and more, and at most %v and %v alarms an hour", name, c.missed, c.long, c.high, c.others)
		}
	}
}
