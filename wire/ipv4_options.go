package wire

// IPv4 options (RFC 791 section 3.1): a kind, then for all but two of them a
// length that counts both, a pointer from 1, and data.
const (
	IPOPT_END       = 0   // end of the list
	IPOPT_NOOP      = 1   // padding between options
	IPOPT_RR        = 7   // record route
	IPOPT_TIMESTAMP = 68  // record route and time
	IPOPT_LSRR      = 131 // loose source route
	IPOPT_SSRR      = 137 // strict source route
	IPOPT_RA        = 148 // router alert (RFC 2113)
)

// RouterAlertIPv4 is the option that IGMP messages carry (RFC 3376 section 4).
var RouterAlertIPv4 = []byte{IPOPT_RA, 4, 0, 0}

// CheckIPv4Options gives the offset in the header of the byte that is wrong, for
// the pointer of an ICMP parameter problem, or -1 when the options are
// well-formed. Linux makes the same checks in ip_options_compile: record route,
// timestamp and source route have room where their pointer points or are full,
// and stand there once.
func CheckIPv4Options(opts []byte) int {
	var routed, recorded, stamped bool
	for i := 0; i < len(opts); {
		if opts[i] == IPOPT_END {
			return -1
		}
		if opts[i] == IPOPT_NOOP {
			i++
			continue
		}
		at := IPv4Len + i
		if len(opts)-i < 2 || opts[i+1] < 2 || int(opts[i+1]) > len(opts)-i {
			return at
		}
		opt := opts[i : i+int(opts[i+1])]
		i += len(opt)

		var bad int
		var seen *bool
		switch opt[0] {
		case IPOPT_LSRR, IPOPT_SSRR:
			bad, seen = checkPointer(opt, 3, 4, 0), &routed
		case IPOPT_RR:
			bad, seen = checkPointer(opt, 3, 4, 4), &recorded
		case IPOPT_TIMESTAMP:
			bad, seen = checkTimestamp(opt), &stamped
		case IPOPT_RA:
			if len(opt) < 4 {
				bad = 1
			}
		}
		if bad > 0 {
			return at + bad
		}
		if seen != nil && *seen {
			return at
		}
		if seen != nil {
			*seen = true
		}
	}
	return -1
}

// checkPointer gives the offset of what is wrong in an option of at least size
// bytes whose pointer starts at first, and for which each entry takes entry bytes;
// 0 for nothing. A pointer past the end says that the option is full.
func checkPointer(opt []byte, size int, first byte, entry int) int {
	switch {
	case len(opt) < size:
		return 1
	case opt[2] < first:
		return 2
	case int(opt[2]) <= len(opt) && int(opt[2])-1+entry > len(opt):
		return 2
	}
	return 0
}

// checkTimestamp is checkPointer for the timestamp option, whose entries have an
// address or not and which counts, when full, the hosts that had no room.
func checkTimestamp(opt []byte) int {
	const addressed, prespecified = 1, 3
	entry := 4
	if len(opt) > 3 && (opt[3]&15 == addressed || opt[3]&15 == prespecified) {
		entry = 8
	}
	bad := checkPointer(opt, 4, 5, entry)
	if bad == 0 && int(opt[2]) > len(opt) && opt[3]>>4 == 15 {
		return 3
	}
	return bad
}

// IPv4Option finds the first option of a kind in well-formed options and gives
// all its bytes, nil without one.
func IPv4Option(opts []byte, kind byte) []byte {
	for len(opts) > 0 && opts[0] != IPOPT_END {
		if opts[0] == IPOPT_NOOP {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || opts[1] < 2 || int(opts[1]) > len(opts) {
			return nil
		}
		if opts[0] == kind {
			return opts[:opts[1]]
		}
		opts = opts[opts[1]:]
	}
	return nil
}

// HasSourceRoute tells whether well-formed options name the hosts to pass through.
func HasSourceRoute(opts []byte) bool {
	return IPv4Option(opts, IPOPT_LSRR) != nil || IPv4Option(opts, IPOPT_SSRR) != nil
}

// KeepCopiedOptions makes of a packet's well-formed options those of its later fragments: what
// is not to be copied into these (RFC 791 section 3.1) becomes padding, as in Linux.
func KeepCopiedOptions(opts []byte) {
	const copied = 0x80
	for i := 0; i < len(opts) && opts[i] != IPOPT_END; {
		n := 1
		if opts[i] != IPOPT_NOOP {
			n = int(opts[i+1])
		}
		for j := i; opts[i]&copied == 0 && j < i+n; j++ {
			opts[j] = IPOPT_NOOP
		}
		i += n
	}
}
