package labup

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
)

// Change makes the lab be that of another file, and tells what has changed. What is the same in it goes on:
// programs and connections live, and faults that were set meanwhile stay, unless the file changes them.
// A file of another network, with hosts or links that are not the same, has it built anew: then connections end, and the
// rest stays. The error says what cannot be; of a network that cannot be built nothing is changed.
func (l *Lab) Change(file *labfile.File) (changed []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, l.ctx.Err()
	}
	old := l.file
	if !sameNetwork(old, file) {
		if err := l.rebuild(file); err != nil {
			return nil, err
		}
		changed = append(changed, "the network, so that connections have ended")
	} else if err := l.changeLinks(file, &changed); err != nil {
		return changed, err
	}
	l.file = file
	for i := range file.Hosts {
		f, was := &file.Hosts[i], old.Host(file.Hosts[i].Name)
		if was != nil && reflect.DeepEqual(f, was) && !slices.ContainsFunc(f.Run, isCommand) {
			continue
		}
		if e := l.hosts[f.Name].set(f); e != nil {
			err = errors.Join(err, fmt.Errorf("host %s: %w", f.Name, e))
		}
		if was == nil || !reflect.DeepEqual(f, was) {
			changed = append(changed, "host "+f.Name)
		}
	}
	if !reflect.DeepEqual(file.Schedule, old.Schedule) {
		l.plan(file.Schedule)
		changed = append(changed, "the schedule")
	}
	return changed, err
}

func isCommand(p labfile.Program) bool { return p.Kind == "command" }

// sameNetwork tells whether two files have the same hosts and links, as far as these do not change while they live.
func sameNetwork(a, b *labfile.File) bool {
	return a.Seed == b.Seed && slices.Equal(a.Switches, b.Switches) &&
		slices.EqualFunc(a.Hosts, b.Hosts, func(x, y labfile.Host) bool {
			return x.Name == y.Name && x.Router == y.Router && x.NAT == y.NAT && x.NameServer == y.NameServer && slices.Equal(x.Addresses, y.Addresses)
		}) &&
		slices.EqualFunc(a.Links, b.Links, func(x, y labfile.Link) bool { return x.Name == y.Name && x.Ends == y.Ends })
}

// changeLinks changes the faults that the file has changed.
func (l *Lab) changeLinks(file *labfile.File, changed *[]string) error {
	for i := range file.Links {
		f, was := &file.Links[i], l.file.Link(file.Links[i].Name)
		if f.Faults == was.Faults {
			continue
		}
		if err := l.links[f.Name].follow(was, f); err != nil {
			return err
		}
		*changed = append(*changed, "link "+f.Name)
	}
	return nil
}

// follow changes what the file has changed of a link, and leaves what was set meanwhile.
func (w *wire) follow(was, is *labfile.Link) error {
	w.sync()
	for d := range w.base {
		w.base[d] = labfile.Merge(w.base[d], was.Faults[d], is.Faults[d])
	}
	return w.apply()
}

// rebuild builds the network of another file in place of the one that there is. Hosts and links of the same names are as
// they were: with the faults that were set, cut, crashed, parted.
func (l *Lab) rebuild(file *labfile.File) error {
	b, err := l.build(file)
	if err != nil {
		return err
	}
	gone := l.net
	for name, w := range b.links {
		if old := l.links[name]; old != nil && old.between(w) {
			old.sync()
			w.base, w.now = old.base, old.now
			if err := w.follow(l.file.Link(name), file.Link(name)); err != nil {
				b.net.Close()
				return err
			}
			if old.link.IsCut() {
				w.link.Cut()
			}
		}
	}
	for name, h := range l.hosts {
		if b.hosts[name] != nil && !h.node.IsUp() {
			b.hosts[name].Crash()
		}
		for k, j := range h.jobs {
			if b.hosts[name] == nil || j.joins { // which begins again
				j.stop()
				delete(h.jobs, k)
			}
		}
	}
	for _, p := range gone.Parted() {
		if one, other := b.hosts[p[0].Name()], b.hosts[p[1].Name()]; one != nil && other != nil {
			b.net.Part([]*lab.Host{one}, []*lab.Host{other})
		}
	}
	for pair := range l.pairs {
		from, to := l.hosts[pair[0]], l.hosts[pair[1]]
		if b.hosts[pair[0]] == nil || b.hosts[pair[1]] == nil {
			delete(l.pairs, pair)
			continue
		}
		if err := b.net.SetFromTo(b.hosts[pair[0]], b.hosts[pair[1]], gone.FaultsFromTo(from.node, to.node)); err != nil {
			b.net.Close()
			return err
		}
	}
	gone.Close()
	l.take(b)
	for _, h := range l.hosts {
		h.begin()
	}
	return nil
}

// between tells whether two links join nodes of the same names.
func (w *wire) between(other *wire) bool {
	return w.ends[0].Name() == other.ends[0].Name() && w.ends[1].Name() == other.ends[1].Name()
}
