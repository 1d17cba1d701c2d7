package tcp

// reno is NewReno: half of the window after a loss, one segment more in each round trip
// (RFC 5681, 6582).
var reno = congestion{
	name:     "reno",
	ssthresh: func(c *Conn) uint32 { return max(c.cwnd/2, 2) },
	avoid:    func(c *Conn, acked uint32) { c.grow(c.cwnd, acked) },
	acked:    func(*Conn, Time) {},
	lost:     func(*Conn) {},
	undone:   func(*Conn) {},
}
