package topics

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Unassigned is the key under which a device bound to nobody is watched:
// "u-" and the first 16 bytes of HMAC-SHA256(siteKey, device) in hex. Without
// the site key nobody can tell the device from it, and no patient's pseudonym
// begins with "u-".
func Unassigned(siteKey []byte, device string) Key {
	mac := hmac.New(sha256.New, siteKey)
	mac.Write([]byte(device))
	return Key("u-" + hex.EncodeToString(mac.Sum(nil)[:16]))
}
