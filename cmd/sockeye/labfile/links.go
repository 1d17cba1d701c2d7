package labfile

import (
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"sockeye/link"
)

// faultDocs say what the words of a change mean.
var faultDocs = map[string]string{
	"profile":      "behave as a kind of access to the Internet does; the first end of the link is the user's. What else is said changes it",
	"delay":        "time that packets take",
	"jitter":       "by how much the delay varies",
	"distribution": "how the delay varies: uniform, or normal",
	"order":        "whether packets keep their order when the delay varies; with a jitter yes",
	"rate":         "bits per second, as 5mbit",
	"queue":        "where packets wait for the rate: how many, as 50, or how many bytes, as 64kb",
	"overhead":     "bytes of the rate that each packet takes besides its own",
	"loss":         "share of packets that are lost, as 1%",
	"burst":        "loss in bursts: the chance that one begins and that it ends at a packet, and the share that is lost in it, as 0.2%/20%/50%",
	"duplicate":    "share of packets that come twice",
	"corrupt":      "share of packets that have a bit flipped",
	"reorder":      "share of packets that overtake those that wait for the delay",
}

// FaultNames are the words of a change.
func FaultNames() []string {
	return append([]string{"profile"}, slices.DeleteFunc(link.Settings(), func(s string) bool { return s == "down" })...)
}

// FaultDoc says what a word of a change means.
func FaultDoc(name string) string { return faultDocs[name] }

// faultFields are settings that go into a change.
func faultFields[T any](where func(*T) *Change) (fields []field[T]) {
	for _, name := range FaultNames() {
		s := schema{"type": []string{"string", "number"}}
		switch name {
		case "profile":
			s = schema{"enum": link.ProfileNames()}
		case "order":
			s = schema{"enum": []any{"yes", "no", true, false}}
		}
		fields = append(fields, field[T]{name: name, schema: s.with(faultDocs[name]), read: func(r *reader, n *yaml.Node, to *T) {
			n = r.at(n)
			if n.Kind != yaml.ScalarNode || null(n) {
				r.errorf(n, "this is %s: want a value of %s", found(n), name)
			} else if err := where(to).add(name, n.Value); err != nil {
				r.errorf(n, "%v", err)
			}
		}})
	}
	return fields
}

// A linkText is a link as it is written.
type linkText struct {
	link Link
	ends []string
	both Change
	from []directed
}

// A directed change is for what comes from one end.
type directed struct {
	end    string
	at     *yaml.Node
	change Change
}

// nodeKind is the name of a host or switch.
var nodeKind = checked(nameKind, func(r *reader, n *yaml.Node, name *string) {
	r.refer(n, "host or switch", *name, func(f *File) []string {
		return append(names(f.Hosts, func(h *Host) string { return h.Name }), f.Switches...)
	})
})

// linkKind is a link with its faults.
func linkKind() kind[Link] {
	fromKind := mapping("an end of the link and its faults, as web: {loss: 1%}",
		kind[directed]{nameKind.schema, func(r *reader, n *yaml.Node, d *directed) { d.end, d.at = n.Value, n }},
		object("what comes from an end", faultFields(func(d *directed) *Change { return &d.change })...))
	text := object("a link", append([]field[linkText]{
		required(at("between", "its two ends: hosts or switches", list(nodeKind, "two names, as [client, server]"), func(l *linkText) *[]string { return &l.ends })),
		at("name", "without one it is called after its ends, as client-server", nameKind, func(l *linkText) *string { return &l.link.Name }),
		at("from", "faults of what comes from one end only", fromKind, func(l *linkText) *[]directed { return &l.from }),
	}, faultFields(func(l *linkText) *Change { return &l.both })...)...)
	return kind[Link]{text.schema, func(r *reader, n *yaml.Node, to *Link) {
		var l linkText
		checked(text, func(r *reader, n *yaml.Node, l *linkText) { l.finish(r, n) }).read(r, n, &l)
		*to = l.link
	}}
}

// finish makes faults of the changes.
func (l *linkText) finish(r *reader, n *yaml.Node) {
	if len(l.ends) != 2 || l.ends[0] == l.ends[1] {
		r.errorf(n, "a link is between two hosts or switches, as between: [client, server]")
		return
	}
	l.link.Ends = [2]string(l.ends)
	if l.link.Name == "" {
		l.link.Name = strings.Join(l.ends, "-")
	}
	changes := [2]Change{l.both, l.both}
	for _, d := range l.from {
		i := slices.Index(l.ends, d.end)
		if i < 0 {
			r.errorf(d.at, "the link is between %s and %s, and not at %q", l.ends[0], l.ends[1], d.end)
			return
		}
		changes[i] = slices.Concat(changes[i], d.change)
	}
	for i, c := range changes {
		var err error
		// The first end is the user's: what comes from the second goes down to it.
		if l.link.Faults[i], err = c.Apply(link.Faults{}, i == 1); err != nil {
			r.errorf(n, "%v", err)
			return
		}
	}
}
