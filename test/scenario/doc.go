// Package scenario holds what a patient's heart does, in plain text, and the
// alarms that must come of it and no others: from samples through every stage,
// without a broker. A scenario is a file:
//
//	# what it shows
//	script: 20s sinus 72; 12s asystole; 30s sinus 72
//	alarms:
//	24..26 raised HIGH asystole
//	40..46 ended HIGH asystole
//
// The script is that of the patch emulator (heartwire simulate --script); an
// alarm is named by the seconds between which it must be decided, what becomes
// of it, its priority and its rule. An empty list means silence.
package scenario
