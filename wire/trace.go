package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Lines in the manner of tcpdump(8). These allocate; nothing else here does.

// Describe is a line about an IP packet, down to the transport's header:
//
//	IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S], seq 1, win 64240, options [mss 1460], length 0
//
// Of a packet that is refused it tells why.
func Describe(packet []byte) string {
	switch Version(packet) {
	case 4:
		h, payload, err := ParseIPv4(packet)
		if err != nil {
			return "IP " + err.Error()
		}
		if h.FragOffset != 0 {
			return "IP " + h.String()
		}
		return "IP " + describeTransport(h.Src, h.Dst, h.Protocol, payload, h.MF)
	case 6:
		h, payload, err := ParseIPv6(packet)
		if err != nil {
			return "IP6 " + err.Error()
		}
		x, rest, err := WalkExtensions(h.NextHeader, payload)
		switch {
		case err != nil:
			return fmt.Sprintf("IP6 %v > %v: %v", h.Src, h.Dst, err)
		case x.Fragment.Offset != 0:
			return fmt.Sprintf("IP6 %v > %v: frag (%d|%d)", h.Src, h.Dst, x.Fragment.Offset, len(rest))
		}
		line := describeTransport(h.Src, h.Dst, x.Protocol, rest, x.Fragment.More)
		if h.NextHeader == IPPROTO_HOPOPTS {
			line = strings.Replace(line, ": ", ": HBH ", 1)
		}
		return "IP6 " + line
	}
	return "IP bad version or no packet"
}

// DescribeFrame is Describe for an Ethernet frame.
func DescribeFrame(frame []byte) string {
	h, payload, err := ParseEthernet(frame)
	if err != nil {
		return err.Error()
	}
	switch h.Type {
	case ETH_P_IP, ETH_P_IPV6:
		return Describe(payload)
	case ETH_P_ARP:
		p, err := ParseARP(payload)
		if err != nil {
			return "ARP, " + err.Error()
		}
		return p.String() + ", length " + strconv.Itoa(len(payload))
	}
	return h.String()
}

// describeTransport is what follows "IP ". A first fragment may be cut where its
// lengths promise more.
func describeTransport(src, dst Addr, p Protocol, b []byte, cut bool) string {
	prefix := fmt.Sprintf("%v > %v: ", src, dst)
	var text string
	var err error
	switch p {
	case IPPROTO_TCP:
		h, payload, err := ParseTCP(b)
		if err != nil {
			return prefix + "tcp " + err.Error()
		}
		return h.Describe(src, dst, len(payload))
	case IPPROTO_UDP:
		h, payload, err := ParseUDP(b)
		if err == ErrTruncated && cut {
			h, payload, err = UDP{be.Uint16(b), be.Uint16(b[2:])}, b[UDPLen:], nil
		}
		if err != nil {
			return prefix + "udp " + err.Error()
		}
		return h.Describe(src, dst, len(payload))
	case IPPROTO_ICMP:
		var h ICMPv4
		var body []byte
		if h, body, err = ParseICMPv4(b); err == nil {
			text = h.describe(body)
		} else if err == ErrChecksum && cut {
			text, err = "first fragment", nil
		}
		text = "ICMP " + text
	case IPPROTO_ICMPV6:
		text, err = describeICMPv6(b)
		text = "ICMP6, " + text
	case IPPROTO_IGMP:
		text, err = describeIGMP(b)
		return prefix + "igmp " + orError(text, err)
	default:
		text = p.String()
	}
	if err != nil {
		text += err.Error()
	}
	return prefix + text + ", length " + strconv.Itoa(len(b))
}

func orError(s string, err error) string {
	if err != nil {
		return err.Error()
	}
	return s
}

// Describe is a line about a segment with n bytes of payload.
func (h *TCP) Describe(src, dst Addr, n int) string {
	return fmt.Sprintf("%v.%d > %v.%d: %s, length %d", src, h.SrcPort, dst, h.DstPort, h.text(n), n)
}

// String is the header without ports, for a segment without payload.
func (h *TCP) String() string { return h.text(0) }

// Every program with TCP contains text and TCPOptions.String, for headers are printable: they do without
// package fmt, which would be a fifteenth of a small one.
func (h *TCP) text(n int) string {
	s := "Flags " + h.Flags.String()
	if n > 0 {
		s += ", seq " + digits(h.Seq) + ":" + digits(h.Seq.Add(n))
	} else if h.Flags&(SYN|FIN|RST) != 0 {
		s += ", seq " + digits(h.Seq)
	}
	if h.Flags&ACK != 0 {
		s += ", ack " + digits(h.Ack)
	}
	s += ", win " + digits(h.Window)
	if h.Flags&URG != 0 {
		s += ", urg " + digits(h.Urgent)
	}
	if o := h.Options.String(); o != "" {
		s += ", options [" + o + "]"
	}
	return s
}

