package nat

import (
	"encoding/binary"

	"sockeye/packet"
	"sockeye/wire"
)

var be = binary.BigEndian

// An endpoint is an address with a port, or with the identifier of an ICMP query.
type endpoint struct {
	addr wire.Addr
	port uint16
}

// A kind is what a table makes of a packet.
type kind uint8

const (
	other    kind = iota // without ports
	flow                 // TCP and UDP
	request              // an ICMP query
	reply                // to one
	icmpErr              // quotes a packet
	fragment             // lacks the rest
)

// A view is what matters of a packet, of which it holds the bytes.
type view struct {
	kind     kind
	proto    wire.Protocol
	src, dst endpoint
	flags    wire.TCPFlags
	ip       []byte // the IP header
	body     []byte // what follows it: the transport's header at least
	partial  bool   // nobody has computed the transport's checksum yet
}

// Offsets in the IPv4 header and in ICMP's (RFC 791, RFC 792).
const (
	ipID, ipChecksum, ipSrc, ipDst = 4, 10, 12, 16
	icmpChecksum, icmpID           = 2, 4
	udpChecksum                    = wire.UDPChecksumOffset
)

// queries are the types of ICMP that have identifiers.
var queries = map[uint8]kind{
	wire.ICMP_ECHO: request, wire.ICMP_TIMESTAMP: request, wire.ICMP_ADDRESS: request,
	wire.ICMP_ECHOREPLY: reply, wire.ICMP_TIMESTAMPREPLY: reply, wire.ICMP_ADDRESSREPLY: reply,
}

// headerOf is the least that a protocol's header takes.
var headerOf = map[wire.Protocol]int{wire.IPPROTO_TCP: wire.TCPLen, wire.IPPROTO_UDP: wire.UDPLen, wire.IPPROTO_ICMP: wire.ICMPLen}

// read looks at a packet, IP header in front, and brings into its head what it looks at.
func read(p *packet.Packet) (v view, ok bool) {
	if !p.Pullup(wire.IPv4Len) {
		return v, false
	}
	hlen := int(p.Header()[0]&15) * 4
	if p.Header()[0]>>4 != 4 || hlen < wire.IPv4Len || !p.Pullup(hlen) {
		return v, false
	}
	var h wire.IPv4
	_, n, err := h.Parse(p.Header(), p.Len())
	if err != nil {
		return v, false
	}
	v.proto, v.src.addr, v.dst.addr, v.partial = h.Protocol, h.Src, h.Dst, p.Sum == packet.SumPartial
	least := headerOf[v.proto]
	switch {
	case h.IsFragment():
		v.kind = fragment
	case least == 0:
	case n < least || !p.Pullup(hlen+least):
		return v, false
	default:
		v.readTransport(p.Header()[hlen:])
	}
	if v.kind == icmpErr && !p.Pullup(hlen+min(n, wire.ICMPLen+maxQuote)) {
		return v, false
	}
	v.ip, v.body = p.Header()[:hlen], p.Header()[hlen:]
	v.body = v.body[:min(len(v.body), n)]
	return v, true
}

// maxQuote is what a table looks at of a quoted packet: an IP header with options, and TCP's without.
const maxQuote = wire.IPv4Len + wire.MaxIPv4Options + wire.TCPLen

// readTransport reads the ports from at least 8 bytes.
func (v *view) readTransport(b []byte) {
	switch v.proto {
	case wire.IPPROTO_TCP, wire.IPPROTO_UDP:
		v.kind = flow
		v.src.port, v.dst.port = be.Uint16(b), be.Uint16(b[2:])
		if v.proto == wire.IPPROTO_TCP && len(b) >= wire.TCPLen {
			v.flags = wire.TCPFlags(be.Uint16(b[12:]) & 0x1ff)
		}
	case wire.IPPROTO_ICMP:
		v.kind = queries[b[0]]
		switch {
		case v.kind == request:
			v.src.port = be.Uint16(b[icmpID:])
		case v.kind == reply:
			v.dst.port = be.Uint16(b[icmpID:])
		case wire.ICMPv4{Type: b[0]}.IsError():
			v.kind = icmpErr
		}
	}
}

