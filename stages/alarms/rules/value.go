package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// readValue is what a case gives for a quantity: a number, true or false, a time
// of day, or unknown.
func readValue(name, text string) (Value, error) {
	v := Value{Name: name, V: math.NaN()}
	q := quantity(name)
	code, isCode := loincName(name)
	switch {
	case isCode:
		if why := wrongLOINC(code); why != "" {
			return v, fmt.Errorf("given: %s: %s", name, why)
		}
		q = &Quantity{Name: name, From: math.Inf(-1), To: math.Inf(1)}
	case q == nil:
		if s := near(name); s != "" {
			return v, fmt.Errorf("given: there is no %s: did you mean %s?", name, s)
		}
		return v, fmt.Errorf("given: there is no %s: `heartwire rules ls` lists what there is", name)
	case name == limitName || name == hysteresisName:
		return v, fmt.Errorf("given: %s is the rule's own: say it beside when", name)
	}
	if text == "unknown" {
		return v, nil
	}
	switch q.Kind {
	case Truth:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return v, fmt.Errorf("given: %s: %q: want true, false or unknown", name, text)
		}
		if v.V = 0; b {
			v.V = 1
		}
	case TimeOfDay:
		d, err := parseTime(text)
		if err != nil || d.Hours() >= 24 {
			return v, fmt.Errorf("given: %s: %q: want a time of day such as 22h30min", name, text)
		}
		v.V = d.Seconds()
	default:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !(x >= q.From && x <= q.To) {
			return v, fmt.Errorf("given: %s: %q: want a number from %v to %v, or unknown", name, text, q.From, q.To)
		}
		v.V = x
	}
	return v, nil
}

// loincName is the code in loinc("8867-4").
func loincName(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, fnLOINC+"(")
	if !ok {
		return "", false
	}
	return strings.Trim(strings.TrimSuffix(rest, ")"), `"'`), true
}

// Vital is the LOINC code and the unit by which a quantity comes as a vital;
// false: it does not.
func Vital(name string) (loinc, ucum string, ok bool) {
	if code, is := loincName(name); is {
		return code, "", true
	}
	if q := quantity(name); q != nil && len(q.LOINC) > 0 {
		return q.LOINC[0], q.Unit, true
	}
	return "", "", false
}
