package inet

import (
	"time"

	"sockeye/event"
	"sockeye/wire"
)

// An icmpLimit bounds how many messages the host sends to one receiver and to all (RFC 1812 section
// 4.3.2.8, RFC 4443 section 2.4 (f)).
type icmpLimit struct {
	peers map[wire.Addr]*bucket
	order []wire.Addr // in which they were met

	credit int        // messages to all that may go now
	since  event.Time // when credit was last given
}

// A bucket holds time that a receiver's messages may use up.
type bucket struct {
	tokens time.Duration
	since  event.Time
}

const (
	limitBurst    = 6    // messages to one receiver at once (XRLIM_BURST_FACTOR)
	maxLimitPeers = 4096 // those that were met first are forgotten
	allAtOnce     = 20 * time.Millisecond
)

// mayAnswer tells whether a message of a type may go to a receiver by a path now, and counts one that
// may not (icmp_global_allow, icmpv4_xrlim_allow, icmpv6_xrlim_allow).
func (s *Stack) mayAnswer(to wire.Addr, typ, code uint8, w path) bool {
	set, c := &s.Sysctl, s.Counters.icmp(to)
	every := set.ICMPRateLimit
	switch {
	case !to.Is4() && (typ >= 128 || typ == wire.ICMPV6_PKT_TOOBIG),
		to.Is4() && (set.ICMPRateMask>>typ&1 == 0 || typ == wire.ICMP_DEST_UNREACH && code == wire.ICMP_FRAG_NEEDED):
		return true
	case !to.Is4():
		every = set.ICMP6RateLimit
	}
	l, now := &s.limit, s.loop.Now()
	if !l.toAll(set, now) {
		c.OutRateLimitGlobal++
		return false
	}
	if every != 0 && !w.iface.props.Loopback && !l.toOne(to, every, now) {
		c.OutRateLimitHost++
		return false
	}
	l.credit--
	return true
}

func (l *icmpLimit) toAll(set *Sysctl, now event.Time) bool {
	if l.peers == nil {
		l.peers, l.credit, l.since = make(map[wire.Addr]*bucket), set.ICMPMsgsBurst, now
	}
	if d := min(now.Sub(l.since), time.Second); d >= allAtOnce {
		l.credit = min(l.credit+int(d*time.Duration(set.ICMPMsgsPerSec)/time.Second), set.ICMPMsgsBurst)
		l.since = now
	}
	return l.credit > 0
}

// toOne is inet_peer_xrlim_allow.
func (l *icmpLimit) toOne(to wire.Addr, every time.Duration, now event.Time) bool {
	b := l.peers[to]
	if b == nil {
		if len(l.order) == maxLimitPeers {
			delete(l.peers, l.order[0])
			l.order = l.order[1:]
		}
		b = &bucket{limitBurst * every, now}
		l.peers[to], l.order = b, append(l.order, to)
	}
	b.tokens, b.since = min(b.tokens+now.Sub(b.since), limitBurst*every), now
	if b.tokens < every {
		return false
	}
	b.tokens -= every
	return true
}
