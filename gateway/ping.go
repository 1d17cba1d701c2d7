package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"sockeye"
	"sockeye/internal/datagram"
	"sockeye/wire"
)

// pingIdle is how long after its last request a series of echoes is waited for (RFC 5508 section 3.2).
const pingIdle = time.Minute

// A pingKey is a series of echo requests.
type pingKey struct {
	from, to netip.Addr
	id       uint16
}

// A pinger is such a series with its socket outside.
type pinger struct {
	g      *Gateway
	key    pingKey
	out    *sockeye.Socket
	raw    bool   // out is: nobody else tells replies of other programs from ours
	id     uint16 // outside, of a raw socket
	active atomic.Int64
}

// The echo messages of IPv4 and IPv6.
var echoTypes = [2]struct {
	proto          sockeye.Protocol
	request, reply uint8
}{
	{sockeye.IPPROTO_ICMP, wire.ICMP_ECHO, wire.ICMP_ECHOREPLY},
	{sockeye.IPPROTO_ICMPV6, wire.ICMPV6_ECHO_REQUEST, wire.ICMPV6_ECHO_REPLY},
}

// openEcho takes the echo requests for every address of a family.
func (g *Gateway) openEcho(i int, family sockeye.Family) error {
	s, err := g.transparent(sockeye.SOCK_RAW, echoTypes[i].proto, netip.AddrPortFrom(anyOf(family), 0))
	if err != nil {
		return err
	}
	filter := sockeye.ICMP_FILTER
	if i == 1 {
		filter = sockeye.ICMPV6_FILTER
		if err := sockeye.IPV6_RECVPKTINFO.Set(s, true); err != nil {
			return err
		}
	}
	if err := filter.Set(s, onlyType(echoTypes[i].request)); err != nil {
		return err
	}
	g.echo[i] = s
	g.run(func() { g.takeEchoes(i) })
	return nil
}

// onlyType lets one type of ICMP through.
func onlyType(typ uint8) (f sockeye.ICMPFilter) {
	for i := range f.Blocked {
		f.Blocked[i] = ^uint32(0)
	}
	f.Blocked[typ/32] &^= 1 << (typ % 32)
	return f
}

// takeEchoes carries requests out.
func (g *Gateway) takeEchoes(family int) {
	m := sockeye.Message{Buffers: [][]byte{make([]byte, maxMessage)}, Control: make([]byte, 64)}
	for {
		n, err := g.echo[family].Recvmsg(&m, 0)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			continue
		}
		p, to := m.Buffers[0][:n], netip.Addr{}
		if family == 0 {
			if len(p) < wire.IPv4Len || len(p) < int(p[0]&15)*4 {
				continue
			}
			to = netip.AddrFrom4([4]byte(p[16:]))
			p = p[int(p[0]&15)*4:]
		}
		for c := range m.ControlMessages() {
			if info, ok := c.Pktinfo(); ok {
				to = info.Dst
			}
		}
		if len(p) < wire.ICMPLen || p[0] != echoTypes[family].request || p[1] != 0 || g.owns(to) {
			continue
		}
		g.request(pingKey{m.Name.Addr(), to, binary.BigEndian.Uint16(p[4:])}, family, p)
	}
}

// owns tells whether an address is the gateway's own: then it has answered.
func (g *Gateway) owns(ip netip.Addr) bool {
	for _, a := range g.Addrs {
		if a.Addr() == ip {
			return true
		}
	}
	return false
}

// request sends a request outside.
func (g *Gateway) request(k pingKey, family int, p []byte) {
	g.mu.Lock()
	o := g.pings[k]
	g.mu.Unlock()
	if o == nil {
		var err error
		if o, err = g.openPinger(k, family); err != nil {
			g.pingFailed(k, p, err)
			return
		}
		o.active.Store(time.Now().UnixNano()) // before replies looks at it
		g.mu.Lock()
		g.pings[k] = o
		g.mu.Unlock()
		g.run(func() { o.replies(family) })
	}
	o.active.Store(time.Now().UnixNano())
	identify(p, o.id)
	if _, err := o.out.Send(p, sockeye.MSG_DONTWAIT); err != nil && !errors.Is(err, syscall.EAGAIN) {
		o.reportErrors(p)
		identify(p, k.id)
		g.pingFailed(k, p, err)
	}
}

// identify gives an echo another identifier. The checksum is ICMPv4's; that of ICMPv6 covers addresses, and
// whoever sends the message fills it in.
func identify(p []byte, id uint16) {
	be := binary.BigEndian
	wire.ICMPv4{Type: p[0], Code: p[1], Rest: uint32(id)<<16 | uint32(be.Uint16(p[6:]))}.Put(p)
}

