package topics

// Requests are wishes about the registry. One partition: a site's wishes are one order.
var Requests = define(Spec{
	Name: "requests", Key: "site", Spread: Single, Retention: 365 * day, Schema: 1,
	Doc: "wishes: patients, devices, bindings, limits, profiles, bounds, accounts; and the clock's ticks",
}, (*Request).GetSite).withTicks((*Request).GetTick, func(t *Tick) *Request {
	return &Request{Kind: &Request_Tick{Tick: t}}
})

// Settings is the versioned registry. One partition: compare-and-set needs one order.
var Settings = define(Spec{
	Name: "settings", Key: "object", Spread: Single, Compact: true, Schema: 1,
	Doc: "the newest version of each patient, device, layer of limits, set in force, profile, account and outcome",
}, (*Setting).GetObject)
