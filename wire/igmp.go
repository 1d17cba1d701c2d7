package wire

import "time"

// IGMP: RFC 3376 section 4 for version 3, RFC 2236 section 2 and RFC 1112 for
// the older messages, which are eight bytes long.
const (
	igmpType     = 0
	igmpMaxResp  = 1 // in units of 100 ms
	igmpChecksum = 2
	igmpGroup    = 4
	igmpTail     = 8 // of a query of version 3
	igmpCount    = 6 // of a report of version 3
	igmpRecords  = 8

	// IGMPLen is the length of the messages before version 3.
	IGMPLen = 8

	igmpTick   = 100 * time.Millisecond
	igmpV1Resp = 10 * time.Second // what version 1 takes in place of a zero (RFC 2236 section 4)
)

// The types (linux/igmp.h).
const (
	IGMP_HOST_MEMBERSHIP_QUERY    = 0x11
	IGMP_HOST_MEMBERSHIP_REPORT   = 0x12 // version 1
	IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16
	IGMP_HOST_LEAVE_MESSAGE       = 0x17
	IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22
)

// IGMP is a report of version 1 or 2 or a leave message.
type IGMP struct {
	Type  uint8
	Group Addr
}

// checkIGMP checks what all messages have alike.
func checkIGMP(b []byte) error {
	if len(b) < IGMPLen {
		return ErrShort
	}
	if !Sum(0).Add(b).Valid() {
		return ErrChecksum
	}
	return nil
}

// ParseIGMP parses a report of version 1 or 2 or a leave message; for the other
// types, which are ErrVersion, see ParseIGMPQuery and ParseIGMPReport.
func ParseIGMP(b []byte) (m IGMP, err error) {
	if err := checkIGMP(b); err != nil {
		return m, err
	}
	m = IGMP{b[igmpType], addr4(b[igmpGroup:])}
	switch m.Type {
	case IGMP_HOST_MEMBERSHIP_REPORT, IGMPV2_HOST_MEMBERSHIP_REPORT, IGMP_HOST_LEAVE_MESSAGE:
	default:
		return m, ErrVersion
	}
	if !m.Group.IsMulticast() {
		return m, ErrAddress
	}
	return m, nil
}

// Len is the length of the message.
func (m IGMP) Len() int { return IGMPLen }

// Put writes the message with its checksum.
func (m IGMP) Put(b []byte) int {
	b = b[:IGMPLen]
	b[igmpType], b[igmpMaxResp] = m.Type, 0
	m.Group.put4(b[igmpGroup:])
	fillIGMP(b)
	return IGMPLen
}

// ParseIGMPQuery parses a query. Its length and its response time tell the
// version (RFC 3376 section 7.1).
func ParseIGMPQuery(b []byte) (q GroupQuery, err error) {
	if err := checkIGMP(b); err != nil {
		return q, err
	}
	if b[igmpType] != IGMP_HOST_MEMBERSHIP_QUERY {
		return q, ErrVersion
	}
	q.Group = addr4(b[igmpGroup:])
	if !q.Group.IsMulticast() && !q.Group.IsUnspecified() {
		return q, ErrAddress
	}
	code := uint32(b[igmpMaxResp])
	switch {
	case len(b) == IGMPLen && code == 0:
		q.Version, q.MaxResp = 1, igmpV1Resp
		return q, nil
	case len(b) == IGMPLen:
		q.Version, q.MaxResp = 2, time.Duration(code)*igmpTick
		return q, nil
	case len(b) < igmpTail+queryTail:
		return q, ErrLength
	}
	q.Version, q.MaxResp = 3, time.Duration(decodeTime(code, shortMantissa))*igmpTick
	return q, q.parseTail(b[igmpTail:])
}

// IGMPLen is the length of the query as IGMP.
func (q *GroupQuery) IGMPLen() int {
	if q.Version < 3 {
		return IGMPLen
	}
	return igmpTail + queryTail + len(q.Sources)
}

// PutIGMP writes the query as IGMP, with its checksum.
func (q *GroupQuery) PutIGMP(b []byte) int {
	b = b[:q.IGMPLen()]
	ticks := uint32(q.MaxResp / igmpTick)
	b[igmpType] = IGMP_HOST_MEMBERSHIP_QUERY
	q.Group.put4(b[igmpGroup:])
	switch q.Version {
	case 1:
		b[igmpMaxResp] = 0
	case 2:
		b[igmpMaxResp] = byte(min(ticks, 255))
	default:
		b[igmpMaxResp] = byte(encodeTime(ticks, shortMantissa))
		q.putTail(b[igmpTail:])
	}
	fillIGMP(b)
	return len(b)
}

// ParseIGMPReport parses a report of version 3.
func ParseIGMPReport(b []byte) (GroupRecords, error) {
	if err := checkIGMP(b); err != nil {
		return GroupRecords{}, err
	}
	if b[igmpType] != IGMPV3_HOST_MEMBERSHIP_REPORT {
		return GroupRecords{}, ErrVersion
	}
	return parseRecords(b[igmpRecords:], int(be.Uint16(b[igmpCount:])), 4)
}

// IGMPReportLen is the length of a report of version 3.
func IGMPReportLen(records []GroupRecord) int {
	n := igmpRecords
	for i := range records {
		n += records[i].length()
	}
	return n
}

// PutIGMPReport writes a report of version 3 with its checksum.
func PutIGMPReport(b []byte, records []GroupRecord) int {
	b = b[:IGMPReportLen(records)]
	clear(b[:igmpRecords])
	b[igmpType] = IGMPV3_HOST_MEMBERSHIP_REPORT
	be.PutUint16(b[igmpCount:], uint16(len(records)))
	n := igmpRecords
	for i := range records {
		n += records[i].put(b[n:])
	}
	fillIGMP(b)
	return n
}

func fillIGMP(b []byte) {
	be.PutUint16(b[igmpChecksum:], 0)
	be.PutUint16(b[igmpChecksum:], Sum(0).Add(b).Checksum())
}
