// Package tcp is TCP (RFC 9293) as Linux speaks it, as a plain value: segments, calls and the
// time go in; segments, events and the next deadline come out. There is no goroutine, lock,
// channel or clock in it.
//
// A [Host] has what all connections of a host share. A [Conn] is a connection, a [Request] one whose
// handshake a peer began, a [TimeWait] what is left of one. The host around them owns ports, addresses and
// sockets, and calls them under one lock:
//
//	c := h.Connect(now, &cfg, &tcp.ConnectOptions{ISN: h.ISN(now, flow), TSOffset: h.TSOffset(flow)})
//	send(h.Out)                        // the SYN
//	c.Input(now, &segment)             // what came for it
//	n, err := c.Write(now, p, 0)       // what a user wrote
//	n, err = c.Read(now, p)
//	if d := c.Deadline(); d != 0 && d <= now {
//		c.Timeout(now)
//	}
//	wake(c.Events())
//
// After every call the caller sends what is in Host.Out and cuts it to length zero; a caller that
// delivers to a connection of the same host takes the list away first, as Input adds to it. Nothing is
// called back.
//
// # Connections that peers open
//
// A SYN for a listening socket becomes a Request; with no room for one, Host.SYNCookie answers it and
// keeps nothing, or Host.Overflow drops it:
//
//	r := h.NewRequest(now, &cfg, &syn, h.ISN(now, flow), h.TSOffset(flow))
//	if r.FastOpen(h, flow, &syn) {
//		c = r.AcceptFastOpen(h, now, &cfg, &syn)
//	} else {
//		r.SYNACK(h, now, &cfg)
//		syn.Payload.Release()
//	}
//
// The Request takes the flow's segments (Input, Timeout) until it is Complete, and then Accept makes the
// Conn and takes the last of them. While the accept queue is full the host may drop that one: the peer
// tries again. An ACK for a listening socket without a Request may answer a cookie (Host.FromCookie); what
// belongs to nobody gets Host.Reset.
//
// # The end
//
// With EventTimeWait a Conn is CLOSED, as Linux's socket is, and Conn.TimeWait gives the small value
// that waits on in its place. With EventClosed alone the flow is free.
//
// # Payload
//
// Payload lies in blocks of package packet: copied in by Write, or put in by the caller and handed over by Push;
// copied out by Read, or handed out by Take. In between the send queue, segments in flight and the receiver's
// queues share the blocks.
//
// # Sizes
//
// The congestion window counts segments, as Linux does. With Config.GSO a Segment stands for a run of them, up
// to 64 KiB, that one call carries to the other side.
//
// # Files
//
//	segment.go state.go options.go ring.go conn.go   the values
//	open.go listen.go cookie.go fastopen.go key.go   how a connection begins
//	input.go reassembly.go window.go delack.go urgent.go read.go   the receiver
//	write.go output.go ack.go congestion.go cubic.go reno.go   the sender
//	recovery.go undo.go rack.go retransmit.go rto.go pmtu.go ecn.go   when something is lost
//	timer.go close.go timewait.go   how time passes and a connection ends
//	host.go info.go   settings and numbers
package tcp
