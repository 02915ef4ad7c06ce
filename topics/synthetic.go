package topics

import "strings"

// SyntheticUnit is the unit of synthetic patients, by whose alarms a site is
// tested end to end each minute. Nobody lies there: what shows, counts or
// reports patients leaves it out.
const SyntheticUnit = "synthetic"

// Synthetic reports whether a key is that of a synthetic patient: synthetic, or
// what begins with synthetic-. They and nobody else are in
// SyntheticUnit, which the registry sees to.
func Synthetic(patient Key) bool {
	return patient == SyntheticUnit || strings.HasPrefix(string(patient), SyntheticUnit+"-")
}
