package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// problemDetails is why a request was not done, by RFC 9457: its type is
// urn:heartwire:problem: and the code, its detail says what to do, its errors
// where in the request, one by one.
type problemDetails struct {
	huma.ErrorModel
	Code string `json:"code" doc:"for programs" example:"stale-version"`
}

func newProblem(status int, code, detail string) *problemDetails {
	return &problemDetails{huma.ErrorModel{Type: "urn:heartwire:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail}, code}
}

// takeProblems has huma tell its own findings as problems too. Its way of doing
// so is one for the process.
var takeProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, detail string, errs ...error) huma.StatusError {
		p := newProblem(status, codeOfStatus(status), detail)
		for _, err := range errs {
			var own *problemDetails
			var at huma.ErrorDetailer
			switch {
			case err == nil:
			case errors.As(err, &own):
				return own
			case errors.As(err, &at):
				p.Errors = append(p.Errors, at.ErrorDetail())
			default:
				p.Errors = append(p.Errors, &huma.ErrorDetail{Message: err.Error()})
			}
		}
		return p
	}
})

// codeOfStatus is the code of what HTTP itself has words for.
func codeOfStatus(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "too-large"
	case http.StatusUnsupportedMediaType:
		return "not-json"
	case http.StatusInternalServerError:
		return "internal"
	case http.StatusNotAcceptable:
		return "not-acceptable"
	}
	return codeBad
}

// statuses are those of the codes of refusals. One that is not here is 422: it
// was understood, and cannot be.
var statuses = map[string]int{
	codeUnknownPatient: http.StatusNotFound, "unknown-alarm": http.StatusNotFound,
	"no-account": http.StatusForbidden, "forbidden": http.StatusForbidden,
	codeBad:         http.StatusBadRequest,
	"stale-version": http.StatusPreconditionFailed, "no-version": http.StatusPreconditionRequired,
	"ended": http.StatusConflict, "acknowledged": http.StatusConflict, "taken": http.StatusConflict, "accepted": http.StatusConflict,
	"rejected": http.StatusConflict, "not-paused": http.StatusConflict, "not-latched": http.StatusConflict,
	"standby": http.StatusConflict, "not-on-standby": http.StatusConflict, "discharged": http.StatusConflict, "in-use": http.StatusConflict,
	codeBusy:     http.StatusTooManyRequests,
	codeReadOnly: http.StatusServiceUnavailable, codeNoAudit: http.StatusServiceUnavailable, codeNotWritten: http.StatusServiceUnavailable,
	codeNoOutcome: http.StatusGatewayTimeout,
}

// problem is the refusal as an answer to a request.
func (r *refusal) problem() *problemDetails {
	status := statuses[r.code]
	if status == 0 {
		status = http.StatusUnprocessableEntity
	}
	return newProblem(status, r.code, r.words)
}

// writeProblem answers where huma does not.
func writeProblem(w http.ResponseWriter, p *problemDetails) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
