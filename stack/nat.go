package stack

import (
	"fmt"

	"sockeye/nat"
	"sockeye/stack/inet"
)

// SetNAT changes how the translator at an interface behaves, or makes the interface the outside of one
// (Interface.NAT). The error says what is impossible, or that the host has no such interface.
func (h *Host) SetNAT(name string, c nat.Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	return h.change(name, func(i *inet.Iface) { i.SetNAT(c) }) // which was checked
}

// Mappings are those of the translator at an interface. The error says that there is none.
func (h *Host) Mappings(name string) (list []nat.Mapping, err error) {
	err = h.translator(name, func(t *nat.Table) { list = t.Mappings(h.loop.Now()) })
	return list, err
}

// NATCounters are the counters of the translator at an interface. The error says that there is none.
func (h *Host) NATCounters(name string) (c nat.Counters, err error) {
	err = h.translator(name, func(t *nat.Table) { c = t.Counters() })
	return c, err
}

// FlushNAT forgets the mappings of the translator at an interface, as if it had been turned off and on. The error
// says that there is none.
func (h *Host) FlushNAT(name string) error { return h.translator(name, (*nat.Table).Forget) }

func (h *Host) translator(name string, f func(*nat.Table)) error {
	has := false
	err := h.change(name, func(i *inet.Iface) {
		if has = i.NAT != nil; has {
			f(i.NAT)
		}
	})
	if err == nil && !has {
		err = fmt.Errorf("stack: interface %q of host %s has no NAT", name, h.name)
	}
	return err
}
