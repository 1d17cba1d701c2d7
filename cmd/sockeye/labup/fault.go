package labup

import (
	"fmt"
	"slices"
	"strings"

	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
	"sockeye/link"
)

// A wire is a link with what it is to be like. The lab's mutex guards it.
type wire struct {
	link *lab.Link
	ends [2]lab.Node
	base [2]link.Faults // by end, what there is without the schedule
	set  [2]link.Faults // what was set last
	now  []*labfile.Event
}

// sync takes what others set meanwhile to be the link's own.
func (w *wire) sync() {
	for i, end := range w.ends {
		w.base[i] = labfile.Merge(w.link.Faults(end), w.set[i], w.base[i])
	}
}

// apply sets what the link is like with the events that go on. What of them cannot be together with
// what was set meanwhile is left out.
func (w *wire) apply() error {
	for i, end := range w.ends {
		f := w.base[i]
		for _, e := range w.now {
			if e.From != "" && e.From != end.Name() {
				continue
			}
			if to, err := e.Change.Apply(f, i == 1); err == nil {
				f = to
			}
		}
		if err := w.link.SetFrom(end, f); err != nil {
			return err
		}
		w.set[i] = f
	}
	return nil
}

// change changes what comes from one end, or from both if it is "".
func (w *wire) change(from string, c labfile.Change) error {
	w.sync()
	base := w.base
	for i, end := range w.ends {
		if from != "" && from != end.Name() {
			continue
		}
		var err error
		if base[i], err = c.Apply(base[i], i == 1); err != nil {
			return err
		}
	}
	w.base = base
	return w.apply()
}

// A FaultError is a fault that cannot be, and what could.
type FaultError struct{ Text string }

// Error is the Text.
func (e FaultError) Error() string { return e.Text }

func wrong(format string, args ...any) error { return FaultError{fmt.Sprintf(format, args...)} }

// Fault does what sockeye fault asks for:
//
//	LINK loss=10% delay=200ms   changes what it names
//	LINK clear                  as in the file
//	LINK down, LINK up
//	HOST,HOST loss=10%          what two hosts send each other, wherever it passes
//	HOST,HOST clear
//	HOST crash, HOST restart
//	part HOST,HOST HOST,HOST    groups that no longer reach each other
//	join                        the end of that
//
// From is the end of the link, or the host of the two, whose packets are meant; "": both. The error is a FaultError.
func (l *Lab) Fault(target, from string, words []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	one, other, pair := strings.Cut(target, ",")
	switch w, h := l.links[target], l.hosts[target]; {
	case pair:
		err = l.faultPair([2]string{one, other}, from, words)
	case from != "" && w == nil:
		err = wrong("only what comes from one end of a link can be meant, and %q is no link", target)
	case target == "part":
		err = l.part(words)
	case target == "join":
		l.net.Join()
	case w != nil:
		err = l.faultLink(w, target, from, words)
	case h != nil:
		err = l.faultHost(h, words)
	default:
		err = wrong("there is no link or host %q; there are the links %s, and the hosts %s", target, l.linkNames(), l.hostNames())
	}
	if err == nil {
		l.logf("fault: %s", strings.Join(slices.Concat([]string{target}, words, fromWords(from)), " "))
	}
	return err
}

func fromWords(from string) []string {
	if from == "" {
		return nil
	}
	return []string{"from", from}
}

func (l *Lab) linkNames() string {
	var all []string
	for _, w := range l.file.Links {
		all = append(all, w.Name)
	}
	return strings.Join(all, ", ")
}

func (l *Lab) hostNames() string {
	var all []string
	for _, h := range l.file.Hosts {
		all = append(all, h.Name)
	}
	return strings.Join(all, ", ")
}

func (l *Lab) faultLink(w *wire, name, from string, words []string) error {
	file := l.file.Link(name)
	if from != "" && !slices.Contains(file.Ends[:], from) {
		return wrong("link %s is between %s and %s, and not at %q", name, file.Ends[0], file.Ends[1], from)
	}
	switch strings.Join(words, " ") {
	case "":
		return wrong("what is to happen to link %s? Try %s loss=10%%, or down, up, clear", name, name)
	case "down":
		if from != "" {
			return w.change(from, labfile.Change{{"down", "yes"}})
		}
		w.link.Cut()
		return nil
	case "up":
		if w.link.IsCut() && from != "" { // the other way stays cut
			if err := w.change("", labfile.Change{{"down", "yes"}}); err != nil {
				return err
			}
		}
		w.link.Mend()
		return w.change(from, labfile.Change{{"down", "no"}})
	case "clear":
		w.sync()
		for i, end := range w.ends {
			if from == "" || from == end.Name() {
				w.base[i] = file.Faults[i]
			}
		}
		if from == "" {
			w.link.Mend()
		}
		return w.apply()
	}
	c, err := labfile.ParseChange(words...)
	if err == nil {
		err = w.change(from, c)
	}
	if err != nil {
		return wrong("link %s: %v", name, err)
	}
	return nil
}

// faultPair changes the faults of what two hosts send each other.
func (l *Lab) faultPair(pair [2]string, from string, words []string) error {
	hosts, err := l.groups([][]string{pair[:]})
	if err != nil {
		return err
	}
	if from != "" && !slices.Contains(pair[:], from) {
		return wrong("the two are %s and %s, and not %q", pair[0], pair[1], from)
	}
	var c labfile.Change
	clear := slices.Equal(words, []string{"clear"})
	if !clear {
		if c, err = labfile.ParseChange(words...); err == nil && len(c) == 0 {
			err = fmt.Errorf("what is to happen? Try %s,%s loss=10%%, or clear", pair[0], pair[1])
		}
		if err != nil {
			return wrong("%s and %s: %v", pair[0], pair[1], err)
		}
	}
	for i, sender := range hosts[0] {
		to := hosts[0][1-i]
		if from != "" && from != sender.Name() {
			continue
		}
		var f link.Faults
		if !clear {
			if f, err = c.Apply(l.net.FaultsFromTo(sender, to), i == 1); err != nil {
				return wrong("%s and %s: %v", pair[0], pair[1], err)
			}
		}
		if err := l.net.SetFromTo(sender, to, f); err != nil {
			return wrong("%v", err)
		}
		l.pairs[[2]string{sender.Name(), to.Name()}] = true
	}
	return nil
}

func (l *Lab) faultHost(h *host, words []string) error {
	switch strings.Join(words, " ") {
	case "crash":
		h.node.Crash()
	case "restart":
		h.node.Restart()
	default:
		return wrong("host %s can crash or restart, and not %q; faults such as loss=10%% are those of its links", h.name, strings.Join(words, " "))
	}
	return nil
}

// part parts groups of hosts, each written as a,b.
func (l *Lab) part(words []string) error {
	var groups [][]string
	for _, w := range words {
		groups = append(groups, strings.Split(w, ","))
	}
	if len(groups) < 2 {
		return wrong("part wants two groups of hosts or more, as part %s", strings.Replace(l.hostNames(), ", ", " ", 1))
	}
	nodes, err := l.groups(groups)
	if err != nil {
		return err
	}
	l.net.Part(nodes...)
	return nil
}

// groups finds the hosts of groups.
func (l *Lab) groups(names [][]string) (groups [][]*lab.Host, err error) {
	for _, list := range names {
		var g []*lab.Host
		for _, name := range list {
			h := l.hosts[name]
			if h == nil {
				return nil, wrong("there is no host %q; there are %s", name, l.hostNames())
			}
			g = append(g, h.node)
		}
		groups = append(groups, g)
	}
	return groups, nil
}
