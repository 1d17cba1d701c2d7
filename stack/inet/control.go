package inet

import (
	"encoding/binary"
	"syscall"

	"sockeye"
	"sockeye/stack/sock"
	"sockeye/wire"
)

// tell adds the ancillary data that the socket asked for: of SOL_SOCKET, UDP_GRO, and
// IP's.
func (b *mailbox) tell(m *sockeye.Message, d *datagram) {
	c := sock.ControlOf(m)
	b.tellSocket(&c, d)
	if d.segment != 0 {
		c.AddInt(sockeye.SOL_UDP, sockeye.UDP_GRO.Name, d.segment)
	}
	if b.Family == sockeye.AF_INET6 {
		b.tell6(&c, d)
	}
	if d.h.dst.Is4() {
		b.tell4(&c, d)
	}
	c.Done()
}

// tellSocket is sock_recv_cmsgs.
func (b *base) tellSocket(c *sock.Control, d *datagram) {
	b.TellTime(c, d.at)
	if b.Opt.RxqOvfl && d.drops > 0 {
		c.AddInt(sockeye.SOL_SOCKET, sockeye.SO_RXQ_OVFL.Name, int(d.drops))
	}
}

// tell4 is ip_cmsg_recv_offset.
func (b *base) tell4(c *sock.Control, d *datagram) {
	h := &d.h
	if b.ip.has(recvPktinfo) {
		local, index := anyIPv4, 0
		if b.Type == sockeye.SOCK_DGRAM && b.Proto == sockeye.IPPROTO_ICMP { // ping_queue_rcv_skb prepares nothing
			index = h.link.Index
		} else if d.pktinfo {
			local, index = h.dst, h.iface.Index
			if h.cast != unicast {
				local, _ = h.iface.source(h.src)
			}
		}
		tellPktinfo(c, index, local, h.dst)
	}
	b.tellHeader4(c, d)
}

func tellPktinfo(c *sock.Control, index int, local, dst wire.Addr) {
	v := binary.NativeEndian.AppendUint32(make([]byte, 0, 12), uint32(index))
	c.Add(sockeye.SOL_IP, sockeye.IP_PKTINFO.Name, dst.Append(local.Append(v)))
}

// tellHeader4 is tell4 without IP_PKTINFO.
func (b *base) tellHeader4(c *sock.Control, d *datagram) {
	h := &d.h
	if b.ip.has(recvTTL) {
		c.AddInt(sockeye.SOL_IP, sockeye.IP_TTL.Name, int(h.ttl))
	}
	if b.ip.has(recvTOS) {
		c.Add(sockeye.SOL_IP, sockeye.IP_TOS.Name, []byte{byte(h.tos)})
	}
	if b.ip.has(recvOpts) && h.options.len() > 0 {
		c.Add(sockeye.SOL_IP, sockeye.IP_RECVOPTS.Name, h.options.data)
	}
	if b.ip.has(recvRetOpts) && h.options.len() > 0 {
		c.Add(sockeye.SOL_IP, sockeye.IP_RETOPTS.Name, b.stack.echoOptions(h).given())
	}
	if port, ok := b.originalPort(d); ok && b.ip.has(recvOrigDst) {
		v := sockeye.SockaddrInet4(h.dst.As4(), port).AppendBytes(make([]byte, 0, sizeofSockaddrIn))
		c.Add(sockeye.SOL_IP, sockeye.IP_RECVORIGDSTADDR.Name, v)
	}
	if b.ip.has(recvFragSize) && h.fragSize != 0 {
		c.AddInt(sockeye.SOL_IP, sockeye.IP_RECVFRAGSIZE.Name, h.fragSize)
	}
}

