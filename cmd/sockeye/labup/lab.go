// Package labup brings the lab that a file describes to life, in real time: its hosts and links, what
// the hosts run, the ports that lead in and out, and the faults that come and go. A lab that is up can
// be given another file: what is the same in it goes on undisturbed.
package labup

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sockeye"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
	"sockeye/link"
	"sockeye/nat"
)

// A Config says what a lab needs of its surroundings.
type Config struct {
	// Machine is the host whose ports lead into the lab.
	Machine *sockeye.Host
	// AnyPort lets a port of the machine that is taken be another one that is free.
	AnyPort bool
	// Dir is where paths in the file begin.
	Dir string
	// Command runs an unmodified program as a host of the lab until its end, or that of the context.
	Command func(ctx context.Context, host string, args []string) error
	// Capture, if not nil, gets what passes the links, as a pcapng file.
	Capture io.Writer
	// Log is told what goes on, a line at a time, by several goroutines at once.
	Log func(text string)
}

// A Lab is one that is up.
type Lab struct {
	Config
	net   *lab.Network
	begun time.Time
	ctx   context.Context // ends with the lab
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu     sync.Mutex
	file   *labfile.File
	hosts  map[string]*host
	links  map[string]*wire
	now    []*occasion // of the schedule that go on
	events []*occasion
	pairs  map[[2]string]bool // of hosts, from and to, that were given faults of their own

	packets *link.Pcapng // what is captured; nil: nothing
}

// Start brings a lab up. The error says what of it could not be: a port that is taken, say.
func Start(file *labfile.File, c Config) (*Lab, error) {
	l := &Lab{Config: c, file: file, begun: time.Now(), hosts: make(map[string]*host), links: make(map[string]*wire), pairs: make(map[[2]string]bool)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	b, err := l.build(file)
	if err != nil {
		l.stop()
		return nil, err
	}
	if err := l.furnish(b); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// build makes the network of a file: its nodes and links, without what runs on them.
func (l *Lab) build(file *labfile.File) (b *built, err error) {
	defer func() {
		// What labfile cannot foresee: networks that are handed out meet those that were given.
		if r := recover(); r != nil {
			b.net.Close()
			b, err = nil, fmt.Errorf("%v", r)
		}
	}()
	seed := file.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	b = &built{net: lab.Open(lab.Config{Seed: seed}), hosts: make(map[string]*lab.Host), links: make(map[string]*wire)}
	nodes := make(map[string]lab.Node)
	for _, f := range file.Hosts {
		c := lab.HostConfig{Forward: f.Router, Addrs: f.Addresses}
		if kind, ok := nat.Named(f.NAT.Kind); ok {
			kind.UDP, kind.TCP = f.NAT.UDP, f.NAT.TCP
			c.NAT = &kind
		}
		var h *lab.Host
		if f.NameServer {
			h = b.net.NameServer(f.Name)
		} else {
			h = b.net.HostWith(f.Name, c)
		}
		h.Program(func() { l.boot(f.Name) })
		b.hosts[f.Name], nodes[f.Name] = h, h
	}
	for _, s := range file.Switches {
		nodes[s] = b.net.Switch(s)
	}
	for _, f := range file.Links {
		w := &wire{ends: [2]lab.Node{nodes[f.Ends[0]], nodes[f.Ends[1]]}, base: f.Faults, set: f.Faults}
		w.link = b.net.Link(w.ends[0], w.ends[1], f.Faults[:]...)
		w.link.SetName(f.Name)
		b.links[f.Name] = w
	}
	if l.Capture != nil {
		b.turn = &turn{to: l.Capture}
		b.packets = b.net.Capture(b.turn)
	}
	for _, h := range b.hosts {
		h.Stack() // from here on all of it lives
		break
	}
	return b, nil
}

// built is a network with the names of its file.
type built struct {
	net   *lab.Network
	hosts map[string]*lab.Host
	links map[string]*wire

	turn    *turn        // to write the capture; nil: there is none
	packets *link.Pcapng // the capture
}

// take makes a network be the lab's, and gives its hosts to those of the same names that there are.
func (l *Lab) take(b *built) {
	hosts := make(map[string]*host)
	for name, node := range b.hosts {
		h := l.hosts[name]
		if h == nil {
			h = &host{lab: l, name: name, jobs: make(map[string]*job)}
		}
		h.node = node
		hosts[name] = h
	}
	l.net, l.hosts, l.links, l.packets = b.net, hosts, b.links, b.packets
	if b.turn != nil {
		b.turn.begin()
	}
}

// furnish takes the network, and starts what the hosts run, and the schedule.
func (l *Lab) furnish(b *built) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(b)
	for i := range l.file.Hosts {
		if err := l.hosts[l.file.Hosts[i].Name].set(&l.file.Hosts[i]); err != nil {
			return err
		}
	}
	l.plan(l.file.Schedule)
	return nil
}

// Network is the lab's network. A file with another one replaces it.
func (l *Lab) Network() *lab.Network {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.net
}

// File is what the lab is made of.
func (l *Lab) File() *labfile.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file
}

// Close ends the lab: nothing of it is left, no port and no goroutine. The error is that of the capture.
func (l *Lab) Close() error {
	l.mu.Lock()
	l.stop() // nothing is started, nor built, from here on
	net := l.net
	l.mu.Unlock()
	net.Close()
	l.tasks.Wait()
	if l.packets == nil {
		return nil
	}
	return l.packets.Err()
}

// run runs f until it ends, which Close waits for.
func (l *Lab) run(f func()) {
	l.tasks.Add(1)
	go func() {
		defer l.tasks.Done()
		f()
	}()
}

// logf tells what goes on.
func (l *Lab) logf(format string, args ...any) { l.Log(fmt.Sprintf(format, args...)) }

// owner is the name of the host that has an address; "": none has.
func (l *Lab) owner(ip netip.Addr) string {
	for _, h := range l.Network().Hosts() {
		if slices.Contains(h.Addrs(), ip.Unmap()) {
			return h.Name()
		}
	}
	return ""
}
