package topics

// SyntheticUnit is the unit of synthetic patients, by whose alarms a site is
// tested end to end each minute. Nobody lies there: what shows, counts or
// reports patients leaves it out.
const SyntheticUnit = "synthetic"
