package scenario

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"heartwire/pipeline/bridge/patch"
	"heartwire/stages/alarms/rules"
	"heartwire/topics"
	"heartwire/topics/wfdb"
)

// scenario is a file that has been read; the package's documentation tells the language.
type scenario struct {
	script patch.Script
	length int // s
	rate   float64
	leads  []string
	paced  bool
	gap    string // why it does not hold yet

	judged bool // there is a section alarms
	others bool // other alarms may come in between
	alarms []wantAlarm
	rhythm []wantRhythm
	beats  []wantBeats
	never  []wantNever
	people []deed
	rules  *rules.File // that people wrote

	candidates []wantSuppressed
}

type span struct{ from, to float64 } // s

var always = span{0, math.Inf(1)}

func (s span) holds(v float64) bool { return v >= s.from && v <= s.to }

type wantAlarm struct {
	at   span
	what string // raised HIGH asystole
	is   []string
}

type wantRhythm struct {
	name       string
	onset, end span
	goesOn     bool    // to the end of the scenario
	by         float64 // s at which it must have been said
}

type wantBeats struct {
	at    span
	class string
	count span
}

type wantNever struct {
	at         span
	kind, name string // alarm asystole, rhythm vt, beat V
}

func read(file string) (scenario, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return scenario{}, err
	}
	s, err := parse(string(text))
	if err != nil {
		return s, fmt.Errorf("%s:%w", file, err)
	}
	return s, nil
}

// parse reads a scenario; an error begins with the number of the line.
func parse(text string) (s scenario, err error) {
	s.rate = patch.DefaultSynthConfig().Rate
	s.leads = patch.DefaultSynthConfig().Leads
	section := ""
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Join(strings.Fields(line), " "); line == "" {
			continue
		}
		if name, rest, ok := strings.Cut(line, ":"); ok && !strings.Contains(name, " ") {
			section = name
			err = s.begin(name, strings.TrimSpace(rest))
		} else {
			err = s.line(section, line)
		}
		if err != nil {
			return s, fmt.Errorf("%d: %w", i+1, err)
		}
	}
	if s.length == 0 {
		return s, fmt.Errorf("%d: no script of any length", len(lines))
	}
	return s, nil
}

func (s *scenario) begin(section, rest string) (err error) {
	switch section {
	case "script":
		if s.script, err = patch.Parse(rest); err != nil {
			return err
		}
		for _, step := range s.script.Steps {
			s.length += int(step.For.Seconds())
		}
		return nil
	case "rate":
		s.rate, err = strconv.ParseFloat(rest, 64)
		return err
	case "leads":
		s.leads = strings.Fields(rest)
		return nil
	case "rules":
		return s.readRules(rest)
	case "patient":
		if s.paced = rest == "paced"; !s.paced {
			return fmt.Errorf("patient %q: want paced", rest)
		}
		return nil
	case "gap":
		if s.gap = rest; rest == "" {
			return errors.New("a gap wants words: why the scenario does not hold yet")
		}
		return nil
	case "alarms":
		s.judged, s.others = true, rest == "among others"
		if s.others {
			return nil
		}
	case "rhythms", "beats", "never", "people", "suppressed":
	default:
		return fmt.Errorf("a section %q: want script, rate, leads, patient, rules, gap, people, alarms, suppressed, rhythms, beats or never", section)
	}
	if rest != "" {
		return fmt.Errorf("%q after %s: its lines follow below", rest, section)
	}
	return nil
}

// readRules reads a file of rules and limits that hold from the first tick on.
func (s *scenario) readRules(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if s.rules, err = rules.ParseFile(file, b); err != nil {
		return err
	}
	if found := s.rules.Lint(); len(found) > 0 {
		return fmt.Errorf("%s:%w", file, found[0])
	}
	return nil
}

func (s *scenario) line(section, line string) error {
	words := strings.Fields(line)
	switch section {
	case "alarms":
		return s.alarmLine(words)
	case "rhythms":
		return s.rhythmLine(words)
	case "beats":
		return s.beatsLine(words)
	case "never":
		return s.neverLine(words)
	case "people":
		return s.peopleLine(words)
	case "suppressed":
		return s.suppressedLine(words)
	}
	return fmt.Errorf("%q belongs to no section: want people, alarms, suppressed, rhythms, beats or never before it", line)
}

