package wire

import "fmt"

// describe is the message with what it quotes.
func (h ICMPv4) describe(body []byte) string {
	if !h.IsError() {
		return h.String()
	}
	q, err := ParseQuote4(body)
	if err != nil {
		return h.String() + ", quote: " + err.Error()
	}
	switch h.Type {
	case ICMP_DEST_UNREACH:
		switch h.Code {
		case ICMP_HOST_UNREACH:
			return fmt.Sprintf("host %v unreachable", q.Dst)
		case ICMP_NET_UNREACH:
			return fmt.Sprintf("net %v unreachable", q.Dst)
		case ICMP_PROT_UNREACH:
			return fmt.Sprintf("%v protocol %d unreachable", q.Dst, uint8(q.Protocol))
		case ICMP_PORT_UNREACH:
			_, port := q.Ports()
			return fmt.Sprintf("%v %v port %d unreachable", q.Dst, q.Protocol, port)
		case ICMP_FRAG_NEEDED:
			return fmt.Sprintf("%v unreachable - need to frag (mtu %d)", q.Dst, h.MTU())
		}
	case ICMP_REDIRECT:
		return fmt.Sprintf("redirect %v to %v", q.Dst, h.Gateway())
	}
	return h.String()
}

// String is the message as tcpdump writes it, without what it quotes.
func (h ICMPv4) String() string {
	switch h.Type {
	case ICMP_ECHO:
		return fmt.Sprintf("echo request, id %d, seq %d", h.ID(), h.Seq())
	case ICMP_ECHOREPLY:
		return fmt.Sprintf("echo reply, id %d, seq %d", h.ID(), h.Seq())
	case ICMP_DEST_UNREACH:
		return fmt.Sprintf("unreachable - code %d", h.Code)
	case ICMP_REDIRECT:
		return fmt.Sprintf("redirect to %v", h.Gateway())
	case ICMP_TIME_EXCEEDED:
		if h.Code == ICMP_EXC_FRAGTIME {
			return "ip reassembly time exceeded"
		}
		return "time exceeded in-transit"
	case ICMP_PARAMETERPROB:
		return fmt.Sprintf("parameter problem - octet %d", h.Pointer())
	}
	return fmt.Sprintf("type-#%d, code %d", h.Type, h.Code)
}

var icmpv6Unreach = [...]string{
	"unreachable route", "unreachable prohibited", "beyond scope", "unreachable address", "unreachable port",
	"failed policy", "rejected route",
}

// String is the message as tcpdump writes it, without what it quotes.
func (h ICMPv6) String() string {
	switch h.Type {
	case ICMPV6_DEST_UNREACH:
		if int(h.Code) < len(icmpv6Unreach) {
			return "destination unreachable, " + icmpv6Unreach[h.Code]
		}
		return fmt.Sprintf("destination unreachable, code %d", h.Code)
	case ICMPV6_PKT_TOOBIG:
		return fmt.Sprintf("packet too big, mtu %d", h.MTU())
	case ICMPV6_TIME_EXCEED:
		if h.Code == ICMPV6_EXC_FRAGTIME {
			return "time exceeded in-reassembly"
		}
		return "time exceeded in-transit"
	case ICMPV6_PARAMPROB:
		return fmt.Sprintf("parameter problem, code %d - octet %d", h.Code, h.Pointer())
	case ICMPV6_ECHO_REQUEST:
		return fmt.Sprintf("echo request, id %d, seq %d", h.ID(), h.Seq())
	case ICMPV6_ECHO_REPLY:
		return fmt.Sprintf("echo reply, id %d, seq %d", h.ID(), h.Seq())
	}
	return fmt.Sprintf("type-#%d, code %d", h.Type, h.Code)
}

func describeICMPv6(b []byte) (string, error) {
	h, body, err := ParseICMPv6(b)
	if err != nil {
		return "", err
	}
	if h.IsError() {
		q, err := ParseQuote6(body)
		if err != nil {
			return h.String() + ", quote: " + err.Error(), nil
		}
		s := fmt.Sprintf("%v, %v", h, q.Dst)
		if h.Type == ICMPV6_DEST_UNREACH && h.Code == ICMPV6_PORT_UNREACH {
			_, port := q.Ports()
			s += fmt.Sprintf(" %v port %d", q.Protocol, port)
		}
		return s, nil
	}
	switch h.Type {
	case NDISC_ROUTER_SOLICITATION:
		_, err := ParseRouterSolicit(b)
		return "router solicitation", err
	case NDISC_ROUTER_ADVERTISEMENT:
		_, err := ParseRouterAdvert(b)
		return "router advertisement", err
	case NDISC_NEIGHBOUR_SOLICITATION:
		m, err := ParseNeighborSolicit(b)
		return fmt.Sprintf("neighbor solicitation, who has %v", m.Target), err
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		m, err := ParseNeighborAdvert(b)
		return fmt.Sprintf("neighbor advertisement, tgt is %v", m.Target), err
	case NDISC_REDIRECT:
		m, err := ParseRedirect(b)
		return fmt.Sprintf("redirect, %v to %v", m.Dest, m.Target), err
	case ICMPV6_MGM_QUERY:
		q, err := ParseMLDQuery(b)
		return "multicast listener query " + q.String(), err
	case ICMPV6_MGM_REPORT, ICMPV6_MGM_REDUCTION:
		m, err := ParseMLD(b)
		if m.Type == ICMPV6_MGM_REDUCTION {
			return fmt.Sprintf("multicast listener done, %v", m.Group), err
		}
		return fmt.Sprintf("multicast listener report, %v", m.Group), err
	case ICMPV6_MLD2_REPORT:
		r, err := ParseMLDReport(b)
		return fmt.Sprintf("multicast listener report v2, %d group record(s)", r.Len()), err
	}
	return h.String(), nil
}

func describeIGMP(b []byte) (string, error) {
	if len(b) == 0 {
		return "", ErrShort
	}
	switch b[igmpType] {
	case IGMP_HOST_MEMBERSHIP_QUERY:
		q, err := ParseIGMPQuery(b)
		return "query " + q.String(), err
	case IGMPV3_HOST_MEMBERSHIP_REPORT:
		r, err := ParseIGMPReport(b)
		return fmt.Sprintf("v3 report, %d group record(s)", r.Len()), err
	}
	m, err := ParseIGMP(b)
	return m.String(), err
}

// String is the message as tcpdump writes it.
func (m IGMP) String() string {
	switch m.Type {
	case IGMP_HOST_MEMBERSHIP_REPORT:
		return fmt.Sprintf("v1 report %v", m.Group)
	case IGMPV2_HOST_MEMBERSHIP_REPORT:
		return fmt.Sprintf("v2 report %v", m.Group)
	}
	return fmt.Sprintf("leave %v", m.Group)
}

// String is the version, the group unless it is any, and the sources.
func (q *GroupQuery) String() string {
	s := fmt.Sprintf("v%d", q.Version)
	if q.MaxResp > 0 {
		s += fmt.Sprintf(" [max resp time %v]", q.MaxResp)
	}
	if !q.Group.IsUnspecified() {
		s += fmt.Sprintf(" [gaddr %v", q.Group)
		for i := range q.NumSources() {
			s += fmt.Sprintf(" %v", q.Source(i))
		}
		s += "]"
	}
	return s
}
