package inet

import "sockeye/stack/tcp"

// Counters are what netstat -s shows of IP, ICMP and UDP, under the names of
// /proc/net/snmp (RFC 4293, 4113). Both versions of IP count together.
type Counters struct {
	IPInReceives, IPInHdrErrors, IPInAddrErrors, IPInTruncatedPkts, IPForwDatagrams uint64
	IPInUnknownProtos, IPInDiscards, IPInDelivers                                   uint64
	IPOutRequests, IPOutDiscards, IPOutNoRoutes                                     uint64
	IPReasmTimeout, IPReasmReqds, IPReasmOKs, IPReasmFails                          uint64
	IPFragOKs, IPFragFails, IPFragCreates                                           uint64

	FragMemory uint64 // bytes of fragments that wait for others now (/proc/net/sockstat)

	ICMPInMsgs, ICMPInErrors, ICMPInCsumErrors, ICMPOutMsgs uint64

	UDPInDatagrams, UDPNoPorts, UDPInErrors, UDPOutDatagrams uint64
	UDPRcvbufErrors, UDPSndbufErrors, UDPInCsumErrors        uint64

	TCP                                                        tcp.Counters
	TCPInErrs, TCPInCsumErrors, ListenOverflows, ListenDrops   uint64
	TCPReqQFullDrop, TCPReqQFullDoCookies, TCPTimeWaitOverflow uint64
}
