package tcp

import "math/bits"

// rttState is the round-trip time estimate and the retransmission timeout (RFC 6298), kept as
// Linux keeps it: the variance follows the largest deviation of a window, so that one large sample
// does not decay at once, and never falls below the minimum timeout.
type rttState struct {
	srtt    Time // 0: no sample yet
	mdev    Time
	mdevMax Time
	rttvar  Time // four deviations
	rto     Time
	rttSeq  Seq // the variance may shrink once this is acknowledged
	backoff uint8
	minRTT  minFilter
}

// Timeouts before there is a sample.
const (
	initialRTO  = Second     // RFC 6298 section 2.1
	fallbackRTO = 3 * Second // section 5.7: when the SYN was lost
)

// sampleRTT takes a measured round trip (RFC 6298 section 2).
func (c *Conn) sampleRTT(m Time) {
	r := &c.rttState
	m = max(m, Microsecond)
	if r.srtt == 0 {
		r.srtt, r.mdev = m, m/2
		r.rttvar = max(2*m, c.h.RTOMin)
		r.mdevMax, r.rttSeq = r.rttvar, c.sndNxt
		return
	}
	d := m - r.srtt
	r.srtt += d / 8
	if d < 0 {
		// A sudden fall makes the deviation large though the path got better: let it
		// count for less (the Eifel timer's lesson, as Linux took it).
		d = -d
		if d > r.mdev {
			d = r.mdev + (d-r.mdev)/8
		}
	}
	r.mdev += (d - r.mdev) / 4
	if dev := 4 * r.mdev; dev > r.mdevMax {
		r.mdevMax = dev
		r.rttvar = max(r.rttvar, dev)
	}
	if r.rttSeq.Less(c.sndUna) {
		if r.mdevMax < r.rttvar {
			r.rttvar -= (r.rttvar - r.mdevMax) / 4
		}
		r.rttSeq, r.mdevMax = c.sndNxt, c.h.RTOMin
	}
}

func (c *Conn) setRTO() {
	c.rto = min(c.srtt+c.rttvar, c.h.RTOMax)
}

// backOff doubles the timeout (RFC 6298 section 5.5).
func (c *Conn) backOff() {
	c.backoff++
	c.rto = min(2*c.rto, c.h.RTOMax)
}

// A minFilter is the smallest sample of a window of time (RFC 8985 section 7.2 leaves the
// choice; Linux takes five minutes).
type minFilter struct {
	v, at Time
}

const minRTTWindow = 300 * Second

func (f *minFilter) add(now, v Time) {
	if f.at == 0 || v <= f.v || now-f.at > minRTTWindow {
		f.v, f.at = max(v, Microsecond), now
	}
}

// timedOut tells whether what amounts to n retransmissions has passed since the first one, or, when
// limit is not zero, that time (tcp_retries2 counts time, whatever the path's RTO is).
func (c *Conn) timedOut(n int, limit Time) bool {
	if c.retransmits == 0 {
		return false
	}
	if limit == 0 {
		limit = c.h.giveUpAfter(n)
	}
	return c.h.now-c.retransAt >= limit
}

// giveUpAfter is how long n retransmissions and the wait after the last take when the first
// timeout is RTOMin.
func (h *Host) giveUpAfter(n int) Time {
	doublings := bits.Len64(uint64(h.RTOMax/h.RTOMin)) - 1
	if n <= doublings {
		return (2<<n - 1) * h.RTOMin
	}
	return (2<<doublings-1)*h.RTOMin + Time(n-doublings)*h.RTOMax
}
