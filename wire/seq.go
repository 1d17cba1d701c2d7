package wire

// A Seq is a TCP sequence number. Its arithmetic is modulo 2^32 (RFC 9293
// section 3.4): the order of two numbers holds as long as they lie less than 2^31
// apart.
type Seq uint32

// Add is the number n octets after s, or before it when n is negative.
func (s Seq) Add(n int) Seq { return s + Seq(n) }

// Diff is how many octets s lies after t; negative when it lies before.
func (s Seq) Diff(t Seq) int { return int(int32(s - t)) }

// Less tells whether s comes before t.
func (s Seq) Less(t Seq) bool { return int32(s-t) < 0 }

// LessEq tells whether s comes before t or is t.
func (s Seq) LessEq(t Seq) bool { return int32(s-t) <= 0 }

// In tells whether s is one of the size numbers that begin at left.
func (s Seq) In(left Seq, size int) bool { return uint64(s-left) < uint64(max(size, 0)) }
