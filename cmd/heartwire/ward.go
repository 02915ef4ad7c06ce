package main

import (
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"heartwire/pipeline/kafka"
	"heartwire/topics"
)

// syntheticUnit is the unit of the patient that is none, whose alarms are to be
// heard by the system alone: what people look back at is without it.
const syntheticUnit = "synthetic"

// ward is where the patients of a site lie, as the settings say now.
type ward map[string]*topics.Patient

// ward reads the topic settings. Nothing in it is a patient's identity.
func (a *app) ward(cmd *cobra.Command, k kafka.Config) (ward, error) {
	w := ward{}
	err := k.Scan(cmd.Context(), quiet(), topics.Settings, kafka.Since{Start: true}, func(r topics.Record[proto.Message], bad error) error {
		if s, ok := r.Value.(*topics.Setting); ok && bad == nil && s.GetPatient() != nil {
			w[s.GetPatient().GetPatient()] = s.GetPatient()
		}
		return nil // what cannot be read hides no other bed
	})
	return w, err
}

// real reports that a patient is one.
func (w ward) real(patient string) bool { return w[patient].GetUnit() != syntheticUnit }

// beds are the aliases of beds, by patient.
func (w ward) beds() map[string]string {
	beds := map[string]string{}
	for p, s := range w {
		if s.GetBed() != "" {
			beds[p] = s.GetBed()
		}
	}
	return beds
}
