package tcp

import (
	"sockeye/packet"
	"sockeye/wire"
)

// Time is an instant in nanoseconds on a clock that never goes back. Zero is no instant:
// it stands for "never".
type Time int64

// Durations in the unit of Time.
const (
	Microsecond Time = 1000
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
)

// A Seq is a sequence number.
type Seq = wire.Seq

// A Segment is one segment, or with GSO a run of them that differ in sequence number and payload
// only: what another host in the process takes as one, and a link with small frames must cut up (the
// last part has the PSH and FIN flags, the first the CWR flag).
//
// Ports, addresses and the checksum are the host's. The payload holds references: a segment that is
// given to Input gives them away; one from Host.Out that goes nowhere must have its payload released.
type Segment struct {
	wire.TCP
	Payload packet.List
	GSO     int      // payload of each part; 0: this is a single segment
	ECN     wire.ECN // of the IP header
	Conn    *Conn    // of an outgoing segment: whose it is; nil for what no connection sent
}

// Len is the number of bytes of payload.
func (s *Segment) Len() int { return s.Payload.Len() }

// End is the sequence number after the segment: SYN and FIN count as one (RFC 9293 section 3.4).
func (s *Segment) End() Seq { return s.Seq.Add(s.SeqLen(s.Len())) }

// Parts is the number of segments that s stands for.
func (s *Segment) Parts() int {
	if s.GSO <= 0 || s.Len() <= s.GSO {
		return 1
	}
	return (s.Len() + s.GSO - 1) / s.GSO
}

// trimFront drops the first n bytes of the payload and moves Seq.
func (s *Segment) trimFront(n int) {
	s.Seq = s.Seq.Add(min(n, s.Len()))
	s.Payload.TrimFront(n)
}

// maxSeq is the later of two sequence numbers.
func maxSeq(a, b Seq) Seq {
	if a.Less(b) {
		return b
	}
	return a
}

func minSeq(a, b Seq) Seq {
	if b.Less(a) {
		return b
	}
	return a
}
