package registry

import (
	"errors"
	"fmt"
)

// Codes of refusals, for programs; the words beside them are for people.
const (
	CodeBadRequest     = "bad-request"     // it asks for nothing, or for what cannot be together
	CodeBadName        = "bad-name"        // of a patient, a device, a unit, an account, a profile or a rule
	CodeBadTime        = "bad-time"        // of the request, or of a binding
	CodeStaleVersion   = "stale-version"   // the object has changed since it was looked at
	CodeUnknownPatient = "unknown-patient" // is not admitted
	CodeDischarged     = "discharged"      // was admitted
	CodeNotBound       = "not-bound"       // a device that is bound to nobody
	CodeUnknownRule    = "unknown-rule"
	CodeUnknownProfile = "unknown-profile"
	CodeUnknownRole    = "unknown-role"
	CodeUnknownAccount = "unknown-account"
	CodeOutOfBounds    = "out-of-bounds" // of what is built in, or of what the site lets set
	CodeInverted       = "inverted"      // a low limit not below the high one
	CodeNotANumber     = "not-a-number"  // NaN or infinite
	CodeNegative       = "negative"
	CodeLethalOff      = "lethal-off" // a lethal rule quietened without the explicit word
	CodeNeverOff       = "never-off"  // a rule that says that nobody watches
	CodeNoReason       = "no-reason"
	CodeNoAuthor       = "no-author"
	CodeBadRule        = "bad-rule" // one that people wrote and that cannot be
	CodeExpired        = "expired"  // it would be over before it begins
	CodeTwice          = "twice"    // one rule named two times
	CodeTooMany        = "too-many"
	CodeInUse          = "in-use" // a profile that a layer names
)

// refusal is why a request is not done: a code, and in words what to do.
type refusal struct{ code, words string }

func (r *refusal) Error() string { return r.words }

func refuse(code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// codeOf is the code of an error.
func codeOf(err error) string {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return CodeBadRequest
}
