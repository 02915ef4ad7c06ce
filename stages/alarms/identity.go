package alarms

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"heartwire/topics"
)

// identity is the name of an episode: patient, rule and the record that opened
// it. A replay reads the same record and finds the same name.
type identity [16]byte

// identify names the episode of a rule that r opens. What r itself was made
// from is equal on every replay, even where r stands elsewhere in the log; a
// record that does not tell is named by its own place.
func identify(rule string, r *topics.Record[*topics.Chart]) identity {
	b := append([]byte(r.Key), 0)
	b = append(append(b, rule...), 0)
	if r.Origin.Source != "" {
		b = r.Origin.Append(b)
	} else {
		b = strconv.AppendInt(append(b, topics.Charts.Name+"/"...), int64(r.Partition), 10)
		b = strconv.AppendInt(append(b, '/'), r.Offset, 10)
	}
	sum := sha256.Sum256(b)
	return identity(sum[:16])
}

// String is lower-case hex.
func (id identity) String() string { return hex.EncodeToString(id[:]) }

// parseIdentity reads what String wrote.
func parseIdentity(text string) (id identity, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return identity(b), true
}
