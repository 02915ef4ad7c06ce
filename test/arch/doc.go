// Package arch holds the rules of the house as tests: who may import whom, what
// a stage may not do, what must be written down and what must not. A rule that
// no longer serves is changed here and in the design, in one commit.
package arch
