package bridge

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// MaxMessage is the largest message of a patch, in bytes.
const MaxMessage = 1 << 20

// Limits of a name. A device's stands in topics, headers and file names.
const (
	maxDevice   = 64 // bytes
	maxLeadName = 16 // bytes
)

// unmarshal reads Protobuf, or JSON where the first byte is "{": no message of
// the protocol can begin with that byte, which would open a group as field 15.
// Fields it does not know are passed over in both, so that a newer patch can
// talk to an older bridge.
func unmarshal(payload []byte, m proto.Message) error {
	if len(payload) > MaxMessage {
		return refuse(Oversize, "%d bytes; at most %d: send shorter runs", len(payload), MaxMessage)
	}
	if len(payload) == 0 {
		return refuse(Undecodable, "the message is empty")
	}
	if payload[0] == '{' {
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(payload, m); err != nil {
			// The parser's own words quote what was sent.
			return refuse(Undecodable, "no JSON of a %s: check the names and types of its fields", m.ProtoReflect().Descriptor().Name())
		}
		return nil
	}
	if err := proto.Unmarshal(payload, m); err != nil {
		return refuse(Undecodable, "no Protobuf of a %s", m.ProtoReflect().Descriptor().Name())
	}
	return nil
}

// decodeFrame reads a PatchFrame that came from device, checks it, and makes
// the Samples of it that lack only their times. Its errors are Refusals.
func decodeFrame(payload []byte, device string) (*topics.Samples, error) {
	var f topics.PatchFrame
	if err := unmarshal(payload, &f); err != nil {
		return nil, err
	}
	if err := checkDevice(f.Device, device); err != nil {
		return nil, err
	}
	count, err := checkFrame(&f)
	if err != nil {
		return nil, err
	}
	s := &topics.Samples{
		Device: f.Device, Boot: f.Boot, First: f.First, Rate: f.Rate,
		Count: uint32(count), Leads: f.Leads, PacePulses: f.PacePulses,
		DeviceTimeUs: f.DeviceTimeUs, BatteryPercent: f.BatteryPercent,
	}
	for _, b := range f.Missing {
		if b != 0 {
			s.Missing = f.Missing
			break
		}
	}
	if s.BatteryPercent != nil && *s.BatteryPercent > 100 {
		s.BatteryPercent = nil // no reason to lose samples; what cannot be is not known
	}
	return s, nil
}

// checkDevice checks the name that a payload gives against the transport's.
func checkDevice(named, from string) error {
	if !validDevice(named) || !validDevice(from) {
		return refuse(DeviceInvalid, "a device's name is 1 to %d bytes of UTF-8 without + # / and control characters", maxDevice)
	}
	if named != from {
		return refuse(DeviceMismatch, "the message names another device than its topic")
	}
	return nil
}

func validDevice(name string) bool {
	return name != "" && len(name) <= maxDevice && !strings.ContainsAny(name, "+#/") && printable(name)
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// decodeVitals reads a PatchVitals that came from device. Its errors are Refusals.
func decodeVitals(payload []byte, device string) (*topics.PatchVitals, error) {
	var v topics.PatchVitals
	if err := unmarshal(payload, &v); err != nil {
		return nil, err
	}
	if err := checkDevice(v.Device, device); err != nil {
		return nil, err
	}
	if v.Boot > math.MaxInt64 {
		return nil, refuse(Overflow, "boot %d is past 2^63", v.Boot)
	}
	if len(v.Vitals) == 0 || len(v.Vitals) > maxVitals {
		return nil, refuse(VitalsCount, "%d values; 1 to %d are allowed", len(v.Vitals), maxVitals)
	}
	for i, vital := range v.Vitals {
		if !validLOINC(vital.Loinc) || !validUCUM(vital.Ucum) || math.IsNaN(vital.Value) || math.IsInf(vital.Value, 0) {
			return nil, refuse(VitalInvalid, "value %d needs a LOINC code (59408-5), a UCUM unit (%%) and a finite number", i+1)
		}
	}
	return &v, nil
}

// maxVitals is the most values in one message.
const maxVitals = 64

// validLOINC reports whether s is a LOINC number: up to seven digits, a dash
// and a Mod 10 check digit (LOINC Users' Guide, appendix C).
func validLOINC(s string) bool {
	n := len(s) - 2
	if n < 1 || n > 7 || s[n] != '-' {
		return false
	}
	sum := 0
	for i := range n {
		d := int(s[n-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 0 { // each second digit, from the last one on, counts double
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return int(s[n+1]) == '0'+(10-sum%10)%10
}

// validUCUM reports whether s can be a UCUM unit: printable ASCII without spaces.
func validUCUM(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// decodeStatus reads a PatchStatus that came from device. Its errors are Refusals.
func decodeStatus(payload []byte, device string) (*topics.PatchStatus, error) {
	var s topics.PatchStatus
	if err := unmarshal(payload, &s); err != nil {
		return nil, err
	}
	if err := checkDevice(s.Device, device); err != nil {
		return nil, err
	}
	if s.Boot > math.MaxInt64 {
		return nil, refuse(Overflow, "boot %d is past 2^63", s.Boot)
	}
	return &s, nil
}
