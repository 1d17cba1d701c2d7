package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"sockeye"
)

// What the name server does (RFC 1035).
const (
	namePort    = 53
	plainAnswer = 512 // bytes of a datagram, if the asker does not say otherwise (RFC 6891)
	nameTTL     = 60  // seconds
)

// NameServer adds a host that tells the names of all hosts, and what SetName and SetService say, by DNS over UDP and
// TCP: A, AAAA, PTR and SRV. It is a host like others: it is to be linked, and may crash or be parted from those who
// ask. Resolver asks the name servers in turn.
func (n *Network) NameServer(name string) *Host {
	h := n.Host(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	h.tells = true
	n.nameServers = append(n.nameServers, h)
	return h
}

// serveNames answers on a host until it crashes. It listens before anybody can ask; in lockstep, where to listen is to
// wait for one's turn, that comes before packets move.
func (n *Network) serveNames(s *sockeye.Host) {
	listen := func() {
		l, err := s.Listen("tcp", ":53")
		if err != nil {
			return // it has crashed by now
		}
		go n.acceptNames(l)
		if c, err := s.ListenPacket("udp", ":53"); err == nil {
			go n.answerDatagrams(c)
		}
	}
	if n.loop.Lockstep() {
		go listen()
	} else {
		listen()
	}
}

func (n *Network) acceptNames(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go n.answerStream(c)
	}
}

func (n *Network) answerDatagrams(c net.PacketConn) {
	for query := make([]byte, 1<<16); ; {
		k, from, err := c.ReadFrom(query)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if answer := n.zone.answer(query[:k], plainAnswer); err == nil && answer != nil {
			c.WriteTo(answer, from)
		}
	}
}

// answerStream answers the queries on a connection, each with its length in front (RFC 7766).
func (n *Network) answerStream(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := n.zone.answer(query, 1<<16-1)
		if answer == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer is that to a query, in as many bytes as room or the query allow; nil: it is none that could be answered.
func (z *zone) answer(query []byte, room int) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{
		ID: h.ID, Response: true, OpCode: h.OpCode, Authoritative: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true,
	}}
	m.Questions, err = p.AllQuestions()
	switch {
	case err != nil || len(m.Questions) != 1:
		m.Questions, m.RCode = nil, dnsmessage.RCodeFormatError
	case h.OpCode != 0:
		m.RCode = dnsmessage.RCodeNotImplemented
	case m.Questions[0].Class != dnsmessage.ClassINET:
		m.RCode = dnsmessage.RCodeRefused
	default:
		var known bool
		if m.Answers, known = z.records(m.Questions[0]); !known {
			m.RCode = dnsmessage.RCodeNameError
		}
	}
	if size, ok := payloadOf(query); ok {
		room = max(room, size)
		var o dnsmessage.ResourceHeader
		o.SetEDNS0(1<<16-1, dnsmessage.RCodeSuccess, false)
		m.Additionals = []dnsmessage.Resource{{Header: o, Body: &dnsmessage.OPTResource{}}}
	}
	b, err := m.Pack()
	if err == nil && len(b) > room { // the asker comes again by TCP (RFC 2181 section 9)
		m.Answers, m.Truncated = nil, true
		b, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return b
}

// payloadOf is the size of the datagrams that the asker takes; false: it does not say.
func payloadOf(query []byte) (int, bool) {
	var p dnsmessage.Parser
	p.Start(query)
	p.SkipAllQuestions()
	p.SkipAllAnswers()
	p.SkipAllAuthorities()
	all, err := p.AllAdditionals()
	if err != nil {
		return 0, false
	}
	for _, r := range all {
		if r.Header.Type == dnsmessage.TypeOPT {
			return int(r.Header.Class), true
		}
	}
	return 0, false
}

// records answer a question; false: there is no such name.
func (z *zone) records(q dnsmessage.Question) (list []dnsmessage.Resource, known bool) {
	name := q.Name.String()
	add := func(body dnsmessage.ResourceBody) {
		list = append(list, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: nameTTL}, Body: body,
		})
	}
	addrs, isHost := z.addrs(name)
	for _, a := range addrs {
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			add(&dnsmessage.AResource{A: a.As4()})
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			add(&dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	servers, isService := z.servers(name)
	for _, s := range servers {
		target, err := dnsmessage.NewName(canonical(s.Target) + ".")
		if err == nil && q.Type == dnsmessage.TypeSRV {
			add(&dnsmessage.SRVResource{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: target})
		}
	}
	var names []string
	if a, ok := reversed(canonical(name)); ok {
		names = z.namesOf(a)
	}
	for _, of := range names {
		ptr, err := dnsmessage.NewName(of + ".")
		if err == nil && q.Type == dnsmessage.TypePTR {
			add(&dnsmessage.PTRResource{PTR: ptr})
		}
	}
	return list, isHost || isService || len(names) > 0
}

// reversed is the address that a name under in-addr.arpa or ip6.arpa stands for (RFC 1035 section 3.5, RFC 3596
// section 2.5).
func reversed(name string) (a netip.Addr, ok bool) {
	labels, four := strings.CutSuffix(name, ".in-addr.arpa")
	digits, six := strings.CutSuffix(name, ".ip6.arpa")
	var text strings.Builder
	switch {
	case four:
		parts := strings.Split(labels, ".")
		for i := range parts {
			if i > 0 {
				text.WriteByte('.')
			}
			text.WriteString(parts[len(parts)-1-i])
		}
	case six:
		parts := strings.Split(digits, ".")
		if len(parts) != 32 {
			return a, false
		}
		for i := range parts {
			if i > 0 && i%4 == 0 {
				text.WriteByte(':')
			}
			text.WriteString(parts[31-i])
		}
	}
	a, err := netip.ParseAddr(text.String())
	return a, err == nil && (four && a.Is4() || six && a.Is6())
}