func digits[T ~uint8 | ~uint16 | ~uint32](n T) string { return strconv.Itoa(int(n)) }

// String is the options as they are built: mss 1460,sackOK,TS val 1 ecr 0.
func (o *TCPOptions) String() string {
	var s []string
	add := func(option string) { s = append(s, option) }
	_, blocks, fastOpen := o.layout()
	if o.Has(OptMSS) {
		add("mss " + digits(o.MSS))
	}
	switch {
	case o.Has(OptTimestamps | OptSACKPermitted):
		add("sackOK")
	case o.Has(OptTimestamps):
		add("nop,nop")
	case o.Has(OptSACKPermitted):
		add("nop,nop,sackOK")
	}
	if o.Has(OptTimestamps) {
		add("TS val " + digits(o.TSVal) + " ecr " + digits(o.TSEcr))
	}
	if o.Has(OptWindowScale) {
		add("nop,wscale " + digits(o.WindowScale))
	}
	if blocks > 0 {
		sack := "nop,nop,sack " + strconv.Itoa(blocks) + " "
		for _, b := range o.SACK[:blocks] {
			sack += "{" + digits(b.Left) + ":" + digits(b.Right) + "}"
		}
		add(sack)
	}
	if fastOpen > 0 {
		kind := "tfo"
		if o.Has(OptFastOpenExp) {
			kind = "exp-tfo"
		}
		if o.CookieLen == 0 {
			add(kind + "  cookiereq")
		} else {
			add(kind + "  cookie " + hex.EncodeToString(o.Cookie[:o.CookieLen]))
		}
		for ; fastOpen&3 != 0; fastOpen++ {
			add("nop")
		}
	}
	return strings.Join(s, ",")
}

// Describe is a line about a datagram with n bytes of payload.
func (h UDP) Describe(src, dst Addr, n int) string {
	return fmt.Sprintf("%v.%d > %v.%d: UDP, length %d", src, h.SrcPort, dst, h.DstPort, n)
}

// String is the ports.
func (h UDP) String() string { return fmt.Sprintf("UDP %d > %d", h.SrcPort, h.DstPort) }

// String is the addresses and the protocol, or which fragment it is.
func (h *IPv4) String() string {
	s := fmt.Sprintf("%v > %v: %v", h.Src, h.Dst, h.Protocol)
	if h.IsFragment() {
		s += ", " + Fragment{uint32(h.ID), h.FragOffset, h.MF}.String()
	}
	return s
}

// String is the addresses and the next header.
func (h *IPv6) String() string { return fmt.Sprintf("%v > %v: %v", h.Src, h.Dst, h.NextHeader) }

// String is the fragment's identifier and offset, with + when more follow.
func (f Fragment) String() string {
	more := ""
	if f.More {
		more = "+"
	}
	return fmt.Sprintf("frag %d@%d%s", f.ID, f.Offset, more)
}

// String is the addresses and the type.
func (h Ethernet) String() string {
	vlan := ""
	if h.Tagged {
		vlan = fmt.Sprintf("vlan %d, ", h.VLAN())
	}
	return fmt.Sprintf("%v > %v, %sethertype 0x%04x", h.Src, h.Dst, vlan, uint16(h.Type))
}

// String is the question or the answer.
func (p ARP) String() string {
	if p.Op == ARPOP_REPLY {
		return fmt.Sprintf("ARP, Reply %v is-at %v", p.SenderIP, p.SenderMAC)
	}
	return fmt.Sprintf("ARP, Request who-has %v tell %v", p.TargetIP, p.SenderIP)
}

// String names what is left for the other side to do.
func (h VirtioNet) String() string {
	s := fmt.Sprintf("vnet flags %d gso %d", h.Flags, h.GSOType)
	if h.GSOType != VIRTIO_NET_HDR_GSO_NONE {
		s += fmt.Sprintf(" size %d hdr %d", h.GSOSize, h.HdrLen)
	}
	if h.NeedsChecksum() {
		s += fmt.Sprintf(" csum %d+%d", h.CsumStart, h.CsumOffset)
	}
	return s
}
