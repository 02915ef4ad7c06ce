package registry

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"heartwire/topics"
)

const (
	maxName  = 64 // bytes of a pseudonym, a device or a unit
	maxAlias = 40 // runes that a tile can show
)

var pseudonym = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (t *turn) putPatient(p *topics.Patient) error {
	if err := checkPatient(p); err != nil {
		return err
	}
	s := t.state
	old := find(s.Patients, p.Patient)
	var version uint64
	if old != nil {
		version = old.Version
	}
	if err := t.seen(version); err != nil {
		return err
	}
	now := patient{
		Name: p.Patient, Version: t.version, Unit: p.Unit, Bed: p.Bed, Alias: p.Alias,
		Paced: p.Paced, AgeGroup: p.AgeGroup, Discharged: p.Discharged,
	}
	if old != nil {
		same := *old
		same.Version = now.Version
		if same == now {
			return nil
		}
	}
	remeasure := old != nil && (old.Paced != now.Paced || old.AgeGroup != now.AgeGroup)
	s.Patients = insert(s.Patients, now)
	set := t.setting("patient/" + p.Patient)
	set.Kind = &topics.Setting_Patient{Patient: now.record()}
	t.say(set)
	if now.Discharged {
		t.forgetLayer(p.Patient)
		for _, d := range s.boundTo(p.Patient) {
			t.move(d, "", t.soon())
		}
		return nil
	}
	if err := s.checkSets(place{kind: topics.LayerPatient, name: p.Patient}); err != nil {
		return err
	}
	limits := t.setting("limits/" + p.Patient)
	limits.Kind = &topics.Setting_Limits{Limits: s.limits(&now)}
	t.say(limits)
	t.say(chart(p.Patient, t.req.TimeUs, s.limits(&now)))
	if remeasure {
		for _, d := range s.boundTo(p.Patient) {
			t.say(t.processor.binding(s, d.Name, p.Patient, t.req.TimeUs))
		}
	}
	return nil
}

// forgetLayer ends what was set of a patient: whoever is admitted again begins
// without it.
func (t *turn) forgetLayer(patient string) {
	of := "patient/" + patient
	if l := find(t.state.Layers, of); l != nil {
		t.state.Layers = without(t.state.Layers, of)
		t.state.schedule()
		t.say(t.layerSetting(&topics.Layer{Of: of, Gone: true}))
	}
}

func checkPatient(p *topics.Patient) error {
	if !pseudonym.MatchString(p.GetPatient()) {
		return refuse(CodeBadName, "patient %q: a pseudonym is 1 to 64 letters, digits, dots, dashes or underscores", p.GetPatient())
	}
	if strings.HasPrefix(p.Patient, "u-") {
		return refuse(CodeBadName, "patient %q: what begins with u- names devices bound to nobody; choose another pseudonym", p.Patient)
	}
	if topics.Synthetic(topics.Key(p.Patient)) != (p.Unit == topics.SyntheticUnit) {
		return refuse(CodeBadName, "patient %q in unit %q: synthetic patients, called synthetic or synthetic-…, are in the unit %s, and nobody else: nobody is shown there",
			p.Patient, p.Unit, topics.SyntheticUnit)
	}
	for _, f := range []struct{ name, text string }{{"unit", p.Unit}, {"bed", p.Bed}, {"alias", p.Alias}} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	return checkAge(p.AgeGroup)
}

func checkText(name, text string) error {
	if n := utf8.RuneCountInString(text); n > maxAlias {
		return refuse(CodeBadName, "%s: %d characters, and a tile shows %d", name, n, maxAlias)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return refuse(CodeBadName, "%s: leave out control characters", name)
	}
	return nil
}

func checkUnit(unit string) error {
	if unit == "" || unit == "*" {
		return refuse(CodeBadName, "unit %q: name the unit", unit)
	}
	return checkText("unit", unit)
}

func checkAge(age topics.AgeGroup) error {
	if _, ok := topics.AgeGroup_name[int32(age)]; !ok {
		return refuse(CodeBadRequest, "age_group: %d is none that this registry knows", age)
	}
	return nil
}

