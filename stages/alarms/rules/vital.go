package rules

import (
	"math"
	"strings"
	"time"

	"heartwire/topics"
)

// anyVital is how long a vital that a rule reads by its code stays known.
const anyVital = time.Hour

const loincPrefix = "loinc:"

// vitalValue is a vital in the unit of the quantity, or NaN in a unit that
// cannot be it: a number in the wrong unit is worse than none.
func (q *Quantity) vitalValue(v *topics.Vital) float64 {
	x := v.GetValue()
	switch from := v.GetUcum(); {
	case from == q.Unit:
	case q.Unit == "Cel" && from == "[degF]":
		x = (x - 32) / 1.8
	case q.Unit == "Cel" && from == "K":
		x -= 273.15
	case q.Unit == "mg/dL" && from == "mmol/L":
		x *= 18.0156 // molar mass of glucose, 180.156 g/mol
	case q.Unit == "mm[Hg]" && from == "kPa":
		x *= 7.50062
	case q.Unit == "/min" && (from == "{beats}/min" || from == "{breaths}/min" || from == "1/min"):
	default:
		return math.NaN()
	}
	if !(x >= q.From && x <= q.To) {
		return math.NaN()
	}
	return x
}

// is reports that the vital of that code is the quantity.
func (q *Quantity) is(loinc string) bool {
	for _, c := range q.LOINC {
		if c == loinc {
			return true
		}
	}
	return false
}

// wrongLOINC says what is wrong with a code: its last digit checks the others
// (mod 10, LOINC Users' Guide, appendix C).
func wrongLOINC(code string) string {
	digits, check, ok := strings.Cut(code, "-")
	if !ok || len(digits) == 0 || len(digits) > 7 || len(check) != 1 || strings.Trim(digits+check, "0123456789") != "" {
		return "want a LOINC code such as 8867-4"
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	if int(check[0]-'0') != (10-sum%10)%10 {
		return "no LOINC code has that check digit: is a digit wrong?"
	}
	return ""
}

// variability are the quantities of one, in the order of the vocabulary.
func variability(name string, v *topics.Variability) float64 {
	switch name {
	case "hrv.nn":
		return v.GetMeanMs()
	case "hrv.sdnn":
		return v.GetSdnnMs()
	case "hrv.rmssd":
		return v.GetRmssdMs()
	case "hrv.pnn50":
		return v.GetPnn50()
	case "hrv.lf":
		return v.GetLfMs2()
	case "hrv.hf":
		return v.GetHfMs2()
	case "hrv.lfhf":
		if v.GetHfMs2() > 0 {
			return v.GetLfHf()
		}
	}
	return math.NaN()
}