// tell6 is ip6_datagram_recv_common_ctl and, for IPv6 packets, _specific_ctl.
func (b *base) tell6(c *sock.Control, d *datagram) {
	h := &d.h
	if b.ip.has(recvPktinfo6) {
		v, index := h.dst.As16(), h.iface.Index
		if h.dst.Is4() && !d.pktinfo {
			index = 0
		}
		c.Add(sockeye.SOL_IPV6, sockeye.IPV6_PKTINFO.Name,
			binary.NativeEndian.AppendUint32(append(make([]byte, 0, 20), v[:]...), uint32(index)))
	}
	if h.dst.Is4() {
		return
	}
	if b.ip.has(recvHopLimit) {
		c.AddInt(sockeye.SOL_IPV6, sockeye.IPV6_HOPLIMIT.Name, int(h.ttl))
	}
	if b.ip.has(recvTClass) {
		c.AddInt(sockeye.SOL_IPV6, sockeye.IPV6_TCLASS.Name, int(h.tos))
	}
	if b.ip.has(recvFlow) && h.flow != 0 {
		c.Add(sockeye.SOL_IPV6, ipv6FlowInfo, binary.BigEndian.AppendUint32(make([]byte, 0, 4), uint32(h.tos)<<20|h.flow))
	}
	if port, ok := b.originalPort(d); ok && b.ip.has(recvOrigDst6) {
		v := sockeye.SockaddrInet6(h.dst.As16(), port, 0, 0).AppendBytes(make([]byte, 0, sizeofSockaddrIn6))
		c.Add(sockeye.SOL_IPV6, sockeye.IPV6_RECVORIGDSTADDR.Name, v)
	}
	if b.ip.has(recvFragSize6) && h.fragSize != 0 {
		c.AddInt(sockeye.SOL_IPV6, sockeye.IPV6_RECVFRAGSIZE.Name, h.fragSize)
	}
}

// originalPort is the port of the original destination; false: the datagram is too short to have
// one. Linux takes for it what stands there in whatever protocol.
func (b *base) originalPort(d *datagram) (port uint16, ok bool) {
	if b.Proto == sockeye.IPPROTO_UDP {
		return d.dstPort, true
	}
	at := 0
	if b.Family == sockeye.AF_INET && b.Type == sockeye.SOCK_RAW {
		at = d.h.len()
	}
	var ports [4]byte
	if new(queue).scatter([][]byte{ports[:]}, d, at) < len(ports) { // it is a packet: only UDP copies
		return 0, false
	}
	return binary.BigEndian.Uint16(ports[2:]), true
}

const ipv6FlowInfo = 11 // IPV6_FLOWINFO

// A wish is what the ancillary data of a send asks for, or else the socket's options.
type wish struct {
	src      wire.Addr
	srcGiven bool // be it as unspecified, for whatever is best
	ifindex  int
	ttl      int // -1: the socket's
	tos      int // -1: the socket's
	segment  int
	dontFrag bool

	options *ipOptions // nil: the socket's

	stamp   int // of the flags of SO_TIMESTAMPING those that say which times to take
	id      uint32
	idGiven bool
}

