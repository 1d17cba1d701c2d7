package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sockeye"
	"sockeye/relay"
)

// What the forwarder of names bounds.
const (
	nameTimeout = 2500 * time.Millisecond // that a nameserver has to answer
	nameRounds  = 2                       // how often each is asked
	maxQueries  = 512                     // that wait for an answer at once
	maxMessage  = 65535                   // bytes of one (RFC 1035 section 4.2.2)
)

// openNames answers for names at one of the gateway's addresses.
func (g *Gateway) openNames(at netip.Addr) error {
	if len(g.Nameservers) == 0 {
		return nil
	}
	name := sockeye.SockaddrInet(netip.AddrPortFrom(at, 53))
	datagrams, err := g.inside.Socket(familyOf(at), sockeye.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := datagrams.Bind(name); err != nil {
		return err
	}
	g.run(func() { g.answerNames(datagrams) })
	streams, err := g.inside.Socket(familyOf(at), sockeye.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(streams.Bind(name), streams.Listen(64)); err != nil {
		return err
	}
	g.run(func() {
		relay.Serve(g.ctx, streams, relay.Target{Dial: func(ctx context.Context) (s *sockeye.Socket, err error) {
			for _, to := range g.Nameservers {
				if s, err = g.dial(ctx, sockeye.SOCK_STREAM, to); err == nil {
					return s, nil
				}
			}
			return nil, err
		}}, nil)
	})
	return nil
}

// answerNames forwards the queries that come as datagrams.
func (g *Gateway) answerNames(s *sockeye.Socket) {
	waiting := make(chan struct{}, maxQueries)
	buf := make([]byte, maxMessage)
	for {
		n, from, err := s.Recvfrom(buf, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error
		}
		query := slices.Clone(buf[:n])
		select {
		case waiting <- struct{}{}:
		default: // it asks again
			continue
		}
		g.run(func() {
			defer func() { <-waiting }()
			answer, err := g.ask(g.ctx, query)
			if err != nil {
				g.Log(Event{Protocol: "dns", From: from.AddrPort(), To: g.Nameservers[0], Err: err})
				answer = failure(query)
			}
			g.names.learn(answer)
			if len(answer) > 0 {
				s.Sendto(answer, 0, from)
			}
		})
	}
}

// ask gives the answer of the first nameserver that has one.
func (g *Gateway) ask(ctx context.Context, query []byte) (answer []byte, err error) {
	if len(g.Nameservers) == 0 {
		return nil, syscall.EHOSTUNREACH
	}
	for range nameRounds {
		for _, to := range g.Nameservers {
			if answer, err = g.askOne(ctx, to, query); err == nil || ctx.Err() != nil {
				return answer, err
			}
		}
	}
	return nil, err
}

func (g *Gateway) askOne(ctx context.Context, to netip.AddrPort, query []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	s, err := g.dial(ctx, sockeye.SOCK_DGRAM, to)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s = s.WithContext(ctx)
	if _, err := s.Send(query, 0); err != nil {
		return nil, err
	}
	answer := make([]byte, maxMessage)
	for {
		n, err := s.Recv(answer, 0)
		if err != nil {
			return nil, err
		}
		if n >= 12 && len(query) >= 2 && answer[0] == query[0] && answer[1] == query[1] { // the identifier
			return answer[:n], nil
		}
	}
}

// failure is the answer SERVFAIL to a query; nil: it is none.
func failure(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return nil
	}
	h.Response, h.RecursionAvailable, h.RCode = true, true, dnsmessage.RCodeServerFailure
	m := dnsmessage.Message{Header: h, Questions: questions}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

type queryType = dnsmessage.Type

const (
	queryA    = dnsmessage.TypeA
	queryAAAA = dnsmessage.TypeAAAA
)

// question is a query for the addresses of a name.
func question(name string, typ queryType) ([]byte, error) {
	n, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(time.Now().UnixNano()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: typ, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// learn notes the addresses in an answer, if rules are about the name that was asked.
func (n *learned) learn(answer []byte) {
	var m dnsmessage.Message
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.of) == 0 || m.Unpack(answer) != nil || len(m.Questions) != 1 {
		return
	}
	name := canonical(m.Questions[0].Name.String())
	known, ok := n.of[name]
	if !ok {
		return
	}
	for _, r := range m.Answers {
		var ip netip.Addr
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			ip = netip.AddrFrom4(b.A)
		case *dnsmessage.AAAAResource:
			ip = netip.AddrFrom16(b.AAAA)
		default:
			continue
		}
		if !slices.Contains(known, ip) {
			known = append(known, ip)
		}
	}
	n.of[name] = known
}
