package topics

// Audits is who saw or changed what. It is kept for six years: 45 CFR
// 164.316(b)(2)(i), the longest of what sites have to keep it for by default.
var Audits = define(Spec{
	Name: "audit", Key: "patient, or what was asked for", Retention: 6 * 366 * day, Schema: 1,
	Doc: "who saw or changed what, chained by each writer",
}, (*Audit).GetSubject)
