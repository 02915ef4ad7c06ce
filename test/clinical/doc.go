// Package clinical holds the floors of measuring: what the stages find in
// public recordings, scored by stages/ec57 as ANSI/AAMI EC57 prescribes. Its
// tests carry the tag real, for they need the recordings.
package clinical
