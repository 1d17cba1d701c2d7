package wire

import (
	"math/bits"
	"time"
)

// What IGMP (RFC 3376) and MLD (RFC 3810) have alike. Addresses of sources stay
// in wire form, 4 or 16 bytes each, as many as there are: Addr.Append makes
// them, Source reads them.

// A GroupQuery asks who listens to Group, to any group when that is
// unspecified, and to which sources when there are some.
type GroupQuery struct {
	Version    uint8 // of the protocol: IGMP 1 to 3, MLD 1 and 2
	Group      Addr
	MaxResp    time.Duration // listeners answer within
	Suppress   bool          // routers do not restart their timers
	Robustness uint8         // 0 to 7
	Interval   time.Duration // in seconds, between queries
	Sources    []byte
}

// A RecordType says what a group record reports (RFC 3376 section 4.2.12).
type RecordType uint8

// The record types (linux/igmp.h); those of MLDv2 are the same numbers.
const (
	IGMPV3_MODE_IS_INCLUDE   RecordType = 1
	IGMPV3_MODE_IS_EXCLUDE   RecordType = 2
	IGMPV3_CHANGE_TO_INCLUDE RecordType = 3
	IGMPV3_CHANGE_TO_EXCLUDE RecordType = 4
	IGMPV3_ALLOW_NEW_SOURCES RecordType = 5
	IGMPV3_BLOCK_OLD_SOURCES RecordType = 6
)

// A GroupRecord is one group in a report.
type GroupRecord struct {
	Type    RecordType
	Group   Addr
	Sources []byte
}

// NumSources is the number of source addresses.
func (q *GroupQuery) NumSources() int { return len(q.Sources) / q.Group.Size() }

// Source is source address i.
func (q *GroupQuery) Source(i int) Addr { return source(q.Group, q.Sources, i) }

// NumSources is the number of source addresses.
func (r *GroupRecord) NumSources() int { return len(r.Sources) / r.Group.Size() }

// Source is source address i.
func (r *GroupRecord) Source(i int) Addr { return source(r.Group, r.Sources, i) }

func source(group Addr, b []byte, i int) Addr {
	if group.Is4() {
		return addr4(b[i*4:])
	}
	return addr6(b[i*16:])
}

const (
	recordType  = 0
	recordAux   = 1 // length of auxiliary data in units of 4 bytes
	recordCount = 2
	recordGroup = 4
)

// GroupRecords are the records of a parsed report, read one after the other.
type GroupRecords struct {
	b    []byte
	left int
	size int // of an address
}

// Len is the number of records that are left.
func (r *GroupRecords) Len() int { return r.left }

// Next takes the next record off r.
func (r *GroupRecords) Next() (rec GroupRecord, ok bool) {
	if r.left == 0 {
		return rec, false
	}
	rec, rest, err := parseRecord(r.b, r.size)
	r.b = rest
	r.left--
	return rec, err == nil
}

// parseRecord cuts the first record off b.
func parseRecord(b []byte, size int) (rec GroupRecord, rest []byte, err error) {
	fixed := recordGroup + size
	if len(b) < fixed {
		return rec, nil, ErrTruncated
	}
	end := fixed + int(be.Uint16(b[recordCount:]))*size
	next := end + int(b[recordAux])*4
	if next > len(b) {
		return rec, nil, ErrTruncated
	}
	rec = GroupRecord{RecordType(b[recordType]), addrN(b[recordGroup:], size), b[fixed:end]}
	if !rec.Group.IsMulticast() || rec.Group.Is4() != (size == 4) {
		return rec, nil, ErrAddress
	}
	return rec, b[next:], nil
}

// parseRecords checks n records.
func parseRecords(b []byte, n, size int) (GroupRecords, error) {
	all := GroupRecords{b: b, left: n, size: size}
	for ; n > 0; n-- {
		_, rest, err := parseRecord(b, size)
		if err != nil {
			return GroupRecords{}, err
		}
		b = rest
	}
	return all, nil
}

func addrN(b []byte, size int) Addr {
	if size == 4 {
		return addr4(b)
	}
	return addr6(b)
}

func (r *GroupRecord) length() int { return recordGroup + r.Group.Size() + len(r.Sources) }

func (r *GroupRecord) put(b []byte) int {
	b = b[:r.length()]
	b[recordType], b[recordAux] = byte(r.Type), 0
	be.PutUint16(b[recordCount:], uint16(r.NumSources()))
	n := recordGroup
	if r.Group.Is4() {
		r.Group.put4(b[n:])
	} else {
		r.Group.put16(b[n:])
	}
	copy(b[n+r.Group.Size():], r.Sources)
	return len(b)
}

// A query has times in a small floating-point form (RFC 3376 section 4.1.1, RFC
// 3810 section 5.1.3): below half of the range the number itself, above it a
// mantissa with an invisible highest bit and an exponent of three bits.

// decodeTime reads such a number whose mantissa has the given bits.
func decodeTime(code uint32, mantissa int) uint32 {
	if code < 1<<(mantissa+3) {
		return code
	}
	exp := code >> mantissa & 7
	return (code&(1<<mantissa-1) | 1<<mantissa) << (exp + 3)
}

// encodeTime is the largest such number that is not above v.
func encodeTime(v uint32, mantissa int) uint32 {
	if v < 1<<(mantissa+3) {
		return v
	}
	exp := bits.Len32(v) - 1 - mantissa - 3
	if exp > 7 {
		return 1<<(mantissa+4) - 1
	}
	return 1<<(mantissa+3) | uint32(exp)<<mantissa | v>>(exp+3)&(1<<mantissa-1)
}

const (
	shortMantissa = 4  // numbers of 8 bits
	longMantissa  = 12 // numbers of 16 bits

	queryFlags    = 0 // offsets behind the group in a query of the newest version
	queryInterval = 1
	queryCount    = 2
	queryTail     = 4
	querySuppress = 8
	queryQRVMask  = 7
)

// parseTail reads what the newest version has behind the group.
func (q *GroupQuery) parseTail(b []byte) error {
	n := int(be.Uint16(b[queryCount:])) * q.Group.Size()
	if n > len(b)-queryTail {
		return ErrTruncated
	}
	q.Suppress = b[queryFlags]&querySuppress != 0
	q.Robustness = b[queryFlags] & queryQRVMask
	q.Interval = time.Duration(decodeTime(uint32(b[queryInterval]), shortMantissa)) * time.Second
	q.Sources = b[queryTail : queryTail+n]
	return nil
}

func (q *GroupQuery) putTail(b []byte) {
	b[queryFlags] = q.Robustness&queryQRVMask | bit(q.Suppress, querySuppress)
	b[queryInterval] = byte(encodeTime(uint32(q.Interval/time.Second), shortMantissa))
	be.PutUint16(b[queryCount:], uint16(q.NumSources()))
	copy(b[queryTail:], q.Sources)
}
