package registry

import (
	"slices"
	"strings"
)

// object is a thing of the state that has a name. Lists of them are sorted by it.
type object interface{ name() string }

func (p patient) name() string     { return p.Name }
func (d deviceState) name() string { return d.Name }
func (l layer) name() string       { return l.Name }
func (p profile) name() string     { return p.Set.GetName() }
func (a account) name() string     { return a.Set.GetAccount() }

func search[T object](list []T, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(v T, n string) int { return strings.Compare(v.name(), n) })
}

// find is the object of that name, or nil.
func find[T object](list []T, name string) *T {
	i, ok := search(list, name)
	if !ok {
		return nil
	}
	return &list[i]
}

// insert is the list with an object in place of the one of its name, or besides.
// The list itself stays as it was: what is refused must leave no trace.
func insert[T object](list []T, v T) []T {
	i, ok := search(list, v.name())
	out := make([]T, 0, len(list)+1)
	out = append(out, list[:i]...)
	out = append(out, v)
	if ok {
		i++
	}
	return append(out, list[i:]...)
}

// without is the list without the object of that name; the list itself stays.
func without[T object](list []T, name string) []T {
	i, ok := search(list, name)
	if !ok {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}
