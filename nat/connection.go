package nat

import "sockeye/wire"

// A connection is what a translator knows of a TCP connection, of which it sees the flags that go either way.
type connection struct{ seen [2]wire.TCPFlags }

// see notes the flags of a segment. A SYN behind the end of a connection begins another one, and a segment of a
// connection whose beginning was not seen stands for that.
func (c *connection) see(f wire.TCPFlags, w Way, adopt bool) {
	switch {
	case f&wire.SYN != 0 && c.ended():
		*c = connection{}
	case f&(wire.SYN|wire.RST) == 0 && adopt && *c == connection{}:
		c.seen = [2]wire.TCPFlags{wire.SYN | wire.ACK, wire.SYN | wire.ACK}
	}
	c.seen[w] |= f
}

// established tells whether both sides have opened the connection, and it has not ended.
func (c *connection) established() bool {
	const open = wire.SYN | wire.ACK
	return c.seen[0]&c.seen[1]&open == open && !c.ended()
}

// ended tells whether both sides have, or one has reset the connection. It may still linger: what is late
// passes for the transitory time (RFC 5382 section 5, RFC 7857 section 2).
func (c *connection) ended() bool {
	return c.seen[0]&c.seen[1]&wire.FIN != 0 || (c.seen[0]|c.seen[1])&wire.RST != 0
}