func (s *scenario) alarmLine(words []string) (err error) {
	var w wantAlarm
	if len(words) < 4 {
		return errors.New("want FROM..TO, what becomes of it, priority and rule, then how it is: 24..26 raised HIGH asystole sounding")
	}
	for _, is := range words[4:] {
		if !slices.Contains(states, is) {
			return fmt.Errorf("%q: want %s", is, strings.Join(states, ", "))
		}
	}
	w.is, words = words[4:], words[:4]
	if w.at, err = parseSpan(words[0]); err != nil {
		return err
	}
	if p := words[2]; !slices.Contains([]string{"LOW", "MEDIUM", "HIGH"}, p) {
		return fmt.Errorf("priority %q: want LOW, MEDIUM or HIGH", p)
	}
	w.what = strings.Join(words[1:], " ")
	s.alarms = append(s.alarms, w)
	return nil
}

func (s *scenario) rhythmLine(words []string) (err error) {
	w := wantRhythm{by: math.Inf(1)}
	if len(words) == 4 && words[2] == "by" {
		if w.by, err = seconds(words[3]); err != nil {
			return err
		}
		words = words[:2]
	}
	if len(words) != 2 {
		return errors.New("want ONSET..END and a rhythm, and by when it must be said: 20±0.5..28±1 vt by 27")
	}
	onset, end, ok := strings.Cut(words[0], "..")
	if !ok {
		return fmt.Errorf("%q: want ONSET..END, or ONSET.. for one that goes on", words[0])
	}
	if w.onset, err = around(onset); err != nil {
		return err
	}
	if w.goesOn = end == ""; !w.goesOn {
		if w.end, err = around(end); err != nil {
			return err
		}
	}
	w.name = words[1]
	if err := isRhythm(w.name); err != nil {
		return err
	}
	s.rhythm = append(s.rhythm, w)
	return nil
}

func (s *scenario) beatsLine(words []string) (err error) {
	w := wantBeats{at: always}
	if len(words) == 3 {
		if w.at, err = parseSpan(words[0]); err != nil {
			return err
		}
		words = words[1:]
	}
	if len(words) != 2 {
		return errors.New("want a class and a number, after FROM..TO or for the whole: 20..30 V 4±1")
	}
	w.class = words[0]
	if err := isClass(w.class); err != nil {
		return err
	}
	if strings.Contains(words[1], "..") {
		w.count, err = parseSpan(words[1])
	} else {
		w.count, err = around(words[1])
	}
	s.beats = append(s.beats, w)
	return err
}

func (s *scenario) neverLine(words []string) (err error) {
	w := wantNever{at: always}
	if len(words) == 3 {
		if w.at, err = parseSpan(words[0]); err != nil {
			return err
		}
		words = words[1:]
	}
	if len(words) != 2 {
		return errors.New("want alarm RULE, rhythm NAME or beat CLASS, after FROM..TO or for the whole: 30..60 rhythm vt")
	}
	w.kind, w.name = words[0], words[1]
	switch w.kind {
	case "alarm":
	case "rhythm":
		err = isRhythm(w.name)
	case "beat":
		err = isClass(w.name)
	default:
		err = fmt.Errorf("%q: want alarm, rhythm or beat", w.kind)
	}
	s.never = append(s.never, w)
	return err
}

// parseSpan reads FROM..TO.
func parseSpan(text string) (s span, err error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		return s, fmt.Errorf("%q: want FROM..TO", text)
	}
	var bad error
	s.from, err = seconds(from)
	s.to, bad = seconds(to)
	if err = errors.Join(err, bad); err == nil && s.to < s.from {
		err = fmt.Errorf("%q: the end comes before the beginning", text)
	}
	return s, err
}

// around reads a number with its tolerance, 20±0.5; without one it is exact.
func around(text string) (s span, err error) {
	mid, by, has := strings.Cut(text, "±")
	v, err := seconds(mid)
	d := 0.0
	if has && err == nil {
		d, err = seconds(by)
	}
	return span{v - d, v + d}, err
}

func seconds(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v < 1e9) {
		return 0, fmt.Errorf("%q: want a number", text)
	}
	return v, nil
}

func isClass(name string) error {
	if len(name) != 1 || !strings.Contains("NSVFQ", name) {
		return fmt.Errorf("a class %q: want N, S, V, F or Q", name)
	}
	return nil
}

// rhythmName is a rhythm as scenarios write it: vt, v-run, r-on-t.
func rhythmName(r topics.Rhythm) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(r.String(), "RHYTHM_")), "_", "-")
}

func isRhythm(name string) error {
	var names []string
	for r := topics.Rhythm(1); topics.Rhythm_name[int32(r)] != ""; r++ {
		if names = append(names, rhythmName(r)); name == rhythmName(r) {
			return nil
		}
	}
	return fmt.Errorf("a rhythm %q: want one of %s", name, strings.Join(names, ", "))
}

func className(c topics.BeatClass) string { return wfdb.CodeOf(c).String() }
