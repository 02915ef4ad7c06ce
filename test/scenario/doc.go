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
//	people:
//	30 acknowledge vt by nurse-1
//	50 reset vt by nurse-1
//	never:
//	rhythm vf
//	alarm asystole
//
// The script is that of the patch emulator (heartwire simulate --script). All
// times are in seconds from the first sample. ± gives a tolerance, FROM..TO
// what lies between. A section that is not there is not looked at:
//
//	alarms:  FROM..TO CHANGE PRIORITY RULE   the changes of alarms in order, each with the seconds
//	         [STATE …]                       between which it must be decided, and no others: an empty
//	                                         list means silence. After "alarms: among others" others may come.
//	                                         raised, ended (its condition is over, whether it stays latched or
//	                                         not), reset, again, inhibited, off, standby, moved; and, looked at
//	                                         where one of their kind is named: acknowledged, sounding, paused,
//	                                         resumed, accepted, rejected, timed-out, priority.
//	                                         STATE is how it then is: latched; sounding, acknowledged, paused;
//	                                         open, accepted, rejected, timed-out.
//	suppressed: FROM..TO RULE WHY            candidates that became no alarm and must be said: short, inhibited,
//	                                         quality, off or standby. Others may be.
//	people:  TIME ACTION RULE by WHO         what people do: acknowledge, accept, reject, pause, resume, reset
//	         [for S] [as V] [refused CODE]   the newest alarm of a rule, or "patient" (pause, resume), for S
//	                                         seconds, having seen version V. It must be done, or refused so.
//	         TIME standby REASON by WHO for S, and TIME standby off by WHO
//	         TIME limit RULE VALUE by WHO [for S], and TIME limit RULE off by WHO
//	rhythms: ONSET..END NAME [by TIME]       the episodes of the rhythms that are named, and no others of
//	                                         these; without END one that goes on; TIME is when it must
//	                                         have been said. Names are those of the chart: vt, v-run, af.
//	beats:   [FROM..TO] CLASS COUNT          how many beats of class N, S, V, F or Q: 4, 23±2 or 20..30
//	never:   [FROM..TO] alarm RULE           what must not be there at any time, or between two;
//	         [FROM..TO] rhythm NAME          an alarm may not be decided, a rhythm not be there
//	         [FROM..TO] beat CLASS
//
// The patient is a synthetic one at 250 Hz with the leads II and V1; "rate: 360",
// "leads: I II V5" and "patient: paced" (who has a pacemaker) change that, and
// "rules: FILE.yaml" are rules that people wrote, with limits, that hold from the
// first tick on (stages/alarms/rules). It must hold for three patients. "gap: WHY"
// says that it does not hold yet: who closes the gap takes the line out.
//
// Each rule and each rhythm has a scenario in which it is said, and one of what
// comes nearest to it and must not be taken for it, not-*.txt: one that is missing
// fails coverage_test.go. delivery_test.go is what a link does to frames.
//
// ec13_test.go are the waveforms by which ANSI/AAMI EC13 tests a cardiac monitor.
package scenario
