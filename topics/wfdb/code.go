package wfdb

import (
	"fmt"

	"heartwire/topics"
)

// Code is the type of an annotation, 1 to 49: annot(5), ecgcodes.h.
type Code uint8

// The codes that the databases and Heartwire use.
const (
	NotQRS    Code = 0  // no annotation: a place in time
	Normal    Code = 1  // N
	LBBB      Code = 2  // L left bundle branch block
	RBBB      Code = 3  // R right bundle branch block
	Aberrated Code = 4  // a aberrated atrial premature
	PVC       Code = 5  // V premature ventricular contraction
	Fusion    Code = 6  // F of a ventricular and a normal beat
	NodalPC   Code = 7  // J nodal premature
	APC       Code = 8  // A atrial premature
	SVPB      Code = 9  // S supraventricular premature or ectopic
	VEscape   Code = 10 // E ventricular escape
	NodalEsc  Code = 11 // j nodal escape
	Paced     Code = 12 // /
	Unknown   Code = 13 // Q unclassifiable
	Noise     Code = 14 // ~ change of signal quality
	Artifact  Code = 16 // | isolated QRS-like artifact
	STChange  Code = 18 // s
	TChange   Code = 19 // T
	Systole   Code = 20 // *
	Diastole  Code = 21 // D
	Note      Code = 22 // " comment
	Measure   Code = 23 // =
	PWave     Code = 24 // p
	BBB       Code = 25 // B bundle branch block, unspecified
	PaceSpike Code = 26 // ^ pacemaker artifact without capture
	TWave     Code = 27 // t
	Rhythm    Code = 28 // + change of rhythm, named by Aux: (N (AFIB (VT
	UWave     Code = 29 // u
	Learning  Code = 30 // ? beat not classified during learning
	Flutter   Code = 31 // ! ventricular flutter wave
	VFOn      Code = 32 // [ start of ventricular flutter or fibrillation
	VFOff     Code = 33 // ] end of it
	AEscape   Code = 34 // e atrial escape
	SVEscape  Code = 35 // n supraventricular escape
	Link      Code = 36 // @ to external data
	NAPC      Code = 37 // x P wave without conduction
	PFusion   Code = 38 // f fusion of a paced and a normal beat
	WaveOn    Code = 39 // (
	WaveOff   Code = 40 // )
	RonT      Code = 41 // r premature ventricular contraction on a T wave
)

// lastCode is the highest code a file can hold; above are the signs of the encoding.
const lastCode Code = 49

var mnemonics = [lastCode + 1]string{
	Normal: "N", LBBB: "L", RBBB: "R", Aberrated: "a", PVC: "V", Fusion: "F", NodalPC: "J", APC: "A", SVPB: "S",
	VEscape: "E", NodalEsc: "j", Paced: "/", Unknown: "Q", Noise: "~", Artifact: "|", STChange: "s", TChange: "T",
	Systole: "*", Diastole: "D", Note: "\"", Measure: "=", PWave: "p", BBB: "B", PaceSpike: "^", TWave: "t",
	Rhythm: "+", UWave: "u", Learning: "?", Flutter: "!", VFOn: "[", VFOff: "]", AEscape: "e", SVEscape: "n",
	Link: "@", NAPC: "x", PFusion: "f", WaveOn: "(", WaveOff: ")", RonT: "r",
}

// String is the mnemonic that WFDB prints: N, V, +, ~; [42] for a code without one.
func (c Code) String() string {
	if c <= lastCode && mnemonics[c] != "" {
		return mnemonics[c]
	}
	return fmt.Sprintf("[%d]", uint8(c))
}

// ParseCode is the code of a mnemonic.
func ParseCode(mnemonic string) (Code, bool) {
	for c, m := range mnemonics {
		if m == mnemonic && m != "" {
			return Code(c), true
		}
	}
	return NotQRS, false
}

// Class is the AAMI class of a beat; false for what is no beat. The classes
// are those of EC57: bundle branch block counts as normal, every
// supraventricular premature or escape beat as S, ventricular premature and
// escape beats as V, paced and unclassifiable ones as Q.
func (c Code) Class() (topics.BeatClass, bool) {
	switch c {
	case Normal, LBBB, RBBB, BBB:
		return topics.BeatClass_BEAT_CLASS_N, true
	case Aberrated, NodalPC, APC, SVPB, NodalEsc, AEscape, SVEscape:
		return topics.BeatClass_BEAT_CLASS_S, true
	case PVC, VEscape, RonT:
		return topics.BeatClass_BEAT_CLASS_V, true
	case Fusion:
		return topics.BeatClass_BEAT_CLASS_F, true
	case Paced, PFusion, Unknown, Learning:
		return topics.BeatClass_BEAT_CLASS_Q, true
	}
	return topics.BeatClass_BEAT_CLASS_Q, false
}

// CodeOf is the code that stands for a class in a file that Heartwire writes.
func CodeOf(class topics.BeatClass) Code {
	switch class {
	case topics.BeatClass_BEAT_CLASS_N:
		return Normal
	case topics.BeatClass_BEAT_CLASS_S:
		return SVPB
	case topics.BeatClass_BEAT_CLASS_V:
		return PVC
	case topics.BeatClass_BEAT_CLASS_F:
		return Fusion
	}
	return Unknown
}
