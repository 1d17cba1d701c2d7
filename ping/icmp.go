package ping

import (
	"fmt"
	"syscall"

	"sockeye"
)

// An ICMPError is an ICMP message that says why a request got no answer. It
// wraps the errno that Linux makes of it.
type ICMPError struct {
	Family     sockeye.Family // AF_INET: ICMP; AF_INET6: ICMPv6
	Type, Code uint8
	Info       uint32 // the next hop's MTU, where the packet was too big for it
	Errno      syscall.Errno
}

// kinds are the messages of RFC 792 and RFC 1812 section 5.2.7, and those of
// RFC 4443 section 3.
var (
	kinds4 = map[[2]uint8]string{
		{3, 0}: "network unreachable", {3, 1}: "host unreachable", {3, 2}: "protocol unreachable",
		{3, 3}: "port unreachable", {3, 4}: "fragmentation needed", {3, 5}: "source route failed",
		{3, 6}: "network unknown", {3, 7}: "host unknown", {3, 9}: "network prohibited",
		{3, 10}: "host prohibited", {3, 11}: "network unreachable for this service",
		{3, 12}: "host unreachable for this service", {3, 13}: "filtered",
		{11, 0}: "time to live exceeded", {11, 1}: "reassembly time exceeded",
		{12, 0}: "bad header",
	}
	kinds6 = map[[2]uint8]string{
		{1, 0}: "no route", {1, 1}: "prohibited", {1, 2}: "beyond the scope of the source address",
		{1, 3}: "address unreachable", {1, 4}: "port unreachable", {1, 5}: "source address failed policy",
		{1, 6}: "route rejected", {2, 0}: "packet too big",
		{3, 0}: "hop limit exceeded", {3, 1}: "reassembly time exceeded",
		{4, 0}: "bad header field", {4, 1}: "unknown next header", {4, 2}: "unknown option",
	}
)

// Error is what the ICMP message says, in words.
func (e *ICMPError) Error() string {
	kinds := kinds4
	if e.Family == sockeye.AF_INET6 {
		kinds = kinds6
	}
	text, ok := kinds[[2]uint8{e.Type, e.Code}]
	if !ok {
		text = fmt.Sprintf("ICMP type %d, code %d", e.Type, e.Code)
	}
	if e.Info != 0 && e.Errno == syscall.EMSGSIZE {
		text += fmt.Sprintf(" (MTU %d)", e.Info)
	}
	return text
}

// Unwrap gives the errno.
func (e *ICMPError) Unwrap() error { return e.Errno }
