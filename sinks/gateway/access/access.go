// Package access says who may see and do what: one table of roles, and the
// rights that an account has by it. What the table does not allow is refused.
package access

import (
	"slices"

	"heartwire/topics"
)

// Permission is something that an account may be allowed to do, in its units.
type Permission string

const (
	See    Permission = "see"    // patients, their alarms and limits
	Act    Permission = "act"    // acknowledge, accept, reject, pause, resume, reset, standby
	Limits Permission = "limits" // set limits of a patient
	Rules  Permission = "rules"  // what goes further: limits of a unit, rules that people write, a lethal rule switched off
	Admin  Permission = "admin"  // the site's own: its limits
)

// Permissions are all there are, the least first.
var Permissions = []Permission{See, Act, Limits, Rules, Admin}

// roles is THE table. An account with several roles may do what any of them
// may. A program sees; one that is to act for people has their role too.
var roles = map[string][]Permission{
	"viewer":  {See},
	"service": {See},
	"nurse":   {See, Act, Limits},
	"doctor":  {See, Act, Limits, Rules},
	"admin":   {See, Act, Limits, Rules, Admin},
}

// AllUnits stands for each unit, and for those who lie in none.
const AllUnits = "*"

// Unassigned is the unit of devices that are bound to nobody, and of patients in no unit.
const Unassigned = "unassigned"

// Rights are what an account may do, and in which units. None are the zero value's.
type Rights struct {
	Roles       []string
	Units       []string
	Permissions []Permission // in the order of Permissions
}

// Of are the rights of an account; nil, or one that is gone, has none.
func Of(a *topics.Account) Rights {
	if a == nil || a.GetGone() {
		return Rights{}
	}
	r := Rights{Roles: slices.Clone(a.GetRoles()), Units: slices.Clone(a.GetUnits())}
	for _, p := range Permissions {
		if slices.ContainsFunc(r.Roles, func(role string) bool { return slices.Contains(roles[role], p) }) {
			r.Permissions = append(r.Permissions, p)
		}
	}
	return r
}

// In reports whether a unit is one of the account's; the empty one is Unassigned.
func (r Rights) In(unit string) bool {
	if unit == "" {
		unit = Unassigned
	}
	return slices.Contains(r.Units, unit) || slices.Contains(r.Units, AllUnits)
}

// Everywhere reports whether the account's units are all.
func (r Rights) Everywhere() bool { return slices.Contains(r.Units, AllUnits) }

// May reports whether something is allowed at all, in the units that In knows.
func (r Rights) May(p Permission) bool { return slices.Contains(r.Permissions, p) }

// Sees reports whether the patients of a unit may be seen.
func (r Rights) Sees(unit string) bool { return r.May(See) && r.In(unit) }

// Equal reports whether two rights are the same.
func (r Rights) Equal(o Rights) bool {
	return slices.Equal(r.Roles, o.Roles) && slices.Equal(r.Units, o.Units) && slices.Equal(r.Permissions, o.Permissions)
}
