package alarms

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"heartwire/topics"
)

var update = flag.Bool("update", false, "write the machines into DESIGN.md anew")

// What a person asks, and what comes of it: – is a refusal with its code, and
// leaves all as it was.
const signalMachine = `
              acknowledge   pause   resume       time      worse     latch
sounding      acknowledged  paused  –not-paused  sounding  sounding  sounding
acknowledged  –acknowledged paused  –not-paused  sounding  sounding  acknowledged
paused        acknowledged  paused  sounding     sounding  sounding  paused
`

const dutyMachine = `
           accept    accept,the,same  reject    reject,the,same  time
open       accepted  accepted         rejected  rejected         timed,out
accepted   –taken    –accepted        –taken    rejected         accepted
rejected   accepted  accepted         rejected  –rejected        timed,out
timed,out  accepted  accepted         rejected  rejected         timed,out
`

const stayMachine = `
         over     over,latching  again   reset         inhibited  off    standby  moved
active   ended    latched        active  –not-latched  ended      ended  ended    ended
latched  latched  latched        ended   ended         latched    ended  ended    ended
`

func TestTheEndStateByEvent(t *testing.T) {
	var b strings.Builder
	row(&b, "", int(endings), func(e int) string { return ending(e).String() })
	for is := range stays {
		row(&b, is.String(), int(endings), func(e int) string {
			s, a := &State{patient: "p01", now: 5}, &alarm{version: 3, endedUs: 4}
			c := &s.conditions[ruleVT]
			c.phase, c.open = active, a
			at := &c.open
			if is == isLatched {
				*c = condition{latched: a}
				at = &c.latched
			}
			var said []*topics.AlarmState
			why := s.conclude(ruleVT, at, ending(e), change{what: changeEnded}, func(a *topics.Alarm) { said = append(said, a.GetState()) })
			to := isEnded
			if c.open != nil || c.latched != nil {
				to = c.stayOf(a)
			}
			if (len(said) > 0) != (to != is) || len(said) > 0 && said[0].GetVersion() != 4 {
				t.Errorf("%v in %v says %v", ending(e), is, said)
			}
			if to == isEnded && (said[0].GetEndReason() != ending(e).String() || said[0].GetEndedUs() == 0 || s.missing(a.id.String()) != codeEnded) {
				t.Errorf("%v in %v ends as %v", ending(e), is, said[0])
			}
			return cell(to.String(), why)
		})
	}
	same(t, b.String(), stayMachine)
}

func TestTheSignalStateByEvent(t *testing.T) {
	var b strings.Builder
	row(&b, "", int(signalEvents), func(e int) string { return signalEvent(e).String() })
	for is := range signals {
		row(&b, is.String(), int(signalEvents), func(e int) string {
			v := signal{is: is, by: "nurse-1", until: time.Minute, untilUs: 60e6}
			was := v
			why := v.ring(signalEvent(e))
			if why != "" && v != was || why == "" && v.is == sounding && v != (signal{}) {
				t.Errorf("%v in %v leaves %+v (%s)", signalEvent(e), is, v, why)
			}
			if signalEvent(e) == signalLatch && v.is == acknowledged && v.until != 0 {
				t.Error("an acknowledged alarm whose condition is over would sound again")
			}
			return v.is.cell(why)
		})
	}
	same(t, b.String(), signalMachine)
}

func TestTheResponsibilityStateByEvent(t *testing.T) {
	var b strings.Builder
	row(&b, "", int(dutyEvents), func(e int) string { return dutyEvent(e).String() })
	events := [dutyEvents]struct {
		event  dutyEvent
		person string
	}{{dutyAccept, "nurse-2"}, {dutyAccept, "nurse-1"}, {dutyReject, "nurse-2"}, {dutyReject, "nurse-1"}, {dutyTime, ""}}
	for is := range duties {
		row(&b, is.String(), int(dutyEvents), func(e int) string {
			d := duty{is: is, by: "nurse-1", since: time.Second}
			if is == timedOut || is == nobody {
				d.by = ""
			}
			was := d
			why := d.pass(events[e].event, events[e].person, time.Minute)
			moved := d.is != is || is == rejected && why == ""
			if !moved && d != was || moved && (d.by != events[e].person || d.since != time.Minute) {
				t.Errorf("%v in %v leaves %+v (%s)", dutyEvent(e), is, d, why)
			}
			return d.is.cell(why)
		})
	}
	same(t, b.String(), dutyMachine)
}

func (v signalState) cell(why code) string { return cell(v.String(), why) }
func (v dutyState) cell(why code) string   { return cell(v.String(), why) }

func cell(to string, why code) string {
	if why != "" {
		return "–" + string(why)
	}
	return to
}

func row(b *strings.Builder, name string, n int, at func(int) string) {
	fmt.Fprintf(b, "\n%s ", word(name))
	for i := range n {
		fmt.Fprintf(b, " %s", word(at(i)))
	}
}

func word(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, ", ", ","), " ", ",") }

