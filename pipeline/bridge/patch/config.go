package patch

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config says which patients there are, what their patches do, and where
// they send it. Durations are in the patient's time: at Speed 10 an hour of
// them passes in six minutes.
type Config struct {
	Broker       string `yaml:"broker"`        // tcp://host:1883, or ssl://host:8883
	CAFile       string `yaml:"ca_file"`       // who signed the broker's certificate; empty: the machine's own list
	User         string `yaml:"user"`          //
	PasswordFile string `yaml:"password_file"` //
	Site         string `yaml:"site"`          // the first level of MQTT topics
	Connections  int    `yaml:"connections"`   // 0: one for each patch; fewer share, and then only the first of each has a last will

	Patients    int           `yaml:"patients"`     // with devices named patch-01, patch-02, …
	Scripts     []string      `yaml:"scripts"`      // patient i lives the i-th, and then from the first again; see Parse
	Records     []string      `yaml:"records"`      // WFDB records to play instead, without extension
	Loop        bool          `yaml:"loop"`         // a record begins again at its end
	Skip        time.Duration `yaml:"skip"`         // where in a record to begin
	RecordLeads []string      `yaml:"record_leads"` // of a record, by its names; empty: all its ECG leads
	Leads       []string      `yaml:"leads"`        // of a synthetic patient
	Rate        float64       `yaml:"rate"`         // Hz, of a synthetic patient
	Seed        uint64        `yaml:"seed"`         // another seed is other people and other luck
	Speed       float64       `yaml:"speed"`        // 1 is real time
	For         time.Duration `yaml:"for"`          // 0: without end

	Frame    time.Duration `yaml:"frame"`     // length of a frame, 20ms to 10s
	Encoding string        `yaml:"encoding"`  // proto or json
	Vitals   time.Duration `yaml:"vitals"`    // between two SpO2 and respiratory rates of a synthetic patient; 0: none
	Backlog  time.Duration `yaml:"backlog"`   // what a patch keeps while it has no broker; the oldest goes first
	CatchUp  float64       `yaml:"catch_up"`  // how many times faster than it came the backlog is sent, beside live
	StateDir string        `yaml:"state_dir"` // where boot counters are kept; empty: they count from the clock
	Ledger   string        `yaml:"ledger"`    // file to which the fate of each frame is appended, a JSON object a line

	Behaviour Behaviour `yaml:"behaviour"`

	// Devices, if set, names the patches instead of patch-01, patch-02, …
	Devices []string `yaml:"-"`
	// Boot, if set, gives a device's next boot number instead of StateDir; one call at a time.
	Boot func(device string) (uint64, error) `yaml:"-"`
	// Entries, if set, is told the fate of each frame, from several goroutines.
	Entries func(Entry) `yaml:"-"`
}

// Behaviour is what goes wrong with patches. Chance is seeded.
type Behaviour struct {
	GapEvery    time.Duration `yaml:"gap_every"`    // the connection is torn about so often; 0: never
	GapFor      time.Duration `yaml:"gap_for"`      // for so long; what was measured is sent later
	RebootEvery time.Duration `yaml:"reboot_every"` // the patch starts anew: boot + 1, first sample 0, after 2 s; 0: never
	Lost        float64       `yaml:"lost"`         // probability that a frame is never sent
	Duplicate   float64       `yaml:"duplicate"`    // probability that a frame is sent twice
	Reorder     float64       `yaml:"reorder"`      // probability that a frame is sent after the next one
	Missing     float64       `yaml:"missing"`      // probability that a sample is marked as missing
	ClockOffset time.Duration `yaml:"clock_offset"` // of the device's clock
	ClockDrift  float64       `yaml:"clock_drift"`  // of the device's clock, ppm
	Battery     float64       `yaml:"battery"`      // % at the start; negative: not reported
	BatteryUse  float64       `yaml:"battery_use"`  // % an hour
}

// DefaultConfig is the eight patients of Demo, in real time, at a broker on this machine.
func DefaultConfig() Config {
	return Config{
		Broker: "tcp://127.0.0.1:1883", Site: "heartwire",
		Patients: 8, Scripts: Demo(), Leads: []string{"II", "V1"}, Rate: 250, Seed: 1, Speed: 1,
		Frame: 250 * time.Millisecond, Encoding: "proto", Vitals: 2 * time.Second,
		Backlog: 10 * time.Minute, CatchUp: 50,
		Behaviour: Behaviour{Battery: 96, BatteryUse: 0.6},
	}
}

