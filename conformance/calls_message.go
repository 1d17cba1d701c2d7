package conformance

import (
	"encoding/binary"
	"net/netip"
	"strings"

	. "sockeye"
)

// rights are descriptors to pass on.
func rights(fds ...*fd) []Descriptor {
	var ds []Descriptor
	for _, f := range fds {
		_ = f.String()
		ds = append(ds, f.s)
	}
	return ds
}

// message is one to send, of one buffer.
func message(data string, to Sockaddr, control []byte, rights []Descriptor) *Message {
	return &Message{Buffers: [][]byte{[]byte(data)}, Name: to, Control: control, Rights: rights}
}

// room is a message to receive size bytes and control bytes of ancillary data.
func room(size, control int) *Message {
	return &Message{Buffers: [][]byte{make([]byte, size)}, Control: make([]byte, control)}
}

func (x *calls) sendmsg(f *fd, m *Message, flags MsgFlags) int {
	call := sprintf("sendmsg(%v, %s, %v)", f, x.outgoing(m), flags)
	n, err := f.s.Sendmsg(m, flags)
	x.log(counted(n, err), "%s", call)
	return n
}

func (x *calls) sendmmsg(f *fd, ms []Message, flags MsgFlags) int {
	var show []string
	for i := range ms {
		show = append(show, x.outgoing(&ms[i]))
	}
	n, err := f.s.Sendmmsg(ms, flags)
	var sent []string
	for i := range n {
		sent = append(sent, itoa(ms[i].N))
	}
	x.log(counted(n, err)+" ["+strings.Join(sent, " ")+"]", "sendmmsg(%v, [%s], %v)", f, strings.Join(show, " "), flags)
	return n
}

// recvmsg receives to m and tells all that m then holds. It gives the sockets
// among the descriptors that came with it.
func (x *calls) recvmsg(f *fd, m *Message, flags MsgFlags) []*fd {
	call := sprintf("recvmsg(%v, {%s, control %d}, %v)", f, lengths(m), len(m.Control), flags)
	n, err := f.s.Recvmsg(m, flags)
	if err != nil {
		x.log(counted(n, err), "%s", call)
		return nil
	}
	fds, show := x.incoming(m)
	x.log(show, "%s", call)
	return fds
}

func (x *calls) recvmmsg(f *fd, ms []Message, flags MsgFlags) int {
	n, err := f.s.Recvmmsg(ms, flags)
	x.log(counted(n, err), "recvmmsg(%v, %d, %v)", f, len(ms), flags)
	for i := range n {
		_, show := x.incoming(&ms[i])
		if !x.quiet {
			x.lines = append(x.lines, sprintf("  [%d] %s", i, show))
		}
	}
	return n
}

func lengths(m *Message) string {
	var s []string
	for _, b := range m.Buffers {
		s = append(s, itoa(len(b)))
	}
	return strings.Join(s, "+")
}

