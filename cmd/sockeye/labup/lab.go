// Package labup brings the lab that a file describes to life, in real time: its hosts and links, what
// the hosts run, the ports that lead in and out, and the faults that come and go. A lab that is up can
// be given another file: what is the same in it goes on undisturbed.
package labup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"sockeye"
	"sockeye/cmd/sockeye/labfile"
	"sockeye/lab"
)

// A Config says what a lab needs of its surroundings.
type Config struct {
	// Machine is the host whose ports lead into the lab.
	Machine *sockeye.Host
	// AnyPort lets a port of the machine that is taken be another one that is free.
	AnyPort bool
	// Dir is where paths in the file begin.
	Dir string
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
}

// Start brings a lab up. The error says what of it could not be: a port that is taken, say.
func Start(file *labfile.File, c Config) (*Lab, error) {
	l := &Lab{Config: c, file: file, begun: time.Now(), hosts: make(map[string]*host), links: make(map[string]*wire)}
	l.ctx, l.stop = context.WithCancel(context.Background())
	seed := file.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	l.net = lab.Open(lab.Config{Seed: seed})
	if err := l.build(); err != nil {
		l.stop()
		l.net.Close()
		return nil, err
	}
	if err := l.furnish(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// build makes the network.
func (l *Lab) build() (err error) {
	defer func() {
		// What labfile cannot foresee: networks that are handed out meet those that were given.
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	nodes := make(map[string]lab.Node)
	for i := range l.file.Hosts {
		f := &l.file.Hosts[i]
		h := &host{lab: l, name: f.Name, jobs: make(map[string]*job)}
		h.node = l.net.HostWith(f.Name, lab.HostConfig{Forward: f.Router, Addrs: f.Addresses})
		h.node.Program(h.boot)
		l.hosts[f.Name], nodes[f.Name] = h, h.node
	}
	for _, s := range l.file.Switches {
		nodes[s] = l.net.Switch(s)
	}
	for i := range l.file.Links {
		f := &l.file.Links[i]
		w := &wire{ends: [2]lab.Node{nodes[f.Ends[0]], nodes[f.Ends[1]]}, base: f.Faults, set: f.Faults}
		w.link = l.net.Link(w.ends[0], w.ends[1], f.Faults[:]...)
		l.links[f.Name] = w
	}
	for _, h := range l.hosts {
		h.node.Stack() // from here on it lives
		break
	}
	return nil
}

// furnish starts what the hosts run, and the schedule.
func (l *Lab) furnish() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.file.Hosts {
		if err := l.hosts[l.file.Hosts[i].Name].set(&l.file.Hosts[i]); err != nil {
			return err
		}
	}
	l.plan(l.file.Schedule)
	return nil
}

// Network is the lab's network.
func (l *Lab) Network() *lab.Network { return l.net }

// File is what the lab is made of.
func (l *Lab) File() *labfile.File {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file
}

// Close ends the lab: nothing of it is left, no port and no goroutine.
func (l *Lab) Close() {
	l.mu.Lock()
	l.stop() // nothing is started from here on
	l.mu.Unlock()
	l.net.Close()
	l.tasks.Wait()
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
	for name, h := range l.hosts {
		for _, a := range h.node.Addrs() {
			if a == ip.Unmap() {
				return name
			}
		}
	}
	return ""
}