// quoted is the packet that an ICMP error is about; false: what is quoted tells of no port.
func (v *view) quoted() (in view, ok bool) {
	q, err := wire.ParseQuote4(v.body[wire.ICMPLen:])
	if err != nil || q.FragOffset != 0 || headerOf[q.Protocol] == 0 {
		return in, false
	}
	in = view{proto: q.Protocol, ip: q.Header, body: q.Payload}
	in.src.addr, in.dst.addr = q.Src, q.Dst
	in.readTransport(q.Payload)
	return in, in.kind == flow || in.kind == request || in.kind == reply
}

// setSource and setDestination change an end of the packet, and keep its checksums.
func (v *view) setSource(to endpoint)      { v.set(ipSrc, v.portAt(0), to) }
func (v *view) setDestination(to endpoint) { v.set(ipDst, v.portAt(2), to) }

// portAt is where the port is that an end has; -1: ICMP has but one identifier, that of who asks.
func (v *view) portAt(at int) int {
	switch {
	case v.kind == flow:
		return at
	case v.kind == request && at == 0, v.kind == reply && at == 2:
		return icmpID
	}
	return -1
}

func (v *view) set(addrAt, portAt int, to endpoint) {
	var head, body change
	a := to.addr.As4()
	head.put(v.ip[addrAt:], a[:])
	if v.kind == flow {
		body = head // of the pseudo-header
	}
	if portAt >= 0 {
		body.put(v.body[portAt:], be.AppendUint16(nil, to.port))
	}
	head.mend(v.ip[ipChecksum:])
	v.mendTransport(body)
}

// mendTransport keeps the transport's checksum, where there is one.
func (v *view) mendTransport(c change) {
	switch {
	case v.partial:
	case v.proto == wire.IPPROTO_TCP && len(v.body) >= wire.TCPLen:
		c.mend(v.body[wire.TCPChecksumOffset:])
	case v.proto == wire.IPPROTO_UDP && be.Uint16(v.body[udpChecksum:]) != 0: // zero: there is none (RFC 768)
		c.mend(v.body[udpChecksum:])
		if be.Uint16(v.body[udpChecksum:]) == 0 {
			be.PutUint16(v.body[udpChecksum:], 0xffff)
		}
	case v.proto == wire.IPPROTO_ICMP && len(v.body) >= wire.ICMPLen:
		c.mend(v.body[icmpChecksum:])
	}
}

// within makes changes to a quoted packet, which its error's checksum covers.
func (v *view) within(in *view, f func()) {
	old := wire.Sum(0).Add(in.ip).Add(in.quotedHeader())
	f()
	v.mendTransport(change{old, wire.Sum(0).Add(in.ip).Add(in.quotedHeader())})
}

// quotedHeader is what set may change of a quoted packet's transport.
func (v *view) quotedHeader() []byte { return v.body[:min(len(v.body), wire.TCPLen)&^1] }

// setID gives the packet an identification of the translator's own (RFC 6864 section 5.3): those of several senders
// might meet. A packet that is never cut needs none.
func (v *view) setID(id uint16) {
	if v.ip[6]&0x40 != 0 { // DF
		return
	}
	var c change
	c.put(v.ip[ipID:], be.AppendUint16(nil, id))
	c.mend(v.ip[ipChecksum:])
}

// A change is what a part of a packet summed to, and what it sums to now.
type change struct{ old, new wire.Sum }

func (c *change) put(at, bytes []byte) {
	c.old, c.new = c.old.Add(at[:len(bytes)]), c.new.Add(bytes)
	copy(at, bytes)
}

// mend is RFC 1624.
func (c change) mend(checksum []byte) {
	be.PutUint16(checksum, wire.UpdateChecksum(be.Uint16(checksum), c.old, c.new))
}
