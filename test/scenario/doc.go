// Package scenario holds what a patient's heart does, in plain text, and what
// must come of it and what must not: from samples through every stage, without
// a broker. A scenario is a file:
//
//	# what it shows
//	script: 20s sinus 72; 8s vt 180; 30s sinus 72
//	alarms:
//	20..27 raised HIGH vt
//	36..44 ended HIGH vt
//	rhythms:
//	20±1..28±1 vt by 27
//	beats:
//	V 23±2
//	30..58 V 0
//	never:
//	rhythm vf
//	alarm asystole
//
// The script is that of the patch emulator (heartwire simulate --script). All
// times are in seconds from the first sample. ± gives a tolerance, FROM..TO
// what lies between. A section that is not there is not looked at:
//
//	alarms:  FROM..TO CHANGE PRIORITY RULE   the changes of alarms in order, each with the seconds
//	                                         between which it must be decided, and no others: an empty
//	                                         list means silence. After "alarms: among others" others may come.
//	rhythms: ONSET..END NAME [by TIME]       the episodes of the rhythms that are named, and no others of
//	                                         these; without END one that goes on; TIME is when it must
//	                                         have been said. Names are those of the chart: vt, v-run, af.
//	beats:   [FROM..TO] CLASS COUNT          how many beats of class N, S, V, F or Q: 4, 23±2 or 20..30
//	never:   [FROM..TO] alarm RULE           what must not be there at any time, or between two;
//	         [FROM..TO] rhythm NAME          an alarm may not be decided, a rhythm not be there
//	         [FROM..TO] beat CLASS
//
// The patient is a synthetic one at 250 Hz with the leads II and V1; "rate: 360",
// "leads: I II V5" and "patient: paced" (who has a pacemaker) change that. It
// must hold for three patients. "gap: WHY" says that it does not hold yet: who closes
// the gap takes the line out.
//
// Each rule and each rhythm has a scenario in which it is said, and one of what
// comes nearest to it and must not be taken for it, not-*.txt: one that is missing
// fails coverage_test.go. delivery_test.go is what a link does to frames.
//
// ec13_test.go are the waveforms by which ANSI/AAMI EC13 tests a cardiac monitor.
package scenario