func same(t *testing.T, got, want string) {
	t.Helper()
	if fmt.Sprint(strings.Fields(got)) != fmt.Sprint(strings.Fields(want)) {
		t.Errorf("the machine is\n%s\nand must be\n%s", got, want)
	}
}

// The tables in DESIGN.md are those of the code.
func TestDesignHasTheMachines(t *testing.T) {
	file, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct {
		name string
		text string
	}{
		{"rules", printRules()},
		{"condition", printed("condition", int(phases), int(happenings), func(p int) string { return phase(p).String() }, func(h int) string { return happening(h).String() },
			func(p, h int) string { m := moves[p][h]; return m.to.String() + m.do.String() })},
		{"alarm", printed("alarm", int(stays), int(endings), func(v int) string { return stay(v).String() }, func(e int) string { return ending(e).String() },
			func(v, e int) string { m := stayMoves[v][e]; return cell(m.to.String(), m.refused) })},
		{"signal", printed("signal", int(signals), int(signalEvents), func(v int) string { return signalState(v).String() }, func(e int) string { return signalEvent(e).String() },
			func(v, e int) string { m := signalMoves[v][e]; return cell(m.to.String(), m.refused) })},
		{"responsibility", printed("responsibility", int(duties), int(dutyEvents), func(v int) string { return dutyState(v).String() }, func(e int) string { return dutyEvent(e).String() },
			func(v, e int) string { m := dutyMoves[v][e]; return cell(m.to.String(), m.refused) })},
		{"refusals", printRefusals()},
	} {
		from, to := []byte("<!-- "+part.name+" -->\n"), []byte("<!-- end -->\n")
		i := bytes.Index(file, from)
		if i < 0 {
			t.Fatalf("DESIGN.md has no place for %s", part.name)
		}
		i += len(from)
		n := bytes.Index(file[i:], to)
		if n < 0 {
			t.Fatalf("the place for %s does not end", part.name)
		}
		if string(file[i:i+n]) != part.text {
			if !*update {
				t.Errorf("%s in DESIGN.md is not what the code has: run go test ./stages/alarms -run Design -update", part.name)
			}
			file = append(append(append([]byte(nil), file[:i]...), part.text...), file[i+n:]...)
		}
	}
	if *update {
		if err := os.WriteFile("DESIGN.md", file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func printed(name string, rows, columns int, row, column func(int) string, at func(int, int) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", name)
	for c := range columns {
		fmt.Fprintf(&b, " %s |", column(c))
	}
	b.WriteString("\n|" + strings.Repeat("---|", columns+1) + "\n")
	for r := range rows {
		fmt.Fprintf(&b, "| %s |", row(r))
		for c := range columns {
			fmt.Fprintf(&b, " %s |", at(r, c))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func printRefusals() string {
	var b strings.Builder
	b.WriteString("| code | in words |\n|---|---|\n")
	for _, r := range refusals {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.code, r.words)
	}
	return b.String()
}

func printRules() string {
	var b strings.Builder
	b.WriteString("| rule | priority | limit | for | hysteresis | calm | latches | silent under |\n|---|---|---|---|---|---|---|---|\n")
	for i := range rules {
		r, l := &rules[i], defaultsForce[i]
		priority := strings.TrimPrefix(l.priority.String(), "PRIORITY_")
		if r.technical {
			priority += ", technical"
		}
		than := map[bool]string{false: ">", true: "<"}[r.below]
		if r.equal {
			than = map[bool]string{false: "≥", true: "≤"}[r.below]
		}
		limit := fmt.Sprintf("%s %v %s", than, l.value, r.unit)
		if r.unit == "" {
			limit = ""
		}
		lasts, hysteresis, latches := "", "", ""
		if l.duration > 0 {
			lasts = fmt.Sprintf("%v s", l.duration.Seconds())
		}
		if l.hysteresis > 0 {
			hysteresis = fmt.Sprintf("%v", l.hysteresis)
		}
		if l.latching {
			latches = "yes"
		}
		var under []string
		for _, by := range r.under {
			under = append(under, rules[by].name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %v s | %s | %s |\n", r.name, priority, strings.TrimSpace(limit), lasts, hysteresis, r.calm.Seconds(), latches, strings.Join(under, ", "))
	}
	return b.String()
}

// Every code has words, and they say more than the code.
func TestEveryRefusalHasWords(t *testing.T) {
	seen := map[code]bool{}
	for _, r := range refusals {
		if seen[r.code] || !strings.ContainsAny(r.words, ":,") {
			t.Errorf("%s: %q", r.code, r.words)
		}
		seen[r.code] = true
	}
	for _, table := range signalMoves {
		for _, m := range table {
			if m.refused != "" && !seen[m.refused] {
				t.Errorf("%s has no words", m.refused)
			}
		}
	}
	for _, table := range dutyMoves {
		for _, m := range table {
			if m.refused != "" && !seen[m.refused] {
				t.Errorf("%s has no words", m.refused)
			}
		}
	}
}
