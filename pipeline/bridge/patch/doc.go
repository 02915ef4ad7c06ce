// Package patch emulates patches: wireless sensors on patients, which
// measure the ECG, cut it into frames and publish them by MQTT, as the
// protocol in topics/DESIGN.md says.
//
// A Ward is a number of them. What a patch measures comes from a Source: a
// Synth, which is a patient who lives by a Script, or a Recording. What goes
// wrong with it (gaps, reboots, duplicates, a clock that drifts) is its
// Behaviour. All is seeded: a run can be repeated, sample by sample. And all
// is told: a Synth says where its beats are, and a Ward what became of each
// frame, so that whoever receives them can be held to account.
package patch
