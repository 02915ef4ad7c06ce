package patch

import "slices"

// LeadNames are the leads that a synthetic patient has, in the usual order.
var LeadNames = []string{"I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"}

const maxLeads = 12

// component is one gaussian of a beat: where it stands, how wide it is, and
// how high it is in each lead.
type component struct {
	at          float64    // s from the R peak of a beat at 60/min
	left, right float64    // s, standard deviation before and after its centre
	stretch     float64    // its distance from R goes with RR to this power
	amps        [8]float64 // mV in I, II, V1 to V6; the other leads follow
}

// shape is the form of a beat.
type shape []component

// The amplitudes are typical of an adult's resting ECG (the means of the normal
// limits that textbooks of the 12-lead ECG print), P, Q, R, S and T at the
// angles of McSharry et al. 2003, table I, turned into seconds at 60/min. T
// is steeper after its peak. QRS does not change with the rate; the distance
// of T goes with the root of RR (Bazett), that of P with its fourth root.
var (
	sinusP = component{-0.158, 0.021, 0.021, 0.25, [8]float64{0.07, 0.13, 0.05, 0.06, 0.07, 0.07, 0.07, 0.06}}

	narrow = shape{
		{-0.026, 0.0070, 0.0070, 0, [8]float64{-0.05, -0.09, 0, 0, 0, -0.05, -0.09, -0.09}},
		{0, 0.0110, 0.0105, 0, [8]float64{0.62, 1.15, 0.22, 0.50, 0.90, 1.50, 1.40, 1.05}},
		{0.027, 0.0100, 0.0100, 0, [8]float64{-0.13, -0.20, -0.90, -1.40, -0.85, -0.50, -0.25, -0.12}},
		{0.290, 0.055, 0.036, 0.5, [8]float64{0.18, 0.30, -0.05, 0.42, 0.45, 0.42, 0.33, 0.23}},
	}

	normalBeat = append(shape{sinusP}, narrow...)
	noPBeat    = narrow // of atrial fibrillation
	earlyPBeat = append(shape{{-0.130, 0.017, 0.019, 0.25, [8]float64{0.04, -0.07, 0.07, 0.06, 0.05, 0.04, 0.03, 0.03}}}, narrow...)

	// A ventricular beat from the outflow tract of the right ventricle: wide,
	// like a left bundle branch block, axis downwards, ST and T against QRS.
	ventricularBeat = shape{
		{0, 0.024, 0.026, 0, [8]float64{0.28, 1.60, -1.05, -1.45, -0.60, 0.80, 1.30, 1.20}},
		{0.046, 0.020, 0.026, 0, [8]float64{0.12, 0.50, -0.42, -0.55, -0.32, 0.28, 0.42, 0.36}},
		{0.290, 0.075, 0.050, 0.5, [8]float64{-0.12, -0.58, 0.42, 0.60, 0.30, -0.30, -0.52, -0.46}},
	}

	// A beat paced from the apex of the right ventricle: wide, axis upwards.
	pacedBeat = shape{
		{0, 0.024, 0.026, 0, [8]float64{0.60, -0.95, -0.85, -1.20, -1.25, -1.10, -0.80, -0.30}},
		{0.046, 0.020, 0.026, 0, [8]float64{0.30, -0.55, -0.45, -0.55, -0.60, -0.55, -0.40, -0.12}},
		{0.300, 0.070, 0.048, 0.5, [8]float64{-0.18, 0.42, 0.28, 0.45, 0.48, 0.42, 0.34, 0.14}},
	}

	// The pulse itself, as the patch's filter leaves it; its width is set by the rate.
	pacePulse = [8]float64{0.25, -0.45, -0.20, -0.25, -0.30, -0.35, -0.35, -0.25}

	// f-waves are highest in V1.
	fibrillatory = [8]float64{0.03, 0.06, 0.10, 0.06, 0.04, 0.03, 0.03, 0.03}
)

// paceLead is the time from a pulse to the R peak of the beat it makes.
const paceLead = 0.065 // s

// lead picks one of LeadNames from the eight leads that are independent:
// III = II − I (Einthoven), and the augmented leads after Goldberger.
func lead(amps [8]float64, name string) float64 {
	i, ii := amps[0], amps[1]
	switch name {
	case "I":
		return i
	case "II":
		return ii
	case "III":
		return ii - i
	case "aVR":
		return -(i + ii) / 2
	case "aVL":
		return i - ii/2
	case "aVF":
		return ii - i/2
	}
	return amps[slices.Index(LeadNames, name)-4]
}
