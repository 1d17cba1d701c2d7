package sockeye

// The values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER.
const (
	IP_PMTUDISC_DONT      = 0 // fragment, never set DF
	IP_PMTUDISC_WANT      = 1 // discover where there is a route to remember it
	IP_PMTUDISC_DO        = 2 // always set DF
	IP_PMTUDISC_PROBE     = 3 // set DF, ignore the path MTU
	IP_PMTUDISC_INTERFACE = 4 // never fragment, ignore the path MTU
	IP_PMTUDISC_OMIT      = 5 // the same, but fragment at the interface
)

// The options of IPPROTO_IP (ip(7)), and ICMP_FILTER of raw sockets (raw(7)).
var (
	IP_TOS                    = Option[int]{SOL_IP, 1, "IP_TOS", ReadWrite, &intCodec}
	IP_TTL                    = Option[int]{SOL_IP, 2, "IP_TTL", ReadWrite, &intCodec}
	IP_HDRINCL                = Option[bool]{SOL_IP, 3, "IP_HDRINCL", ReadWrite, &boolCodec}
	IP_OPTIONS                = Option[[]byte]{SOL_IP, 4, "IP_OPTIONS", ReadWrite, &ipOptionsCodec}
	IP_RECVOPTS               = Option[bool]{SOL_IP, 6, "IP_RECVOPTS", ReadWrite, &boolCodec}
	IP_RETOPTS                = Option[bool]{SOL_IP, 7, "IP_RETOPTS", ReadWrite, &boolCodec}
	IP_PKTINFO                = Option[bool]{SOL_IP, 8, "IP_PKTINFO", ReadWrite, &boolCodec}
	IP_MTU_DISCOVER           = Option[int]{SOL_IP, 10, "IP_MTU_DISCOVER", ReadWrite, &intCodec}
	IP_RECVERR                = Option[bool]{SOL_IP, 11, "IP_RECVERR", ReadWrite, &boolCodec}
	IP_RECVTTL                = Option[bool]{SOL_IP, 12, "IP_RECVTTL", ReadWrite, &boolCodec}
	IP_RECVTOS                = Option[bool]{SOL_IP, 13, "IP_RECVTOS", ReadWrite, &boolCodec}
	IP_MTU                    = Option[int]{SOL_IP, 14, "IP_MTU", ReadOnly, &intCodec}
	IP_FREEBIND               = Option[bool]{SOL_IP, 15, "IP_FREEBIND", ReadWrite, &boolCodec}
	IP_TRANSPARENT            = Option[bool]{SOL_IP, 19, "IP_TRANSPARENT", ReadWrite, &boolCodec}
	IP_RECVORIGDSTADDR        = Option[bool]{SOL_IP, 20, "IP_RECVORIGDSTADDR", ReadWrite, &boolCodec}
	IP_MINTTL                 = Option[int]{SOL_IP, 21, "IP_MINTTL", ReadWrite, &intCodec}
	IP_NODEFRAG               = Option[bool]{SOL_IP, 22, "IP_NODEFRAG", ReadWrite, &boolCodec}
	IP_BIND_ADDRESS_NO_PORT   = Option[bool]{SOL_IP, 24, "IP_BIND_ADDRESS_NO_PORT", ReadWrite, &boolCodec}
	IP_RECVFRAGSIZE           = Option[bool]{SOL_IP, 25, "IP_RECVFRAGSIZE", ReadWrite, &boolCodec}
	IP_RECVERR_RFC4884        = Option[bool]{SOL_IP, 26, "IP_RECVERR_RFC4884", ReadWrite, &boolCodec}
	IP_MULTICAST_IF           = Option[MulticastInterface]{SOL_IP, 32, "IP_MULTICAST_IF", ReadWrite, &multicastIfCodec}
	IP_MULTICAST_TTL          = Option[int]{SOL_IP, 33, "IP_MULTICAST_TTL", ReadWrite, &intCodec}
	IP_MULTICAST_LOOP         = Option[bool]{SOL_IP, 34, "IP_MULTICAST_LOOP", ReadWrite, &boolCodec}
	IP_ADD_MEMBERSHIP         = Option[Membership]{SOL_IP, 35, "IP_ADD_MEMBERSHIP", WriteOnly, &mreqnCodec}
	IP_DROP_MEMBERSHIP        = Option[Membership]{SOL_IP, 36, "IP_DROP_MEMBERSHIP", WriteOnly, &mreqnCodec}
	IP_ADD_SOURCE_MEMBERSHIP  = Option[SourceMembership]{SOL_IP, 39, "IP_ADD_SOURCE_MEMBERSHIP", WriteOnly, &sourceCodec}
	IP_DROP_SOURCE_MEMBERSHIP = Option[SourceMembership]{SOL_IP, 40, "IP_DROP_SOURCE_MEMBERSHIP", WriteOnly, &sourceCodec}
	IP_MULTICAST_ALL          = Option[bool]{SOL_IP, 49, "IP_MULTICAST_ALL", ReadWrite, &boolCodec}
	IP_UNICAST_IF             = Option[int]{SOL_IP, 50, "IP_UNICAST_IF", ReadWrite, &bigEndianCodec}
	IP_LOCAL_PORT_RANGE       = Option[PortRange]{SOL_IP, 51, "IP_LOCAL_PORT_RANGE", ReadWrite, &portRangeCodec}

	ICMP_FILTER = Option[ICMPFilter]{SOL_RAW, 1, "ICMP_FILTER", ReadWrite, &icmpFilterCodec}
)

