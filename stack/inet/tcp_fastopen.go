package inet

import (
	"syscall"

	"sockeye"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// The bits of tcp_fastopen (ip-sysctl.rst).
const (
	fastOpenClient         = 0x1
	fastOpenServer         = 0x2
	fastOpenClientNoCookie = 0x4
	fastOpenServerNoCookie = 0x200
)

// fastOpenCookies are those that servers gave (tcp_metrics), the latest maxCookies.
type fastOpenCookies struct {
	of    map[wire.Addr]fastOpenCookie
	order []wire.Addr
}

type fastOpenCookie struct {
	cookie tcp.Cookie
	mss    uint16
}

const maxCookies = 1024

// keepCookie notes the cookie that came with a SYN-ACK.
func (s *Stack) keepCookie(t *TCP) {
	k, got, _ := t.conn.FastOpenCookie()
	if !got {
		return
	}
	c := &s.tcp.cookies
	if _, known := c.of[t.remote]; !known {
		if c.of == nil {
			c.of = make(map[wire.Addr]fastOpenCookie)
		}
		if len(c.order) == maxCookies {
			delete(c.of, c.order[0])
			c.order = c.order[1:]
		}
		c.order = append(c.order, t.remote)
	}
	c.of[t.remote] = fastOpenCookie{k, uint16(t.conn.MSS())}
}

// mayFastOpen tells whether data may go with a SYN to a server: it gave a cookie, or
// none is needed (tcp_fastopen_cookie_check).
func (s *Stack) mayFastOpen(t *TCP, server wire.Addr) bool {
	set := s.Sysctl.TCP.FastOpen
	if set&fastOpenClient == 0 {
		return false
	}
	_, known := s.tcp.cookies.of[server]
	return known || t.opt.fastOpenNoCookie || set&fastOpenClientNoCookie != 0
}

// sendEarly connects with the first data of a send in the SYN (MSG_FASTOPEN,
// TCP_FASTOPEN_CONNECT: tcp_sendmsg_fastopen). It is not done if the send goes on as
// usual.
func (t *TCP) sendEarly(m *sockeye.Message, flags sockeye.MsgFlags) (done bool, err error) {
	s := t.stack
	sa := m.Name
	if t.deferred {
		sa = t.opt.deferredTo
	}
	switch {
	case s.Sysctl.TCP.FastOpen&fastOpenClient == 0, sa.Family() == sockeye.AF_UNSPEC:
		return true, syscall.EOPNOTSUPP
	case t.status == connecting && !t.deferred:
		return false, t.Connect(sa)
	case t.status == connected:
		return true, syscall.EISCONN
	}
	to, err := t.destination(sa)
	if err != nil {
		return true, err
	}
	o := &s.tcp.connect
	*o = tcp.ConnectOptions{FastOpen: true}
	if s.mayFastOpen(t, to.ip) {
		k, known := s.tcp.cookies.of[to.ip]
		o.Cookie, o.CookieMSS, o.FastOpenNoCookie = k.cookie, k.mss, !known
		for _, b := range m.Buffers {
			o.Data = append(o.Data, b...)
		}
	}
	t.deferred = false
	if err := t.open(to, o); err != nil {
		t.status = unconnected
		return true, err
	}
	t.status = connecting
	if o.Data == nil {
		return true, syscall.EINPROGRESS
	}
	o.Data = nil
	m.N = t.conn.Queued()
	return true, nil
}

// takesEarly tells whether the data of a SYN may be given to the program at once
// (tcp_try_fastopen).
func (t *TCP) takesEarly(r *half, f flow, g *tcp.Segment) bool {
	s := t.stack
	set := s.Sysctl.TCP.FastOpen
	waiting := 0
	for _, c := range t.queue.ready {
		waiting += b2i(c.early)
	}
	asks := g.Options.Set&(wire.OptFastOpen|wire.OptFastOpenExp) != 0
	switch {
	case set&fastOpenServer == 0, waiting >= t.opt.fastOpen, g.Len() == 0 && !asks:
		return false
	case set&fastOpenServerNoCookie != 0 || t.opt.fastOpenNoCookie:
		return true
	}
	return r.FastOpen(s.tcp.host, f.names(), g)
}
