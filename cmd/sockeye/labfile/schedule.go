package labfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"
)

// linkRefKind is the name of a link, and hostRefKind of a host.
var (
	linkRefKind = checked(nameKind, func(r *reader, n *yaml.Node, name *string) {
		r.refer(n, "link", *name, func(f *File) []string { return names(f.Links, func(l *Link) string { return l.Name }) })
	})
	hostRefKind = checked(nameKind, func(r *reader, n *yaml.Node, name *string) {
		r.refer(n, "host", *name, func(f *File) []string { return names(f.Hosts, func(h *Host) string { return h.Name }) })
	})
)

// eventKind is what happens at a time.
func eventKind() kind[Event] {
	return checked(object("an event", append([]field[Event]{
		required(at("at", "when it begins, from when the lab came up", timeKind, func(e *Event) *time.Duration { return &e.At })),
		at("for", "how long it lasts; without it, for good", timeKind, func(e *Event) *time.Duration { return &e.For }),
		at("every", "after which time it begins again", timeKind, func(e *Event) *time.Duration { return &e.Every }),
		at("link", "whose faults change", linkRefKind, func(e *Event) *string { return &e.Link }),
		at("from", "the end of the link whose packets are meant; without it both", hostOrSwitch, func(e *Event) *string { return &e.From }),
		at("cut", "a link that lets nothing through", linkRefKind, func(e *Event) *string { return &e.Cut }),
		at("crash", "a host that is gone, and is restarted", hostRefKind, func(e *Event) *string { return &e.Crash }),
		at("part", "groups of hosts that are parted", list(list(hostRefKind, "hosts, as [client, router]"), "groups of hosts, as [[client], [server]]"), func(e *Event) *[][]string { return &e.Part }),
	}, faultFields(func(e *Event) *Change { return &e.Change })...)...), checkEvent)
}

var hostOrSwitch = nodeKind

func checkEvent(r *reader, n *yaml.Node, e *Event) {
	var what []string
	for _, w := range []struct {
		name string
		set  bool
	}{{"link", e.Link != ""}, {"cut", e.Cut != ""}, {"crash", e.Crash != ""}, {"part", len(e.Part) > 0}} {
		if w.set {
			what = append(what, w.name)
		}
	}
	switch {
	case len(what) == 0:
		r.errorf(n, "nothing happens in this event: want one of link and a fault, cut, crash and part")
	case len(what) > 1:
		r.errorf(n, "an event is one thing, and this one is %s: make it %d events", strings.Join(what, " and "), len(what))
	case e.Link == "" && (len(e.Change) > 0 || e.From != ""):
		r.errorf(n, "only an event of a link has faults; say which one, as link: wan")
	case e.Link != "" && len(e.Change) == 0:
		r.errorf(n, "link %s has no fault in this event; say which one, as loss: 10%%, or cut: %s", e.Link, e.Link)
	case len(e.Part) == 1:
		r.errorf(n, "there is one group of hosts: nobody is parted from them; want two or more")
	case e.Every > 0 && (e.For == 0 || e.For >= e.Every):
		r.errorf(n, "what happens every %v lasts less than that: want a shorter for, as for: %v", e.Every, (e.Every / 2).Round(time.Microsecond))
	case e.Link != "":
		r.later(func() { e.check(r, n) })
	}
}

// check finds what cannot be on its link.
func (e *Event) check(r *reader, n *yaml.Node) {
	l := r.file.Link(e.Link)
	if l == nil {
		return // which has been told
	}
	if e.From != "" && !slices.Contains(l.Ends[:], e.From) {
		r.errorf(n, "link %s is between %s and %s, and not at %q", l.Name, l.Ends[0], l.Ends[1], e.From)
		return
	}
	for i := range l.Ends {
		if e.From == "" || e.From == l.Ends[i] {
			if _, err := e.Change.Apply(l.Faults[i], i == 1); err != nil {
				r.errorf(n, "%v", err)
				return
			}
		}
	}
}

// String says what happens: link wan loss=10%.
func (e *Event) String() string {
	var b strings.Builder
	switch {
	case e.Link != "":
		fmt.Fprintf(&b, "link %s %v", e.Link, e.Change)
	case e.Cut != "":
		fmt.Fprintf(&b, "link %s down", e.Cut)
	case e.Crash != "":
		fmt.Fprintf(&b, "host %s down", e.Crash)
	default:
		b.WriteString("part")
		for _, g := range e.Part {
			b.WriteString(" " + strings.Join(g, ","))
		}
	}
	if e.From != "" {
		b.WriteString(" from " + e.From)
	}
	return b.String()
}
