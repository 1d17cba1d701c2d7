package labhttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
	"sockeye/link"
)

// A Change is what is to change of the faults of links.
type Change struct {
	From  string   `json:"from,omitempty"`  // the node whose packets are meant; "": both ways
	Clear bool     `json:"clear,omitempty"` // begin with no faults at all, not with those that there are
	Set   []string `json:"set,omitempty"`   // words: loss=10%, delay=200ms, profile=3g
}

// A Partition parts the hosts of each group from those of the others.
type Partition struct {
	Groups [][]string `json:"groups"`
}

// mostBytes are those of a request's body.
const mostBytes = 64 << 10

// read reads a request's body, which is JSON.
func read(r *http.Request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "the Content-Type is %q: want application/json", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, mostBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes: want a few words", mostBytes)
	} else if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("the body is not what is wanted: %s: want JSON such as %s", strings.TrimPrefix(err.Error(), "json: "), wanted(into))
	}
	if d.More() {
		return fmt.Errorf("the body goes on behind its end: want JSON such as %s", wanted(into))
	}
	return nil
}

// wanted is a body that would be right.
func wanted(into any) string {
	if _, ok := into.(*Partition); ok {
		return `{"groups": [["alice"], ["bob", "web"]]}`
	}
	return `{"set": ["loss=10%", "delay=200ms"]}`
}

// changeLink is POST /api/links/{link}.
func (v *View) changeLink(r *http.Request) (any, error) {
	return v.changeFaults(r, func(l *Lab) ([]*lab.Link, string, error) {
		x, err := l.link(r.PathValue("link"))
		return []*lab.Link{x}, "link " + r.PathValue("link"), err
	})
}

// changeHost is POST /api/hosts/{host}/links.
func (v *View) changeHost(r *http.Request) (any, error) {
	return v.changeFaults(r, func(l *Lab) ([]*lab.Link, string, error) {
		h, err := l.host(r.PathValue("host"))
		if err != nil {
			return nil, "", err
		}
		list := l.linksAt(h)
		if len(list) == 0 {
			return nil, "", refuse(http.StatusNotFound, "host %s has no link", h.Name())
		}
		return list, "links of " + h.Name(), nil
	})
}

// linksAt are the links of a host.
func (l *Lab) linksAt(h *lab.Host) (list []*lab.Link) {
	for _, x := range l.Network.AllLinks() {
		if a, b := x.Ends(); a == lab.Node(h) || b == lab.Node(h) {
			list = append(list, x)
		}
	}
	return list
}

// changeFaults changes the faults of the links that which gives: all that is asked for, or nothing.
func (v *View) changeFaults(r *http.Request, which func(*Lab) ([]*lab.Link, string, error)) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	links, what, err := which(l)
	if err != nil {
		return nil, err
	}
	ends := make(map[string]bool)
	for _, x := range links {
		a, b := x.Ends()
		ends[a.Name()], ends[b.Name()] = true, true
	}
	c, words, err := readChange(r, what, slices.Sorted(maps.Keys(ends)))
	if err != nil {
		return nil, err
	}
	v.change.Lock()
	defer v.change.Unlock()
	var undo []func()
	for _, x := range links {
		u, err := c.apply(x, words)
		undo = append(undo, u...)
		if err != nil {
			for _, f := range slices.Backward(undo) {
				f()
			}
			return nil, err
		}
	}
	l.log(what + ": " + c.String())
	return l.state(true), nil
}

// readChange reads a change of something that has ends of these names.
func readChange(r *http.Request, what string, ends []string) (c Change, words labfile.Change, err error) {
	if err := read(r, &c); err != nil {
		return c, nil, err
	}
	if !c.Clear && len(c.Set) == 0 {
		return c, nil, errors.New(`nothing is to change: want words to set, as {"set": ["loss=10%"]}, or {"clear": true}`)
	}
	if c.From != "" && !slices.Contains(ends, c.From) {
		return c, nil, fmt.Errorf("from is %q, which is at no end of %s: want %s", c.From, what, strings.Join(ends, " or "))
	}
	words, err = labfile.ParseChange(c.Set...)
	return c, words, err
}