// wishes reads the ancillary data of a send to an address (ip_cmsg_send,
// ip6_datagram_send_ctl, udp_cmsg_send, __sock_cmsg_send).
func (b *base) wishes(m *sockeye.Message, segment int, ip4 bool) (w wish, err error) {
	w = wish{ttl: -1, tos: -1, segment: segment, dontFrag: b.ip.dontFrag, stamp: b.Opt.Timestamping & stampsSent}
	if len(m.Control) == 0 {
		return w, nil
	}
	if !wellFormed(m.Control) {
		return w, syscall.EINVAL
	}
	for c := range sockeye.ControlMessages(m.Control) {
		switch c.Level {
		case sockeye.SOL_SOCKET:
			err = b.wishSocket(&w, c)
		case sockeye.SOL_UDP:
			if b.Proto != sockeye.IPPROTO_UDP {
				continue
			}
			if c.Type != sockeye.UDP_SEGMENT.Name || len(c.Data) != 2 {
				return w, syscall.EINVAL
			}
			w.segment = int(binary.NativeEndian.Uint16(c.Data))
		case sockeye.SOL_IP:
			if ip4 {
				err = b.wish4(&w, c)
			}
		case sockeye.SOL_IPV6:
			switch {
			case !ip4:
				err = b.wish6(&w, c)
			case b.Family == sockeye.AF_INET6 && c.Type == sockeye.IPV6_PKTINFO.Name:
				err = w.mapped(c)
			}
		}
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

const cmsgHeader = 16 // of a struct cmsghdr

// wellFormed tells whether every header of ancillary data tells a length that is there
// (CMSG_OK).
func wellFormed(b []byte) bool {
	for len(b) >= cmsgHeader {
		n := binary.NativeEndian.Uint64(b)
		if n < cmsgHeader || n > uint64(len(b)) {
			return false
		}
		b = b[min(len(b), int(n+7)&^7):]
	}
	return true
}

// wishSocket is __sock_cmsg_send.
func (b *base) wishSocket(w *wish, c sockeye.ControlMessage) error {
	switch c.Type {
	case sockeye.SO_TIMESTAMPING.Name:
		v, ok := c.Int()
		if !ok || len(c.Data) != 4 || v&^stampsSent != 0 {
			return syscall.EINVAL
		}
		w.stamp = v
		return nil
	case sockeye.SCM_TS_OPT_ID:
		v, ok := c.Int()
		if b.Type == sockeye.SOCK_STREAM || b.Opt.Timestamping&sockeye.SOF_TIMESTAMPING_OPT_ID == 0 || !ok || len(c.Data) != 4 {
			return syscall.EINVAL
		}
		w.id, w.idGiven = uint32(v), true
		return nil
	case sockeye.SO_MARK.Name:
		if !b.Host.Privileged {
			return syscall.EPERM
		}
		if len(c.Data) != 4 {
			return syscall.EINVAL
		}
		return nil
	case sockeye.SCM_RIGHTS, sockeye.SCM_CREDENTIALS: // of unix sockets
		return nil
	}
	return syscall.EINVAL
}

// wish4 is ip_cmsg_send.
func (b *base) wish4(w *wish, c sockeye.ControlMessage) (err error) {
	v, ok := c.Int()
	switch c.Type {
	case sockeye.IP_PKTINFO.Name:
		if len(c.Data) != 12 {
			return syscall.EINVAL
		}
		if v != 0 {
			w.ifindex = v
		}
		w.src, w.srcGiven = wire.AddrFrom4([4]byte(c.Data[4:8])), true
		return nil
	case sockeye.IP_TTL.Name:
		if len(c.Data) != 4 || v < 1 || v > 255 {
			return syscall.EINVAL
		}
		w.ttl = v
		return nil
	case sockeye.IP_RETOPTS.Name:
		w.options, err = b.parseOptions(c.Data[:min(len(c.Data), wire.MaxIPv4Options)])
		return err
	case sockeye.IP_TOS.Name:
		if !ok || len(c.Data) != 4 && len(c.Data) != 1 || v < 0 || v > 255 {
			return syscall.EINVAL
		}
		w.tos = v
		return nil
	}
	return syscall.EINVAL
}

// mapped takes IPV6_PKTINFO with an IPv4-mapped address for what is sent to IPv4.
func (w *wish) mapped(c sockeye.ControlMessage) error {
	if len(c.Data) < 20 {
		return syscall.EINVAL
	}
	src := wire.AddrFrom16([16]byte(c.Data))
	if !src.Is4() {
		return syscall.EINVAL
	}
	w.src, w.srcGiven = src, true
	if v := int(binary.NativeEndian.Uint32(c.Data[16:])); v != 0 {
		w.ifindex = v
	}
	return nil
}

func (b *base) wish6(w *wish, c sockeye.ControlMessage) error {
	switch c.Type {
	case sockeye.IPV6_PKTINFO.Name:
		if len(c.Data) < 20 {
			return syscall.EINVAL
		}
		v := int(binary.NativeEndian.Uint32(c.Data[16:]))
		if v != 0 && b.stack.Iface(v) == nil {
			return syscall.ENODEV
		}
		if v != 0 && b.claim.ifindex != 0 && v != b.claim.ifindex {
			return syscall.EINVAL
		}
		if v != 0 {
			w.ifindex = v
		}
		src := wire.AddrFrom16([16]byte(c.Data))
		if src.IsUnspecified() {
			return nil
		}
		if v == 0 && src.IsLinkLocal() || b.stack.local(src) == nil && !b.ip.freebind && !b.ip.transparent {
			return syscall.EINVAL
		}
		w.src, w.srcGiven = src, true
		return nil
	case sockeye.IPV6_HOPLIMIT.Name, sockeye.IPV6_TCLASS.Name:
		v, err := sock.Int(c.Data)
		if err != nil || len(c.Data) != 4 || v < -1 || v > 255 {
			return syscall.EINVAL
		}
		if c.Type == sockeye.IPV6_HOPLIMIT.Name {
			w.ttl = v
		} else {
			w.tos = v
		}
		return nil
	case sockeye.IPV6_DONTFRAG.Name:
		v, err := sock.Int(c.Data)
		if err != nil || len(c.Data) != 4 || v != 0 && v != 1 {
			return syscall.EINVAL
		}
		w.dontFrag = v != 0
		return nil
	}
	return syscall.EINVAL
}
