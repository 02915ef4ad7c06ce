package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/stages/alarms/burden"
	"heartwire/topics"
)

// syntheticUnit is the unit of the patient that is none, whose alarms are to be
// heard by the system alone: what people look back at is without it.
const syntheticUnit = "synthetic"

// ward is where the patients of a site lie, as the settings say now, and when they
// had a device.
type ward struct {
	patients map[string]*topics.Patient
	stays    []burden.Stay
}

// ward reads the topic settings. Nothing in it is a patient's identity.
func (a *app) ward(cmd *cobra.Command, k kafka.Config) (ward, error) {
	w := ward{patients: map[string]*topics.Patient{}}
	devices := map[topics.Key]*topics.Device{}
	err := k.Scan(cmd.Context(), quiet(), topics.Settings, kafka.Since{Start: true}, func(r topics.Record[proto.Message], _ error) error {
		s, _ := r.Value.(*topics.Setting) // one that cannot be read hides no other bed
		if p := s.GetPatient(); p != nil {
			w.patients[p.GetPatient()] = p
		}
		if d := s.GetDevice(); d != nil {
			devices[r.Key] = d
		}
		return nil
	})
	for _, key := range slices.Sorted(maps.Keys(devices)) {
		for _, x := range devices[key].GetBindings() {
			if w.real(x.GetPatient()) {
				w.stays = append(w.stays, burden.Stay{Patient: x.GetPatient(), From: x.GetFromUs(), Until: x.GetUntilUs()})
			}
		}
	}
	return w, err
}

// real reports that a patient is one.
func (w ward) real(patient string) bool { return w.patients[patient].GetUnit() != syntheticUnit }

// beds are the aliases of beds, by patient.
func (w ward) beds() map[string]string {
	beds := map[string]string{}
	for p, s := range w.patients {
		if s.GetBed() != "" {
			beds[p] = s.GetBed()
		}
	}
	return beds
}

// lie says where those lie who count, and for how long they had a device.
func (w ward) lie(in *burden.Input, counts func(patient string) bool) {
	in.Beds = map[string]burden.Bed{}
	for p, s := range w.patients {
		if counts(p) {
			in.Beds[p] = burden.Bed{Unit: s.GetUnit(), Alias: s.GetBed()}
		}
	}
	for _, s := range w.stays {
		if counts(s.Patient) {
			in.Stays = append(in.Stays, s)
		}
	}
}

// units are those in which somebody lies, by name.
func (w ward) units() []string {
	var list []string
	for p, s := range w.patients {
		if w.real(p) && s.GetUnit() != "" {
			list = append(list, s.GetUnit())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
