package lab

import (
	"fmt"
	"net/netip"
	"slices"

	"sockeye/link"
	"sockeye/stack"
)

// An Interface is what a host has at one of its links.
type Interface struct {
	Name       string // eth0, eth1 ... in the order of the links
	Link       *Link
	Properties link.Properties
	Addrs      []netip.Prefix
}

// Interfaces are the host's interfaces. Their links are not for the caller to send to.
func (h *Host) Interfaces() (list []Interface) {
	h.net.start()
	for i, p := range h.plugs {
		list = append(list, Interface{interfaceName(i), p.link, p.port.Properties(), slices.Clone(p.addrs)})
	}
	return list
}

func interfaceName(i int) string { return fmt.Sprintf("eth%d", i) }

// Routes are the host's routes beyond the networks of its own interfaces.
func (h *Host) Routes() []stack.Route {
	h.net.start()
	return slices.Clone(h.routes)
}

// Forwards tells whether the host is a router.
func (h *Host) Forwards() bool { return h.config.Forward || h.config.NAT != nil }

// Attach gives the place of a host to one that is outside of the network: a machine, a namespace or a
// program of its own, which is to have the addresses that Interfaces has, and the Routes. The host that
// was there crashes. Its links lead to ports of the network's loop (Loop), one for each in the
// order of Interfaces: TUN devices, frames over a stream (link.Stream) or what else there is. The ports
// stay the caller's, who closes them after detach. That ends it, and restarts the host.
//
// Crash cuts a host outside off, and Restart connects it again: what it knows it keeps.
func (h *Host) Attach(ports ...link.Port) (detach func(), err error) {
	h.net.start()
	if len(ports) != len(h.plugs) {
		return nil, fmt.Errorf("lab: host %s has %d links, and %d ports are to take its place", h.name, len(h.plugs), len(ports))
	}
	for i, p := range h.plugs {
		if want, got := p.port.Properties().Ethernet, ports[i].Properties().Ethernet; want != got {
			return nil, fmt.Errorf("lab: host %s: link %v carries %s, and port %d of who is to take its place %s",
				h.name, p.link, carried(want), i, carried(got))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outside != nil {
		return nil, fmt.Errorf("lab: the place of host %s is taken: another is attached", h.name)
	}
	h.stack.Close()
	h.outside = &outside{ports}
	h.outside.plugIn(h)
	return h.detach(h.outside), nil
}

func carried(ethernet bool) string {
	if ethernet {
		return "Ethernet frames"
	}
	return "IP packets"
}

// Attached tells whether the host's place is another's.
func (h *Host) Attached() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.outside != nil
}

// An outside is who has a host's place.
type outside struct{ ports []link.Port }

func (o *outside) plugIn(h *Host) {
	for i, p := range h.plugs {
		link.Patch(p, o.ports[i])
	}
}

func (o *outside) unplug(h *Host) {
	for i, p := range h.plugs {
		o.ports[i].Attach(nil)
		p.Attach(nil)
	}
}

// reconnect connects who has the host's place; false: nobody has it.
func (h *Host) reconnect() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outside == nil {
		return false
	}
	h.outside.plugIn(h)
	return true
}

// detach gives what ends an attachment, once.
func (h *Host) detach(o *outside) func() {
	return func() {
		h.net.mu.Lock()
		closed := h.net.closed
		h.net.mu.Unlock()
		h.mu.Lock()
		was := h.outside == o
		if was {
			o.unplug(h)
			h.outside = nil
		}
		h.mu.Unlock()
		if was && !closed {
			h.boot()
		}
	}
}
