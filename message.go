package sockeye

import "iter"

// A Message is C's struct msghdr, and struct mmsghdr: what Sendmsg, Recvmsg,
// Sendmmsg and Recvmmsg send and fill in. A Message, its buffers included, can
// be used again and again; a receive allocates nothing but descriptors.
type Message struct {
	// Name is where to, or who from. Sending with the zero Sockaddr goes to
	// the connected peer. Receiving gives the zero Sockaddr where the system
	// names nobody, as on connected streams.
	Name Sockaddr
	// Buffers are gathered from, or scattered to, in their order.
	Buffers [][]byte
	// Control is the ancillary data to send, or the room for what is received
	// (cmsg(3)); build it with the Append functions, read it with
	// ControlMessages. SCM_RIGHTS is not in it but in Rights; on receiving it
	// takes room in Control all the same: ControlSpace(4*n) bytes for n.
	Control []byte
	// Rights are the descriptors to pass on, or those received (SCM_RIGHTS):
	// a *Socket each, or on the kernel engine an *os.File too. What is
	// received is the caller's to close.
	Rights []Descriptor

	// N is the number of bytes sent or received. With MSG_TRUNC asked for, it
	// is the true length, which may be more than the buffers hold.
	N int
	// ControlN is the number of bytes of Control received.
	ControlN int
	// Flags are msg_flags: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB, MSG_ERRQUEUE.
	Flags MsgFlags
}

// A Descriptor is what SCM_RIGHTS passes between programs.
type Descriptor interface{ Close() error }

// ControlMessages goes through the ancillary data that was received.
func (m *Message) ControlMessages() iter.Seq[ControlMessage] {
	return ControlMessages(m.Control[:m.ControlN])
}

// Len is the number of bytes that the buffers hold.
func (m *Message) Len() int {
	n := 0
	for _, b := range m.Buffers {
		n += len(b)
	}
	return n
}

// end makes m what is received when there is nothing to come.
func (m *Message) end() {
	m.Name, m.N, m.ControlN, m.Flags = Sockaddr{}, 0, 0, 0
	m.Rights = m.Rights[:0]
}

// EndpointOf gives the endpoint of a socket among Rights. It is for engines.
func EndpointOf(d Descriptor) (Endpoint, bool) {
	switch d := d.(type) {
	case *Socket:
		return d.c.ep, true
	case Endpoint:
		return d, true
	}
	return nil, false
}

// adopt makes sockets of the endpoints that an engine received.
func (c *core) adopt(m *Message) {
	for i, d := range m.Rights {
		if ep, ok := d.(Endpoint); ok {
			m.Rights[i] = c.host.adopt(ep)
		}
	}
}
