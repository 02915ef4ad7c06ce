package patch

// Demo is the scripts of eight patients for a first look: six calm ones, of
// whom one is in atrial fibrillation, one has PVCs and one a pacemaker; the
// third patient's heart stops for 12 s, 35 s after the start; the fifth's
// goes to 134/min 20 s after it. Now and then a lead falls off and 1.4 s of
// samples are lost. All but the plain ones come again every few minutes.
func Demo() []string {
	return []string{
		"sinus 66",
		"af 84",
		"35s sinus 64; 12s asystole; 15s sinus 46..64; 158s sinus 64; loop",
		"sinus 74; 60s pvc 6/min; 30s trigeminy; 90s pvc 4/min; loop",
		"18s sinus 88; 6s sinus 88..134; 75s sinus 134; 25s sinus 134..88; 140s sinus 88; loop",
		"pace 70",
		"48s sinus 58; 1.4s dropout; 70s sinus 58; 1.4s dropout; 40s sinus 58 + noise 0.04mV; loop",
		"80s sinus 79; 20s lead-off V1; 120s sinus 79 + pac 3/min; 20s lead-off II; 60s sinus 79 + wander 0.3mV; loop",
	}
}