// pingFailed tells who asked, and the log, why a request was not sent.
func (g *Gateway) pingFailed(k pingKey, p []byte, err error) {
	from, to := netip.AddrPortFrom(k.from, 0), netip.AddrPortFrom(k.to, 0)
	g.Log(Event{Protocol: "ping", From: from, To: to, Err: err})
	codes, ok := unreachable[refusal(err)]
	if !ok {
		return
	}
	e := sockeye.ExtendedError{Type: wire.ICMP_DEST_UNREACH, Code: codes[0]}
	if k.to.Is6() {
		e.Type, e.Code = wire.ICMPV6_DEST_UNREACH, codes[1]
	}
	g.quoteEcho(k, p, e)
}

// quoteEcho sends an error about a request.
func (g *Gateway) quoteEcho(k pingKey, p []byte, e sockeye.ExtendedError) {
	proto := wire.Protocol(wire.IPPROTO_ICMP)
	if k.to.Is6() {
		proto = wire.IPPROTO_ICMPV6
	}
	g.sendQuote(k.from, k.to, proto, p[:min(len(p), 64)], e)
}

// openPinger opens the socket of a series: a ping socket where that is allowed (ping_group_range), else
// a raw one.
func (g *Gateway) openPinger(k pingKey, family int) (*pinger, error) {
	to, err := g.lead(netip.AddrPortFrom(k.to, 0))
	if err != nil {
		return nil, err
	}
	o := &pinger{g: g, key: k}
	typ := echoTypes[family]
	if o.out, err = g.Outside.Socket(familyOf(to.Addr()), sockeye.SOCK_DGRAM, typ.proto); err != nil {
		first := err
		o.raw, o.id = true, uint16(rand.Uint32())
		if o.out, err = g.Outside.Socket(familyOf(to.Addr()), sockeye.SOCK_RAW, typ.proto); err != nil {
			return nil, noPing{first}
		}
		filter := sockeye.ICMP_FILTER
		if family == 1 {
			filter = sockeye.ICMPV6_FILTER
		}
		filter.Set(o.out, onlyType(typ.reply))
	}
	recverr := sockeye.IP_RECVERR
	if family == 1 {
		recverr = sockeye.IPV6_RECVERR
	}
	recverr.Set(o.out, true)
	if err := o.out.Connect(sockeye.SockaddrInet(to)); err != nil {
		o.out.Close()
		return nil, err
	}
	context.AfterFunc(g.ctx, func() { o.out.Close() })
	return o, nil
}

// noPing is the error of a machine that lets its user send no echo requests.
type noPing struct{ err error }

func (e noPing) Error() string {
	return "this user may send no echo requests: sysctl net.ipv4.ping_group_range says which groups may"
}
func (e noPing) Unwrap() error { return errnoOf(e.err) }

// replies brings replies back until the series is over.
func (o *pinger) replies(family int) {
	g := o.g
	buf := make([]byte, maxMessage)
	defer func() {
		g.mu.Lock()
		delete(g.pings, o.key)
		g.mu.Unlock()
		o.out.Close()
	}()
	for {
		end := time.Unix(0, o.active.Load()).Add(pingIdle)
		if !time.Now().Before(end) {
			return
		}
		o.out.SetReadDeadline(end)
		n, err := o.out.Recv(buf, 0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil && datagram.Passing(err):
			o.reportErrors(nil)
			continue
		case err != nil:
			return
		}
		p := buf[:n]
		if o.raw && family == 0 {
			p = p[min(n, int(p[0]&15)*4):]
		}
		if len(p) < wire.ICMPLen || p[0] != echoTypes[family].reply || o.raw && binary.BigEndian.Uint16(p[4:]) != o.id {
			continue
		}
		identify(p, o.key.id)
		g.sendICMP(family, o.key.to, o.key.from, p)
	}
}

// reportErrors passes on ICMP errors, which quote the request that they are about.
func (o *pinger) reportErrors(request []byte) {
	m := sockeye.Message{Buffers: [][]byte{make([]byte, 1500)}, Control: make([]byte, 256)}
	for {
		n, err := o.out.Recvmsg(&m, sockeye.MSG_ERRQUEUE|sockeye.MSG_DONTWAIT)
		if err != nil {
			return
		}
		p := m.Buffers[0][:n]
		if o.raw && o.key.to.Is4() && n >= wire.IPv4Len {
			p = p[min(n, int(p[0]&15)*4):]
		}
		if len(p) < wire.ICMPLen {
			p = request
		}
		for c := range m.ControlMessages() {
			if e, ok := c.ExtendedError(); ok && len(p) >= wire.ICMPLen {
				identify(p, o.key.id)
				o.g.quoteEcho(o.key, p, e)
			}
		}
	}
}
