package wire

import "time"

// Multicast listener discovery, ICMPv6 messages: RFC 3810 section 5 for version
// 2, RFC 2710 section 3 for the older messages, which are 24 bytes long. That they
// came from a link-local address with hop limit 1 and a router alert, and with a
// right ICMPv6 checksum, the caller checks, who has the headers.
const (
	mldMaxResp = 4 // in milliseconds
	mldGroup   = 8
	mldTail    = 24 // of a query of version 2
	mldCount   = 6  // of a report of version 2
	mldRecords = 8

	// MLDLen is the length of the messages of version 1.
	MLDLen = 24
)

// The types (linux/icmpv6.h).
const (
	ICMPV6_MGM_QUERY     = 130
	ICMPV6_MGM_REPORT    = 131 // version 1
	ICMPV6_MGM_REDUCTION = 132 // version 1: done
	ICMPV6_MLD2_REPORT   = 143
)

// MLD is a report of version 1 or a done message.
type MLD struct {
	Type  uint8
	Group Addr
}

// ParseMLD parses a report of version 1 or a done message; for the other types,
// which are ErrVersion, see ParseMLDQuery and ParseMLDReport.
func ParseMLD(b []byte) (m MLD, err error) {
	if len(b) < MLDLen {
		return m, ErrShort
	}
	m = MLD{b[icmpType], addr6(b[mldGroup:])}
	if m.Type != ICMPV6_MGM_REPORT && m.Type != ICMPV6_MGM_REDUCTION {
		return m, ErrVersion
	}
	if !m.Group.IsMulticast() || m.Group.Is4() {
		return m, ErrAddress
	}
	return m, nil
}

// Len is the length of the message.
func (m MLD) Len() int { return MLDLen }

// Put writes the message, without a checksum.
func (m MLD) Put(b []byte) int {
	_ = b[:MLDLen]
	putICMP(b, m.Type, 0, 0)
	m.Group.put16(b[mldGroup:])
	return MLDLen
}

// ParseMLDQuery parses a query. Its length tells the version (RFC 3810 section
// 8.1).
func ParseMLDQuery(b []byte) (q GroupQuery, err error) {
	if len(b) < MLDLen {
		return q, ErrShort
	}
	if b[icmpType] != ICMPV6_MGM_QUERY {
		return q, ErrVersion
	}
	q.Group = addr6(b[mldGroup:])
	if q.Group.Is4() || !q.Group.IsMulticast() && !q.Group.IsUnspecified() {
		return q, ErrAddress
	}
	code := uint32(be.Uint16(b[mldMaxResp:]))
	switch {
	case len(b) == MLDLen:
		q.Version, q.MaxResp = 1, time.Duration(code)*time.Millisecond
		return q, nil
	case len(b) < mldTail+queryTail:
		return q, ErrLength
	}
	q.Version, q.MaxResp = 2, time.Duration(decodeTime(code, longMantissa))*time.Millisecond
	return q, q.parseTail(b[mldTail:])
}

// MLDLen is the length of the query as MLD.
func (q *GroupQuery) MLDLen() int {
	if q.Version < 2 {
		return MLDLen
	}
	return mldTail + queryTail + len(q.Sources)
}

// PutMLD writes the query as MLD, without a checksum.
func (q *GroupQuery) PutMLD(b []byte) int {
	b = b[:q.MLDLen()]
	putICMP(b, ICMPV6_MGM_QUERY, 0, 0)
	q.Group.put16(b[mldGroup:])
	ms := uint32(q.MaxResp / time.Millisecond)
	if q.Version < 2 {
		be.PutUint16(b[mldMaxResp:], uint16(min(ms, 1<<16-1)))
		return len(b)
	}
	be.PutUint16(b[mldMaxResp:], uint16(encodeTime(ms, longMantissa)))
	q.putTail(b[mldTail:])
	return len(b)
}

// ParseMLDReport parses a report of version 2.
func ParseMLDReport(b []byte) (GroupRecords, error) {
	if len(b) < mldRecords {
		return GroupRecords{}, ErrShort
	}
	if b[icmpType] != ICMPV6_MLD2_REPORT {
		return GroupRecords{}, ErrVersion
	}
	return parseRecords(b[mldRecords:], int(be.Uint16(b[mldCount:])), 16)
}

// MLDReportLen is the length of a report of version 2.
func MLDReportLen(records []GroupRecord) int { return IGMPReportLen(records) }

// PutMLDReport writes a report of version 2, without a checksum.
func PutMLDReport(b []byte, records []GroupRecord) int {
	putICMP(b, ICMPV6_MLD2_REPORT, 0, uint32(len(records)))
	n := mldRecords
	for i := range records {
		n += records[i].put(b[n:])
	}
	return n
}