const (
	minFrame     = 20 * time.Millisecond
	maxFrame     = 10 * time.Second
	maxPatients  = 100_000
	maxSpeed     = 10_000
	rebootTakes  = 2 * time.Second
	countPerMicV = 5 // µV per count of a synthetic patient; IEC 60601-2-47 asks for at most 5
)

var siteName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Validate tells all problems at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("simulate."+format, args...)) }
	if u, err := url.Parse(c.Broker); err != nil || u.Port() == "" || !slices.Contains(schemes, u.Scheme) {
		bad("broker: %q is not tcp://host:port or ssl://host:port", c.Broker)
	} else if u.User != nil {
		bad("broker: name and password do not belong in the address: use user and password_file")
	}
	if !siteName.MatchString(c.Site) {
		bad("site: %q must be lower-case letters, digits and dashes, at most 63", c.Site)
	}
	if c.PasswordFile != "" && c.User == "" {
		bad("password_file: a user is needed with it")
	}
	if c.Patients < 1 || c.Patients > maxPatients {
		bad("patients: %d is not between 1 and %d", c.Patients, maxPatients)
	}
	if c.Connections < 0 || c.Connections > max(c.Patients, 0) {
		bad("connections: %d is not between 0 (one for each patch) and the number of patients", c.Connections)
	}
	if !(c.Speed > 0 && c.Speed <= maxSpeed) {
		bad("speed: %g is not above 0 and at most %d", c.Speed, maxSpeed)
	}
	if c.Frame < minFrame || c.Frame > maxFrame {
		bad("frame: %s is not between %s and %s", c.Frame, minFrame, maxFrame)
	}
	if c.Encoding != "proto" && c.Encoding != "json" {
		bad("encoding: %q is not proto or json", c.Encoding)
	}
	if !(c.CatchUp >= 1 && c.CatchUp <= 1000) {
		bad("catch_up: %g is not between 1 and 1000", c.CatchUp)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"skip", c.Skip}, {"for", c.For}, {"vitals", c.Vitals}, {"backlog", c.Backlog}} {
		if d.d < 0 {
			bad("%s: %s is negative", d.name, d.d)
		}
	}
	errs = append(errs, c.sources()...)
	errs = append(errs, c.Behaviour.validate()...)
	return errors.Join(errs...)
}

// sources are the problems of scripts and records.
func (c Config) sources() (errs []error) {
	if len(c.Records) > 0 {
		return nil // they are looked at when they are opened
	}
	if len(c.Scripts) == 0 {
		return []error{errors.New("simulate.scripts: name at least one, or a record")}
	}
	for i, text := range c.Scripts {
		s, err := Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("simulate.scripts[%d]: %w", i, err))
			continue
		}
		if err := c.synth(s, 0).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("simulate.scripts[%d]: %s", i, strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
	return errs
}

// synth is the configuration of patient i.
func (c Config) synth(s Script, i int) SynthConfig {
	return SynthConfig{Script: s, Rate: c.Rate, Leads: c.Leads, MicrovoltsPerCount: countPerMicV, Seed: c.Seed<<20 + uint64(i)}
}

func (b Behaviour) validate() (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("simulate.behaviour."+format, args...))
	}
	for _, p := range []struct {
		name string
		p    float64
	}{{"lost", b.Lost}, {"duplicate", b.Duplicate}, {"reorder", b.Reorder}, {"missing", b.Missing}} {
		if !(p.p >= 0 && p.p <= 1) {
			bad("%s: %g is not a probability from 0 to 1", p.name, p.p)
		}
	}
	if b.GapEvery < 0 || b.GapFor < 0 || b.GapEvery > 0 && (b.GapFor == 0 || b.GapFor >= b.GapEvery) {
		bad("gap_every: a gap of %s does not fit into %s", b.GapFor, b.GapEvery)
	}
	if b.RebootEvery < 0 || b.RebootEvery > 0 && b.RebootEvery < 2*rebootTakes {
		bad("reboot_every: %s is below %s", b.RebootEvery, 2*rebootTakes)
	}
	if !(b.ClockDrift >= -1e6 && b.ClockDrift <= 1e6) {
		bad("clock_drift: %g ppm is not between -1e6 and 1e6", b.ClockDrift)
	}
	if !(b.Battery <= 100) || !(b.BatteryUse >= 0) {
		bad("battery: %g %% at %g %% an hour is no battery: want at most 100 and not below 0", b.Battery, b.BatteryUse)
	}
	return errs
}
