package tcp

import (
	"time"

	"sockeye/packet"
)

// Events tell a socket what its waiters may be woken for.
type Events uint8

// The events. Each is set when it happens, and cleared by Conn.Events.
const (
	EventReadable  Events = 1 << iota // data or the peer's FIN came
	EventWritable                     // there is room in the send buffer again
	EventConnected                    // the handshake is done
	EventHup                          // both directions are closed
	EventError                        // Err has an error
	EventUrgent                       // an urgent mark, or its octet, came (SIGURG)
	EventTimeWait                     // the connection waits on as TimeWait; this Conn is closed
	EventClosed                       // the Conn is closed: its flow is free
)

// A chunk is a piece of the send queue.
type chunk struct {
	seq Seq
	packet.Slice
}

func (c chunk) end() Seq { return c.seq.Add(c.Len()) }

var (
	chunkPools ringPools[chunk]
	sentPools  ringPools[sent]
	slicePools ringPools[packet.Slice]
)

// A Conn is one connection: the variables of RFC 9293 section 3.3.1 and what the other RFCs
// add. Host.Connect, Request.Accept and Host.FromCookie make one.
//
// A Conn never waits, and has no lock, clock or goroutine. Every call is given the time; after each
// the caller sends what is in Host.Out, looks at Events and sets its timer to Deadline.
type Conn struct {
	h   *Host
	cc  *congestion
	cfg Config

	flags    connFlags
	state    State
	events   Events
	err      errno // pending for the user, SO_ERROR
	soft     errno // what ICMP said; the reason if the connection times out
	sndShift uint8 // window scale of the peer's windows
	rcvShift uint8
	tailOpen bool // the last chunk's block is ours to append to
	nagleOff bool // for this call
	urgOctet byte
	timer    timerKind

	// Send sequence space.
	iss       Seq
	sndUna    Seq
	sndNxt    Seq
	sndUp     Seq // after the last urgent octet
	sndWl1    Seq
	writeSeq  Seq // end of what was written; the FIN's number once that is queued
	sndSml    Seq // end of the last small segment (Nagle as Minshall has it)
	pushed    Seq // end of the last write that is to be pushed
	lastPush  Seq // end of the last segment with PSH
	recordEnd Seq // end of the last write that ended a record
	sndWnd    uint32
	maxWnd    uint32 // the largest window that the peer has offered
	mss       uint16 // payload of a full segment without SACK blocks
	peerMSS   uint16 // the peer's MSS option
	rttEnd    Seq    // a round trip of the receiver is over when it has this
	pmtu      uint32
	lowMTU    uint16 // black-hole detection: what surely gets through; 0: not in use

	sndq ring[chunk]
	rtx  ring[sent]

	// Receive sequence space.
	rcvNxt Seq
	rcvWup Seq // rcvNxt when the window was last sent
	copied Seq // the next octet that the user reads
	rcvUp  Seq // the urgent octet
	rcvq   ring[packet.Slice]
	ooo    *reassembly

	aside *aside // what few connections have

	recvWindow
	timestamps
	timers
	acks
	rttState
	recovery
	stats
}

// An errno is a syscall.Errno in less memory.
type errno uint16

// An aside is what a connection needs at its very beginning or end only.
type aside struct {
	fastOpen *fastOpen
	timeWait *TimeWait
}

type connFlags uint32

const (
	useTS connFlags = 1 << iota
	useSACK
	useScaling
	useECN
	ecnSeen
	ecnEcho      // a CE mark came: send ECE until CWR comes
	ecnCWR       // tell the peer that the window was reduced
	finQueued    // a FIN stands behind the data
	finReceived  // the peer's FIN was taken
	rcvShutdown  // SHUT_RD, or the peer's FIN
	sndShutdown  // SHUT_WR
	orphaned     // the user has closed
	passive      // opened by the peer
	urgPending   // an urgent mark is not passed yet
	urgValid     // its octet is there to read
	urgRead      // it was read
	sndUrgent    // an urgent mark of ours is not acknowledged
	wantSpace    // the user waits for room to write
	userSndBuf   // SO_SNDBUF was set: no auto-tuning
	userRcvBuf   // SO_RCVBUF was set
	dsackPending // a DSACK is to be sent
	tlpRetrans   // the tail loss probe was a retransmission
	synData      // Fast Open: our SYN carried data
	synFastOpen  // Fast Open: the peer's SYN did, or has taken ours
	moreComing   // MSG_MORE, for this call
)

func (c *Conn) is(f connFlags) bool { return c.flags&f != 0 }

func (c *Conn) set(f connFlags, on bool) {
	if on {
		c.flags |= f
	} else {
		c.flags &^= f
	}
}

// Config is what socket options set for one connection, and what the host knows of the way out. The
// zero value is a socket without options on an Ethernet.
type Config struct {
	MTU      int32 // of the interface; 0: 1500
	GSO      int32 // largest payload of one outgoing Segment; less than two MSS: none is large
	IPHeader uint8 // 20 or 40, IP options and extensions included; 0: 20

	KeepCount                           uint8 // TCP_KEEPCNT; 0: the host's
	SYNCount                            uint8 // TCP_SYNCNT; 0: the host's
	DeferAccept                         uint8 // TCP_DEFER_ACCEPT, from DeferTimeouts
	NoDelay, Cork, KeepAlive, OOBInline bool
	IPv6                                bool

	KeepIdle     Seconds // TCP_KEEPIDLE; 0: the host's
	KeepInterval Seconds
	Linger2      Seconds // TCP_LINGER2; 0: the host's; negative: no FIN-WAIT-2 without a user
	MaxSeg       uint16  // TCP_MAXSEG; 0: not set
	RcvBuf       int32   // SO_RCVBUF as getsockopt gives it: half is for overhead; 0: the host's, tuned
	SndBuf       int32   // SO_SNDBUF; 0: the host's, tuned
	RcvLowat     int32
	WindowClamp  uint32
	NotsentLowat uint32
	UserTimeout  Milliseconds
}

// Seconds and Milliseconds are times of options, in little memory.
type (
	Seconds      int16
	Milliseconds int32
)

// Time is s as the clock has it.
func (s Seconds) Time() Time { return Time(s) * Second }

// Time is ms as the clock has it.
func (ms Milliseconds) Time() Time { return Time(ms) * Millisecond }

// Config gives the connection's options for the caller to change. Where a change must act at once
// there is a method: SetNoDelay, SetCork, SetKeepAlive, SetKeepIdle.
func (c *Conn) Config() *Config { return &c.cfg }

// State is the connection's state. TIME-WAIT is a value of its own: a Conn that went there is
// CLOSED.
func (c *Conn) State() State { return c.state }

// Events gives what has happened since the last call.
func (c *Conn) Events() Events {
	e := c.events
	c.events = 0
	return e
}

func dur(t Time) time.Duration { return time.Duration(t) }
