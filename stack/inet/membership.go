package inet

import (
	"encoding/binary"
	"slices"
	"syscall"

	"sockeye"
	"sockeye/wire"
)

// A membership is a socket's in a multicast group, on an interface.
type membership struct {
	group   wire.Addr
	iface   *Iface
	sources []wire.Addr // those that are wanted; none: all
}

// maxMemberships bounds a socket's (igmp_max_memberships), and maxSources those of
// one group (igmp_max_msf).
const (
	maxMemberships = 20
	maxSources     = 10
)

// allows tells whether the socket takes a datagram that came to a group (ip_mc_sf_allow
// and inet6_mc_check): what nobody joined on the socket comes to it unless it said
// otherwise (IP_MULTICAST_ALL).
func (b *base) allows(h *header) bool {
	for i := range b.ip.groups {
		if m := &b.ip.groups[i]; m.group == h.dst && m.iface == h.iface {
			return len(m.sources) == 0 || slices.Contains(m.sources, h.src)
		}
	}
	if h.dst.Is4() {
		return b.ip.multicastAll
	}
	return b.ip.multicastAll6
}

func (b *base) groupIndex(group wire.Addr, i *Iface) int {
	return slices.IndexFunc(b.ip.groups, func(m membership) bool { return m.group == group && m.iface == i })
}

func (b *base) leaveGroups() {
	for _, m := range b.ip.groups {
		m.iface.leave(m.group)
	}
	if len(b.ip.groups) > 0 {
		b.ip.groups = nil
	}
}

// groupIface is the interface that is meant: by index, by address, or that of the
// route to the group.
func (b *base) groupIface(m mreqn) *Iface {
	switch {
	case m.ifindex != 0:
		return b.stack.Iface(m.ifindex)
	case !m.address.IsUnspecified():
		return b.stack.local(m.address)
	}
	if r := b.stack.route(m.group, way{}); r != nil {
		return r.Iface
	}
	return nil
}

// membership4 is IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP.
func (b *base) membership4(name int, val []byte) error {
	if b.Type == sockeye.SOCK_STREAM {
		return syscall.EPROTO
	}
	m, ok := parseMreqn(val)
	if !ok {
		return syscall.EINVAL
	}
	if name == sockeye.IP_ADD_MEMBERSHIP.Name {
		if !m.group.IsMulticast() {
			return syscall.EINVAL
		}
		return b.addGroup(m.group, b.groupIface(m))
	}
	i := b.groupIface(m)
	switch {
	case i != nil:
		return b.dropGroup(m.group, i)
	case m.ifindex == 0 && m.address.IsUnspecified():
		return syscall.ENODEV
	}
	return syscall.EADDRNOTAVAIL
}

// membership6 is IPV6_ADD_MEMBERSHIP and IPV6_DROP_MEMBERSHIP.
func (b *base) membership6(name int, val []byte) error {
	if len(val) < 20 {
		return syscall.EINVAL
	}
	if b.Type == sockeye.SOCK_STREAM {
		return syscall.EPROTO
	}
	group := wire.AddrFrom16([16]byte(val))
	if group.Is4() || !group.IsMulticast() {
		return syscall.EINVAL
	}
	ifindex := int(int32(binary.NativeEndian.Uint32(val[16:])))
	if name == sockeye.IPV6_ADD_MEMBERSHIP.Name {
		return b.addGroup(group, b.groupIface(mreqn{group: group, ifindex: ifindex}))
	}
	return b.dropGroup(group, b.stack.Iface(ifindex))
}

func (b *base) addGroup(group wire.Addr, i *Iface) error {
	switch {
	case i == nil:
		return syscall.ENODEV
	case b.groupIndex(group, i) >= 0:
		return syscall.EADDRINUSE
	case len(b.ip.groups) >= maxMemberships && group.Is4():
		return syscall.ENOBUFS
	}
	b.ip.groups = append(b.ip.groups, membership{group: group, iface: i})
	i.join(group)
	return nil
}

func (b *base) dropGroup(group wire.Addr, i *Iface) error {
	n := b.groupIndex(group, i)
	if n < 0 {
		return syscall.EADDRNOTAVAIL
	}
	b.ip.groups[n].iface.leave(group)
	b.ip.groups = slices.Delete(b.ip.groups, n, n+1)
	return nil
}

// sourceMembership is IP_ADD_SOURCE_MEMBERSHIP and IP_DROP_SOURCE_MEMBERSHIP.
func (b *base) sourceMembership(name int, val []byte) error {
	if len(val) != 12 {
		return syscall.EINVAL
	}
	group, source := wire.AddrFrom4([4]byte(val)), wire.AddrFrom4([4]byte(val[8:]))
	if !group.IsMulticast() {
		return syscall.EINVAL
	}
	i := b.groupIface(mreqn{group: group, address: wire.AddrFrom4([4]byte(val[4:]))})
	if i == nil {
		return syscall.ENODEV
	}
	n := b.groupIndex(group, i)
	if name == sockeye.IP_DROP_SOURCE_MEMBERSHIP.Name {
		if n < 0 {
			return syscall.EINVAL
		}
		m := &b.ip.groups[n]
		k := slices.Index(m.sources, source)
		if k < 0 {
			return syscall.EADDRNOTAVAIL
		}
		if m.sources = slices.Delete(m.sources, k, k+1); len(m.sources) == 0 {
			return b.dropGroup(group, i)
		}
		return nil
	}
	if n < 0 {
		if err := b.addGroup(group, i); err != nil {
			return err
		}
		n = len(b.ip.groups) - 1
	} else if len(b.ip.groups[n].sources) == 0 { // joined for all sources
		return syscall.EINVAL
	}
	m := &b.ip.groups[n]
	switch {
	case slices.Contains(m.sources, source):
		return syscall.EADDRNOTAVAIL
	case len(m.sources) >= maxSources:
		return syscall.ENOBUFS
	}
	m.sources = append(m.sources, source)
	return nil
}