func (x *calls) outgoing(m *Message) string {
	var parts []string
	if !m.Name.IsZero() {
		parts = append(parts, "to "+x.addr(m.Name))
	}
	for _, b := range m.Buffers {
		parts = append(parts, quote(b))
	}
	for c := range ControlMessages(m.Control) {
		parts = append(parts, x.control(c))
	}
	if len(m.Rights) > 0 {
		var names []string
		for _, d := range m.Rights {
			names = append(names, x.descriptorName(d))
		}
		parts = append(parts, "SCM_RIGHTS ["+strings.Join(names, " ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (x *calls) descriptorName(d Descriptor) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.fds {
		if f.s == d {
			return f.name
		}
	}
	return "a file"
}

// incoming shows a message that was received.
func (x *calls) incoming(m *Message) (fds []*fd, show string) {
	var data []byte
	for _, b := range m.Buffers {
		data = append(data, b...)
	}
	parts := []string{received(data, m.N, nil)}
	if !m.Name.IsZero() {
		parts = append(parts, "from "+x.addr(m.Name))
	}
	for c := range m.ControlMessages() {
		parts = append(parts, x.control(c))
	}
	if len(m.Rights) > 0 {
		var names []string
		for _, d := range m.Rights {
			if s, ok := d.(*Socket); ok {
				f := x.open(s, AF_UNSPEC)
				fds = append(fds, f)
				names = append(names, f.name)
			} else {
				d.Close()
				names = append(names, "a file")
			}
		}
		parts = append(parts, "SCM_RIGHTS ["+strings.Join(names, " ")+"]")
	}
	if m.Flags != 0 {
		parts = append(parts, m.Flags.String())
	}
	return fds, strings.Join(parts, ", ")
}

// control shows one piece of ancillary data.
func (x *calls) control(c ControlMessage) string {
	name := controlName(c.Level, c.Type)
	if c.Level == SOL_SOCKET {
		switch c.Type {
		case SCM_CREDENTIALS:
			if v, ok := c.Credentials(); ok {
				return name + " " + credentials(v)
			}
		case SCM_TIMESTAMP, SCM_TIMESTAMPNS:
			t, ok := c.Timestamp()
			if ok && !t.IsZero() {
				return name + " present"
			}
			return sprintf("%s cut to %d bytes", name, len(c.Data))
		case SCM_TIMESTAMPING:
			return name + " present"
		}
	}
	if p, ok := c.Pktinfo(); ok {
		if !p.Local.IsValid() {
			return sprintf("%s {interface %d, dst %v}", name, p.Ifindex, p.Dst)
		}
		return sprintf("%s {interface %d, local %v, dst %v}", name, p.Ifindex, p.Local, p.Dst)
	}
	if e, ok := c.ExtendedError(); ok {
		return sprintf("%s {%s, %v, type %d, code %d, info %d, data %d, offender %s}", name, ErrnoName(e.Errno),
			e.Origin, e.Type, e.Code, e.Info, e.Data, x.addr(e.Offender))
	}
	if p, ok := c.PathMTU(); ok {
		return sprintf("%s {%s, %d}", name, x.addr(p.Addr), p.MTU)
	}
	switch name {
	case "IP_RECVOPTS", "IP_RETOPTS":
		return name + " " + headerOptions(c.Data)
	case "IP_RECVORIGDSTADDR", "IPV6_RECVORIGDSTADDR":
		return name + " " + x.addr(SockaddrBytes(c.Data))
	}
	if v, ok := c.Int(); ok && len(c.Data) <= 4 {
		if len(c.Data) != 4 {
			return sprintf("%s %d (%d bytes)", name, v, len(c.Data))
		}
		return sprintf("%s %d", name, v)
	}
	return sprintf("%s [%x]", name, c.Data)
}

func controlName(level, typ int) string {
	if level == SOL_SOCKET {
		switch typ {
		case SCM_RIGHTS:
			return "SCM_RIGHTS"
		case SCM_CREDENTIALS:
			return "SCM_CREDENTIALS"
		}
	}
	for _, o := range Options() {
		if l, n := o.Number(); l == level && n == typ {
			return o.String()
		}
	}
	return sprintf("level %d type %d", level, typ)
}

// Addresses that scenarios use.
func ip4(addr string, port uint16) Sockaddr {
	return SockaddrInet4(netip.MustParseAddr(addr).As4(), port)
}

func ip6(addr string, port uint16) Sockaddr {
	return SockaddrInet6(netip.MustParseAddr(addr).As16(), port, 0, 0)
}

// loopback is 127.0.0.1 or ::1.
func loopback(f Family, port uint16) Sockaddr {
	if f == AF_INET6 {
		return ip6("::1", port)
	}
	return ip4("127.0.0.1", port)
}

// unspecified is 0.0.0.0 or ::.
func unspecified(f Family, port uint16) Sockaddr {
	if f == AF_INET6 {
		return ip6("::", port)
	}
	return ip4("0.0.0.0", port)
}

// path is a path name of its own for a unix socket.
func (x *calls) path(name string) Sockaddr { return SockaddrUnix(x.site.Dir + "/" + name) }

// resized is the first n bytes of an address, with zeros after its end.
func resized(sa Sockaddr, n int) Sockaddr {
	return SockaddrBytes(append(sa.AppendBytes(nil), make([]byte, n)...)[:n])
}

// rawFamily is an address of any family's number with so many bytes of zeros.
func rawFamily(f int, n int) Sockaddr {
	b := binary.NativeEndian.AppendUint16(nil, uint16(f))
	return SockaddrBytes(append(b, make([]byte, n-2)...))
}