func checkDevice(device string) error {
	if device == "" || len(device) > maxName || !utf8.ValidString(device) ||
		strings.ContainsAny(device, "+#/") || strings.ContainsFunc(device, unicode.IsControl) {
		return refuse(CodeBadName, "device %q: a device's name has 1 to 64 bytes without + # / and control characters", device)
	}
	return nil
}

func (t *turn) bind(b *topics.Bind) error {
	if err := checkDevice(b.GetDevice()); err != nil {
		return err
	}
	p := find(t.state.Patients, b.GetPatient())
	switch {
	case p == nil:
		return refuse(CodeUnknownPatient, "patient %q is not admitted: put the patient first", b.GetPatient())
	case p.Discharged:
		return refuse(CodeDischarged, "patient %q is discharged: admit the patient again first", b.GetPatient())
	}
	return t.rebind(b.Device, b.Patient, b.AtUs)
}

func (t *turn) unbind(u *topics.Unbind) error {
	if err := checkDevice(u.GetDevice()); err != nil {
		return err
	}
	if d := find(t.state.Devices, u.Device); d == nil || d.open() == nil {
		return refuse(CodeNotBound, "device %q is bound to nobody", u.Device)
	}
	return t.rebind(u.Device, "", u.AtUs)
}

// rebind gives a device to a patient, or to nobody.
func (t *turn) rebind(device, patient string, at int64) error {
	d := find(t.state.Devices, device)
	if d == nil {
		d = &deviceState{Name: device}
	}
	if err := t.seen(d.Version); err != nil {
		return err
	}
	if at == 0 {
		at = t.soon()
	}
	if at > t.soon() {
		return refuse(CodeBadTime, "at: a binding begins at once or in the past, and this is %s ahead", topics.MicroTime(at).Sub(topics.MicroTime(t.req.TimeUs)))
	}
	if open := d.open(); open != nil {
		if open.Patient == patient {
			return nil
		}
		if at < open.From {
			return refuse(CodeBadTime, "at: the present binding began at %s, and what was bound before cannot be bound again",
				topics.MicroTime(open.From).Format("2006-01-02 15:04:05Z"))
		}
	} else if n := len(d.Bindings); n > 0 && at < d.Bindings[n-1].Until {
		return refuse(CodeBadTime, "at: the last binding ended at %s, and what was bound before cannot be bound again",
			topics.MicroTime(d.Bindings[n-1].Until).Format("2006-01-02 15:04:05Z"))
	}
	t.move(d, patient, at)
	return nil
}

// ahead is how long after a request a binding begins, unless the request says
// when. A bridge learns of it within a fraction of that, so no sample taken
// after it is filed under the patient before: until then the patch is as it was.
const ahead = 2 * time.Second

// soon is when a binding begins that is asked for now. Of two clocks the later
// one counts: too late a patch is unassigned for longer, too early it is somebody else's.
func (t *turn) soon() int64 {
	return max(t.req.TimeUs, t.state.Wall) + ahead.Microseconds()
}

// move ends a device's binding and begins the next; patient "" is nobody. Both
// keys are told, the one that is left first.
func (t *turn) move(d *deviceState, patient string, at int64) {
	s := t.state
	from := t.key(d.Name, "")
	if open := d.open(); open != nil {
		from = open.Patient
		at = max(at, open.From)
	}
	to := t.key(d.Name, patient)
	next := d.moved(patient, at)
	next.Version = t.version
	s.Devices = insert(s.Devices, next)
	set := t.setting("device/" + d.Name)
	set.Kind = &topics.Setting_Device{Device: next.record()}
	t.say(set)
	t.say(&topics.Frame{Patient: from, Kind: &topics.Frame_Binding{Binding: &topics.Binding{Device: d.Name, AtUs: at, Other: to}}})
	// Before the binding: whoever is watched is watched by these.
	if p := find(s.Patients, patient); p != nil {
		t.say(chart(p.Name, at, s.limits(p)))
	} else {
		t.say(s.unboundLimits(t.processor, &next, at))
	}
	entered := t.processor.binding(s, d.Name, to, at)
	entered.GetBinding().Other = from
	t.say(entered)
}

// key is the patient, or the key of a device that is bound to nobody.
func (t *turn) key(device, patient string) string {
	if patient != "" {
		return patient
	}
	return string(topics.Unassigned(t.siteKey, device))
}
