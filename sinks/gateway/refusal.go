package gateway

import "fmt"

// refusal is why the gateway does not do something: a code for programs, and
// for people what to do.
type refusal struct{ code, words string }

func (r *refusal) Error() string { return r.words }

// message is the refusal as an answer to a client's message.
func (r *refusal) message(id uint64) *ServerMessage { return problem(id, r.code, r.words) }

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// Codes of the gateway's own refusals; those of outcomes are the stages'.
const (
	codeUnknownPatient = "unknown-patient"
	codeBad            = "bad-request"
	codeReadOnly       = "read-only"
	codeNoOutcome      = "no-outcome"
	codeNotWritten     = "not-written"
	codeNoAudit        = "no-audit"
	codeBusy           = "busy"
)

var (
	// The same words for one who may not be seen: who asks learns nothing.
	errUnknownPatient = refuse(codeUnknownPatient, "there is no patient of this key among those that you may see: look at the list, or ask whoever runs the site for the unit")
	errReadOnly       = refuse(codeReadOnly, "this gateway shows and does nothing: ask one that writes")
	errNoOutcome      = refuse(codeNoOutcome, "it was asked, and nothing has been heard of it for 5 s: it may still be done. Look whether it is; asked again under the same id it has no second effect")
	errNotWritten     = refuse(codeNotWritten, "the log could not be written to: it may still be done. Look whether it is; asked again under the same id it has no second effect")
	errBusy           = refuse(codeBusy, "too many wishes are under way: ask again in a moment")
	errNoAudit        = refuse(codeNoAudit, "it could not be noted who asks for this, so nothing was done: ask again in a moment, and tell whoever runs the site")
)