// apply changes the faults of a link, and gives what undoes that, the last first, also when it fails.
func (c *Change) apply(x *lab.Link, words labfile.Change) (undo []func(), err error) {
	a, b := x.Ends()
	ends := []lab.Node{a, b}
	set := func(from lab.Node, f link.Faults) error {
		was := x.Faults(from)
		undo = append(undo, func() { x.SetFrom(from, was) })
		return x.SetFrom(from, f)
	}
	if x.IsCut() { // say it of each way, so that one can be brought up by itself
		for _, from := range ends {
			f := x.Faults(from)
			f.Partition = true
			set(from, f) // which changes nothing yet
		}
		x.Mend()
		undo = append(undo, x.Cut)
	}
	for i, from := range ends {
		if c.From != "" && c.From != from.Name() {
			continue
		}
		f := x.Faults(from)
		if c.Clear {
			f = link.Faults{}
		}
		f, err := words.Apply(f, i == 1) // the first end is the user's
		if err == nil {
			err = set(from, f)
		}
		if err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// changePair is POST /api/pairs/{a}/{b}.
func (v *View) changePair(r *http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	a, err := l.host(r.PathValue("a"))
	if err != nil {
		return nil, err
	}
	b, err := l.host(r.PathValue("b"))
	if err != nil {
		return nil, err
	}
	if a == b {
		return nil, fmt.Errorf("a pair is two hosts, and both are %s", a.Name())
	}
	what := a.Name() + " and " + b.Name()
	c, words, err := readChange(r, what, []string{a.Name(), b.Name()})
	if err != nil {
		return nil, err
	}
	v.change.Lock()
	defer v.change.Unlock()
	ways := [2][2]*lab.Host{{a, b}, {b, a}}
	var faults [2]link.Faults
	for i, w := range ways { // all that can be wrong is found before anything is set
		faults[i] = l.Network.FaultsFromTo(w[0], w[1])
		if c.From != "" && c.From != w[0].Name() {
			continue
		}
		if c.Clear {
			faults[i] = link.Faults{}
		}
		if faults[i], err = words.Apply(faults[i], i == 1); err != nil {
			return nil, err
		}
	}
	for i, w := range ways {
		if err := l.Network.SetFromTo(w[0], w[1], faults[i]); err != nil {
			return nil, err
		}
	}
	l.log(what + ": " + c.String())
	return l.state(true), nil
}

// String is the change as it is typed.
func (c *Change) String() string {
	words := slices.Clone(c.Set)
	if c.Clear {
		words = slices.Insert(words, 0, "clear")
	}
	if c.From != "" {
		words = append(words, "from "+c.From)
	}
	return strings.Join(words, " ")
}

// hostAction is a POST that does something to a host.
func (v *View) hostAction(done string, do func(*Lab, *lab.Host)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		l, err := v.shown()
		if err != nil {
			return nil, err
		}
		h, err := l.host(r.PathValue("host"))
		if err != nil {
			return nil, err
		}
		v.change.Lock()
		defer v.change.Unlock()
		do(l, h)
		l.log("host " + h.Name() + ": " + done)
		return l.state(true), nil
	}
}

// part is POST /api/part.
func (v *View) part(r *http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	var p Partition
	if err := read(r, &p); err != nil {
		return nil, err
	}
	if len(p.Groups) < 2 {
		return nil, fmt.Errorf("there are %d groups: want two or more, as %s", len(p.Groups), wanted(&p))
	}
	seen := make(map[string]bool)
	var groups [][]*lab.Host
	for _, names := range p.Groups {
		var g []*lab.Host
		for _, name := range names {
			h, err := l.host(name)
			if err != nil {
				return nil, err
			}
			if seen[name] {
				return nil, fmt.Errorf("host %s is named twice: a host is in one group", name)
			}
			seen[name] = true
			g = append(g, h)
		}
		groups = append(groups, g)
	}
	l.Network.Part(groups...)
	l.log("parted: " + p.String())
	return l.state(true), nil
}

// String is the groups as alice | bob web.
func (p *Partition) String() string {
	var groups []string
	for _, g := range p.Groups {
		groups = append(groups, strings.Join(g, " "))
	}
	return strings.Join(groups, " | ")
}

// join is POST /api/join.
func (v *View) join(*http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	l.Network.Join()
	l.log("all partitions ended")
	return l.state(true), nil
}

func (l *Lab) log(what string) {
	if l.Log != nil {
		l.Log(what)
	}
}
