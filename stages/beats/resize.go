package beats

const (
	sameAt    = 0.95 // correlation with a template from which a candidate is such a beat, whatever its size
	sizeUsual = 2    // times or parts of the template's size: what lies between is one beat's luck
	sizeAgree = 1.33 // how much the sizes of two beats in a row may differ
)

// resized is a candidate that looks like a template at another size.
type resized struct {
	has  bool
	at   uint64
	size float32 // over the template's
}

// resize follows a lead whose amplitude changes at once, as when an electrode
// is moved: two candidates in a row that look like the patient's beats at the same other
// size are their beats at their new size. Templates and levels follow, in less than two beats.
func (t *reader) resize(d *detector, c *candidate, size float32) {
	last := t.size
	t.size = resized{}
	if size <= sizeUsual && size >= 1./sizeUsual {
		return
	}
	t.size = resized{true, c.at, size}
	if !last.has || size > sizeAgree*last.size || last.size > sizeAgree*size {
		return
	}
	size = (size + last.size) / 2
	for i := range t.own.list {
		m := &t.own.list[i]
		for k, v := range m.v {
			m.v[k] = whole(size * v)
		}
		m.form = m.v.form()
	}
	d.follow(size, c.level)
	t.size = resized{}
}
