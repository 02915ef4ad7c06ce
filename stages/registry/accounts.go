package registry

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"heartwire/topics"
)

// Roles that an account can have; what each may do is decided where somebody asks.
var Roles = []string{"viewer", "nurse", "doctor", "admin", "service"}

const (
	maxAccounts     = 5000
	maxAccountUnits = 64
)

var accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// putAccount takes an account, or takes it away.
func (t *turn) putAccount(a *topics.Account) error {
	if !accountName.MatchString(a.GetAccount()) {
		return refuse(CodeBadName, "account %q: a name is 1 to 64 letters, digits, dots, dashes, underscores or @, and no person's name", a.GetAccount())
	}
	if err := t.authored(); err != nil {
		return err
	}
	old := find(t.state.Accounts, a.Account)
	var version uint64
	if old != nil {
		version = old.Version
	}
	if err := t.seen(version); err != nil {
		return err
	}
	next := &topics.Account{Account: a.Account, Gone: a.Gone}
	switch {
	case a.Gone && old == nil:
		return refuse(CodeUnknownAccount, "account %q: there is none of this name", a.Account)
	case a.Gone:
		t.state.Accounts = without(t.state.Accounts, a.Account)
	case old == nil && len(t.state.Accounts) >= maxAccounts:
		return refuse(CodeTooMany, "the site has %d accounts: take one away first", maxAccounts)
	default:
		if err := checkAccount(a); err != nil {
			return err
		}
		next.Roles, next.Units = slices.Sorted(slices.Values(a.Roles)), slices.Sorted(slices.Values(a.Units))
		if old != nil && proto.Equal(old.Set, next) {
			return nil
		}
		t.state.Accounts = insert(t.state.Accounts, account{Version: t.version, Set: next})
	}
	set := t.setting("account/" + a.Account)
	set.Kind = &topics.Setting_Account{Account: proto.CloneOf(next)}
	t.say(set)
	return nil
}

func checkAccount(a *topics.Account) error {
	if len(a.Roles) == 0 {
		return refuse(CodeUnknownRole, "account %q has no role: give one or more of %s", a.Account, strings.Join(Roles, ", "))
	}
	for i, r := range a.Roles {
		if !slices.Contains(Roles, r) {
			return refuse(CodeUnknownRole, "role %q: there are %s", r, strings.Join(Roles, ", "))
		}
		if slices.Contains(a.Roles[:i], r) {
			return refuse(CodeTwice, "role %q is named two times", r)
		}
	}
	if len(a.Units) == 0 {
		return refuse(CodeBadName, "account %q has no unit: name one or more, or * for all", a.Account)
	}
	if len(a.Units) > maxAccountUnits {
		return refuse(CodeTooMany, "account %q has %d units, and %d can be told apart: give it *", a.Account, len(a.Units), maxAccountUnits)
	}
	for i, u := range a.Units {
		if u != "*" {
			if err := checkUnit(u); err != nil {
				return err
			}
		}
		if slices.Contains(a.Units[:i], u) {
			return refuse(CodeTwice, "unit %q is named two times", u)
		}
	}
	return nil
}
