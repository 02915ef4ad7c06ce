package topics

// Pages are decisions to tell people something.
var Pages = define(Spec{
	Name: "pages", Key: "unit, or site", Retention: 365 * day, Schema: 1,
	Doc: "decisions to tell people: that patients are not watched, and are again",
}, (*Page).GetOf)

// SiteOf and UnitOf are the keys of Pages, in the words of the registry's layers.
const SiteOf = "site"

// UnitOf is the key of a unit's Pages: unit/4W.
func UnitOf(unit string) string { return "unit/" + unit }
