package labfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// A schema is what JSON Schema says of a value.
type schema map[string]any

// A kind is a kind of value: what JSON Schema says of it, and how it is read. read tells the reader what
// is wrong.
type kind[T any] struct {
	schema schema
	read   func(r *reader, n *yaml.Node, to *T)
}

// A reader goes through a document and gathers what is wrong with it.
type reader struct {
	file   *File
	errs   []Error
	checks []func() // of what can be told only when all is read
	nodes  int

	ports, machine map[string]*yaml.Node // that are taken, of the present host and of this machine
}

// mostNodes bounds what a document of aliases can grow to.
const mostNodes = 1 << 17

// errorf notes what is wrong at a place.
func (r *reader) errorf(n *yaml.Node, format string, args ...any) {
	r.errs = append(r.errs, Error{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// later leaves a check until all is read.
func (r *reader) later(check func()) { r.checks = append(r.checks, check) }

// at follows an alias.
func (r *reader) at(n *yaml.Node) *yaml.Node {
	if r.nodes++; r.nodes == mostNodes {
		r.errorf(n, "the file becomes more than %d values here: its aliases repeat too much", mostNodes)
	}
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// over tells whether there is too much of it.
func (r *reader) over() bool { return r.nodes >= mostNodes }

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// found is what stands at a place, for errors.
func found(n *yaml.Node) string {
	switch {
	case null(n):
		return "nothing"
	case n.Kind == yaml.ScalarNode:
		return fmt.Sprintf("%q", n.Value)
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a mapping"
}

// scalar is a kind of values that are written as one word. parse gives what would be right if it is not.
func scalar[T any](s schema, want string, parse func(string) (T, bool)) kind[T] {
	return kind[T]{s, func(r *reader, n *yaml.Node, to *T) {
		n = r.at(n)
		if n.Kind == yaml.ScalarNode && !null(n) {
			if v, ok := parse(n.Value); ok {
				*to = v
				return
			}
		}
		r.errorf(n, "this is %s: want %s", found(n), want)
	}}
}

// list is a kind of lists.
func list[T any](of kind[T], want string) kind[[]T] {
	return kind[[]T]{schema{"type": []string{"array", "null"}, "items": of.schema}, func(r *reader, n *yaml.Node, to *[]T) {
		n = r.at(n)
		if null(n) {
			return
		}
		if n.Kind != yaml.SequenceNode {
			r.errorf(n, "this is %s: want a list of %s", found(n), want)
			return
		}
		for _, item := range n.Content {
			if r.over() {
				return
			}
			*to = append(*to, *new(T))
			of.read(r, item, &(*to)[len(*to)-1])
		}
	}}
}

// A pair is a key with its value.
type pair struct{ key, value *yaml.Node }

// pairs are those of a mapping, with those that it merges (<<) behind its own. Nothing is an empty one.
func (r *reader) pairs(n *yaml.Node, want string) (all []pair) {
	n = r.at(n)
	if null(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "this is %s: want %s", found(n), want)
		return nil
	}
	seen := make(map[string]bool)
	var merged []*yaml.Node
	add := func(content []*yaml.Node, own bool) {
		for i := 0; i+1 < len(content) && !r.over(); i += 2 {
			key, value := r.at(content[i]), content[i+1]
			switch {
			case own && key.Tag == "!!merge":
				merged = append(merged, r.at(value))
			case key.Kind != yaml.ScalarNode:
				r.errorf(key, "this is %s: want a name in front of the colon", found(key))
			case own && seen[key.Value]:
				r.errorf(key, "%q stands here a second time", key.Value)
			case !seen[key.Value]:
				all = append(all, pair{key, value})
			}
			if key.Kind == yaml.ScalarNode {
				seen[key.Value] = true
			}
		}
	}
	add(n.Content, true)
	for i := 0; i < len(merged); i++ {
		switch m := merged[i]; m.Kind {
		case yaml.MappingNode:
			add(m.Content, false)
		case yaml.SequenceNode:
			for _, item := range m.Content {
				if item = r.at(item); item.Kind == yaml.MappingNode {
					add(item.Content, false)
				}
			}
		default:
			r.errorf(m, "this is %s: want a mapping to merge", found(m))
		}
	}
	return all
}

// A field is one setting of an object.
type field[T any] struct {
	name     string
	schema   schema
	read     func(r *reader, n *yaml.Node, to *T)
	required bool
}

// at makes a field of the place where its value goes.
func at[T, V any](name, doc string, k kind[V], where func(*T) *V) field[T] {
	return field[T]{name, k.schema.with(doc), func(r *reader, n *yaml.Node, to *T) { k.read(r, n, where(to)) }, false}
}

// required makes a field be one that may not be left out.
func required[T any](f field[T]) field[T] {
	f.required = true
	return f
}

// with is the schema and a description.
func (s schema) with(doc string) schema {
	c := schema{"description": doc}
	for k, v := range s {
		c[k] = v
	}
	return c
}

// object is a kind of mappings with certain keys.
func object[T any](what string, fields ...field[T]) kind[T] {
	properties, names, must := schema{}, []string{}, []string{}
	for _, f := range fields {
		properties[f.name] = f.schema
		names = append(names, f.name)
		if f.required {
			must = append(must, f.name)
		}
	}
	s := schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(must) > 0 {
		s["type"], s["required"] = "object", must
	}
	return kind[T]{s, func(r *reader, n *yaml.Node, to *T) {
		given := make(map[string]bool)
		before := len(r.errs)
		pairs := r.pairs(n, "the settings of "+what+", as "+names[0]+": ...")
		if len(r.errs) > before {
			return
		}
		for _, p := range pairs {
			i := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == p.key.Value })
			if i < 0 {
				r.errorf(p.key, "%s has no setting %q; there are %s", what, p.key.Value, strings.Join(names, ", "))
				continue
			}
			given[p.key.Value] = true
			fields[i].read(r, p.value, to)
		}
		for _, name := range must {
			if !given[name] {
				r.errorf(r.at(n), "%s needs the setting %s", what, name)
			}
		}
	}}
}

// mapping is a kind of mappings whose keys their user chooses: a value of each pair, with the key in it.
func mapping[T any](want string, key kind[T], value kind[T]) kind[[]T] {
	s := schema{"type": []string{"object", "null"}, "propertyNames": key.schema, "additionalProperties": value.schema}
	return kind[[]T]{s, func(r *reader, n *yaml.Node, to *[]T) {
		for _, p := range r.pairs(n, want) {
			var v T
			key.read(r, p.key, &v)
			value.read(r, p.value, &v)
			*to = append(*to, v)
		}
	}}
}

// part makes a kind be one of something that it is in.
func part[T, V any](k kind[V], where func(*T) *V) kind[T] {
	return kind[T]{k.schema, func(r *reader, n *yaml.Node, to *T) { k.read(r, n, where(to)) }}
}

// checked is a kind with a check of what was read, at once.
func checked[T any](k kind[T], check func(r *reader, n *yaml.Node, v *T)) kind[T] {
	return kind[T]{k.schema, func(r *reader, n *yaml.Node, to *T) {
		before := len(r.errs)
		k.read(r, n, to)
		if len(r.errs) == before {
			check(r, r.at(n), to)
		}
	}}
}

// An Error is what is wrong with a file, and where.
type Error struct {
	Line, Column int // from 1; 0: it is the whole file
	Text         string
}

// Errors are all that is wrong with a file, from its beginning to its end.
type Errors struct {
	File string // its name
	List []Error
}

// Error gives a line for each: lab.yaml:3:5: what is wrong.
func (e *Errors) Error() string {
	var lines []string
	for _, one := range e.List {
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s", e.File, one.Line, one.Column, one.Text))
	}
	return strings.Join(lines, "\n")
}

func sortErrors(list []Error) []Error {
	slices.SortStableFunc(list, func(a, b Error) int {
		return cmp.Or(a.Line-b.Line, a.Column-b.Column)
	})
	return slices.Compact(list)
}