// The options of IPPROTO_IPV6 (ipv6(7)), and ICMPV6_FILTER of raw sockets
// (RFC 3542 section 3.2).
var (
	IPV6_UNICAST_HOPS     = Option[int]{SOL_IPV6, 16, "IPV6_UNICAST_HOPS", ReadWrite, &intCodec}
	IPV6_MULTICAST_IF     = Option[int]{SOL_IPV6, 17, "IPV6_MULTICAST_IF", ReadWrite, &intCodec}
	IPV6_MULTICAST_HOPS   = Option[int]{SOL_IPV6, 18, "IPV6_MULTICAST_HOPS", ReadWrite, &intCodec}
	IPV6_MULTICAST_LOOP   = Option[bool]{SOL_IPV6, 19, "IPV6_MULTICAST_LOOP", ReadWrite, &boolCodec}
	IPV6_ADD_MEMBERSHIP   = Option[Membership]{SOL_IPV6, 20, "IPV6_ADD_MEMBERSHIP", WriteOnly, &mreq6Codec}
	IPV6_DROP_MEMBERSHIP  = Option[Membership]{SOL_IPV6, 21, "IPV6_DROP_MEMBERSHIP", WriteOnly, &mreq6Codec}
	IPV6_MTU_DISCOVER     = Option[int]{SOL_IPV6, 23, "IPV6_MTU_DISCOVER", ReadWrite, &intCodec}
	IPV6_MTU              = Option[int]{SOL_IPV6, 24, "IPV6_MTU", ReadWrite, &intCodec}
	IPV6_RECVERR          = Option[bool]{SOL_IPV6, 25, "IPV6_RECVERR", ReadWrite, &boolCodec}
	IPV6_V6ONLY           = Option[bool]{SOL_IPV6, 26, "IPV6_V6ONLY", ReadWrite, &boolCodec}
	IPV6_MULTICAST_ALL    = Option[bool]{SOL_IPV6, 29, "IPV6_MULTICAST_ALL", ReadWrite, &boolCodec}
	IPV6_RECVERR_RFC4884  = Option[bool]{SOL_IPV6, 31, "IPV6_RECVERR_RFC4884", ReadWrite, &boolCodec}
	IPV6_FLOWINFO_SEND    = Option[bool]{SOL_IPV6, 33, "IPV6_FLOWINFO_SEND", ReadWrite, &boolCodec}
	IPV6_HDRINCL          = Option[bool]{SOL_IPV6, 36, "IPV6_HDRINCL", ReadWrite, &boolCodec}
	IPV6_RECVPKTINFO      = Option[bool]{SOL_IPV6, 49, "IPV6_RECVPKTINFO", ReadWrite, &boolCodec}
	IPV6_PKTINFO          = Option[Pktinfo]{SOL_IPV6, 50, "IPV6_PKTINFO", ReadWrite, &pktinfo6Codec}
	IPV6_RECVHOPLIMIT     = Option[bool]{SOL_IPV6, 51, "IPV6_RECVHOPLIMIT", ReadWrite, &boolCodec}
	IPV6_HOPLIMIT         = Option[int]{SOL_IPV6, 52, "IPV6_HOPLIMIT", WriteOnly, &intCodec}
	IPV6_RECVPATHMTU      = Option[bool]{SOL_IPV6, 60, "IPV6_RECVPATHMTU", ReadWrite, &boolCodec}
	IPV6_PATHMTU          = Option[PathMTU]{SOL_IPV6, 61, "IPV6_PATHMTU", ReadOnly, &pathMTUCodec}
	IPV6_DONTFRAG         = Option[bool]{SOL_IPV6, 62, "IPV6_DONTFRAG", ReadWrite, &boolCodec}
	IPV6_RECVTCLASS       = Option[bool]{SOL_IPV6, 66, "IPV6_RECVTCLASS", ReadWrite, &boolCodec}
	IPV6_TCLASS           = Option[int]{SOL_IPV6, 67, "IPV6_TCLASS", ReadWrite, &intCodec}
	IPV6_AUTOFLOWLABEL    = Option[bool]{SOL_IPV6, 70, "IPV6_AUTOFLOWLABEL", ReadWrite, &boolCodec}
	IPV6_ADDR_PREFERENCES = Option[int]{SOL_IPV6, 72, "IPV6_ADDR_PREFERENCES", ReadWrite, &intCodec}
	IPV6_MINHOPCOUNT      = Option[int]{SOL_IPV6, 73, "IPV6_MINHOPCOUNT", ReadWrite, &intCodec}
	IPV6_RECVORIGDSTADDR  = Option[bool]{SOL_IPV6, 74, "IPV6_RECVORIGDSTADDR", ReadWrite, &boolCodec}
	IPV6_TRANSPARENT      = Option[bool]{SOL_IPV6, 75, "IPV6_TRANSPARENT", ReadWrite, &boolCodec}
	IPV6_UNICAST_IF       = Option[int]{SOL_IPV6, 76, "IPV6_UNICAST_IF", ReadWrite, &bigEndianCodec}
	IPV6_RECVFRAGSIZE     = Option[bool]{SOL_IPV6, 77, "IPV6_RECVFRAGSIZE", ReadWrite, &boolCodec}
	IPV6_FREEBIND         = Option[bool]{SOL_IPV6, 78, "IPV6_FREEBIND", ReadWrite, &boolCodec}

	ICMPV6_FILTER = Option[ICMPFilter]{SOL_ICMPV6, 1, "ICMPV6_FILTER", ReadWrite, &icmp6FilterCodec}
)
