package rules

import (
	"fmt"
	"time"
)

// statistic is what is asked of a window.
type statistic uint8

const (
	none statistic = iota // of no window: the quantity itself
	mean
	least // min
	most  // max
	slope // by least squares, per minute
	count // of beats
)

var statistics = [...]string{none: "", mean: "mean", least: "min", most: "max", slope: "slope", count: "count"}

// String is the name by which a rule asks for it.
func (s statistic) String() string { return statistics[s] }

func statisticNamed(name string) statistic {
	for i, n := range statistics {
		if n == name && n != "" {
			return statistic(i)
		}
	}
	return none
}

const (
	buckets    = 60 // of a window, at most
	longest    = 24 * time.Hour
	shortest   = 2 * time.Second
	leastSlope = 3 // points that make a slope
)

// read is one thing that a rule reads: a quantity, or what a window of it is.
type read struct {
	quantity *Quantity // nil: of the vital named by loinc
	loinc    string
	stat     statistic
	seconds  int
}

// name is the quantity's, or loinc: and the code.
func (r *read) name() string {
	if r.quantity == nil {
		return loincPrefix + r.loinc
	}
	return r.quantity.Name
}

// String is the read as a rule writes it.
func (r *read) String() string {
	name := r.name()
	if r.quantity == nil {
		name = fmt.Sprintf("loinc(%q)", r.loinc)
	}
	if r.stat == none {
		return name
	}
	return fmt.Sprintf("%s.%s(%s)", name, r.stat, spell(time.Duration(r.seconds)*time.Second))
}

func (r *read) kind() Kind {
	if r.quantity == nil {
		return Number
	}
	return r.quantity.Kind
}

// held reports that its value comes by itself, and is kept for a time.
func (r *read) held() bool { return r.holds() > 0 }

func (r *read) holds() time.Duration {
	if r.quantity == nil {
		return anyVital
	}
	return r.quantity.Holds
}

// step is the length of one bucket in s. A window of up to a minute is of
// seconds; a longer one of sixty parts.
func (r *read) step() int { return max(1, r.seconds/buckets) }

func (r *read) buckets() int { return r.seconds / r.step() }

// wrongWindow says why a window cannot be of that length.
func wrongWindow(d time.Duration) string {
	switch {
	case d < shortest || d > longest:
		return fmt.Sprintf("a window of %s: want %s to %s", spell(d), spell(shortest), spell(longest))
	case d <= time.Minute && d%time.Second != 0:
		return fmt.Sprintf("a window of %s: want whole seconds", spell(d))
	case d > time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("a window of %s: above a minute, want whole minutes", spell(d))
	}
	return ""
}

// key names the series that a window is of: several windows can share one.
type key struct {
	name string
	stat statistic // mean, least, most or count: what a bucket holds
	step int
}

func (r *read) key() key {
	k := key{r.name(), r.stat, r.step()}
	if k.stat == slope {
		k.stat = mean
	}
	// In one second all are the same, except where several intervals end in it.
	if k.step == 1 && k.stat != count && r.quantity.Name != "rr" {
		k.stat = mean
	}
	return k
}
