package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"sockeye/wire"
)

const (
	igmpQueryHex = `
		11 80 00 00 e0 00 00 fb  // query; 12.8 s; 224.0.0.251
		0a 8f 00 02              // suppress, robustness 2; 248 s; 2 sources
		0a 00 00 01 0a 00 00 02`
	igmpReportHex = `
		22 00 00 00 00 00 00 02  // report of version 3; 2 records
		04 00 00 00 e0 00 00 fb  // 224.0.0.251 changes to exclude nothing: a join
		06 00 00 01 ef 01 02 03  // 239.1.2.3 blocks one source
		0a 00 00 01`
	igmpLeaveHex = `17 00 00 00 e0 00 00 fb`

	mldQueryHex = `
		82 00 00 00 90 01 00 00  // query; (1001h << 4) ms
		ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 fb
		02 7d 00 01              // robustness 2; 125 s; 1 source
		20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01`
	mldReportHex = `
		8f 00 00 00 00 00 00 01  // report of version 2; 1 record
		01 00 00 01 ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 fb  // includes one source
		20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01`
	mldDoneHex = `
		84 00 00 00 00 00 00 00
		ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 fb`
)

// sealIGMP writes the checksum by the slow sum.
func sealIGMP(b []byte) []byte {
	if len(b) >= 4 {
		binary.BigEndian.PutUint16(b[2:], 0)
		binary.BigEndian.PutUint16(b[2:], ^slowSum(b))
	}
	return b
}

func putIGMPQuery(q wire.GroupQuery, b []byte) int { return q.PutIGMP(b) }
func putMLDQuery(q wire.GroupQuery, b []byte) int  { return q.PutMLD(b) }

func TestGroupQueriesAreParsedAndBuilt(t *testing.T) {
	parseIGMP := func(b []byte) (wire.GroupQuery, error) { return wire.ParseIGMPQuery(b) }
	checkVectors(t, parseIGMP, putIGMPQuery, []vector[wire.GroupQuery]{
		{"IGMPv1", "11 00 ee ff 00 00 00 00", wire.GroupQuery{Version: 1, Group: addr("0.0.0.0"), MaxResp: 10 * time.Second}},
		{"IGMPv2", "11 0a ee f5 00 00 00 00", wire.GroupQuery{Version: 2, Group: addr("0.0.0.0"), MaxResp: time.Second}},
		// 1180 + e000 + 00fb + 0a8f + 0002 + 0a00 + 0001 + 0a00 + 0002 = 1110f, folded 1110
		{"IGMPv3", string(bytes.Replace([]byte(igmpQueryHex), []byte("11 80 00 00"), []byte("11 80 ee ef"), 1)), wire.GroupQuery{
			Version: 3, Group: addr("224.0.0.251"), MaxResp: 12800 * time.Millisecond, Suppress: true, Robustness: 2,
			Interval: 248 * time.Second, Sources: unhex("0a000001 0a000002")}},
	})
	checkVectors(t, wire.ParseMLDQuery, putMLDQuery, []vector[wire.GroupQuery]{
		{"MLDv1", "82000000 03e80000 00000000 00000000 00000000 00000000",
			wire.GroupQuery{Version: 1, MaxResp: time.Second}},
		{"MLDv2", mldQueryHex, wire.GroupQuery{
			Version: 2, Group: addr("ff02::fb"), MaxResp: 0x1001 << 4 * time.Millisecond, Robustness: 2,
			Interval: 125 * time.Second, Sources: unhex("20010db8000000000000000000000001")}},
	})
	q, _ := wire.ParseIGMPQuery(sealIGMP(unhex(igmpQueryHex)))
	if q.NumSources() != 2 || q.Source(1) != addr("10.0.0.2") {
		t.Errorf("%d sources, the second %v", q.NumSources(), q.Source(1))
	}
}

func TestGroupReportsAreParsedAndBuilt(t *testing.T) {
	group, other := addr("224.0.0.251"), addr("239.1.2.3")
	join := []wire.GroupRecord{
		{Type: wire.IGMPV3_CHANGE_TO_EXCLUDE, Group: group},
		{Type: wire.IGMPV3_BLOCK_OLD_SOURCES, Group: other, Sources: addr("10.0.0.1").Append(nil)},
	}
	want := sealIGMP(unhex(igmpReportHex))
	b := dirty(wire.IGMPReportLen(join))
	if wire.PutIGMPReport(b, join); !bytes.Equal(b, want) {
		t.Errorf("IGMPv3: built %x, want %x", b, want)
	}
	records, err := wire.ParseIGMPReport(want)
	if err != nil || records.Len() != 2 {
		t.Fatalf("%d records, %v", records.Len(), err)
	}
	first, _ := records.Next()
	second, ok := records.Next()
	if first.Group != group || first.NumSources() != 0 || !ok || second.Type != wire.IGMPV3_BLOCK_OLD_SOURCES ||
		second.Group != other || second.NumSources() != 1 || second.Source(0) != addr("10.0.0.1") {
		t.Errorf("%+v, %+v", first, second)
	}
	if _, ok := records.Next(); ok {
		t.Error("a third record")
	}

	listen := []wire.GroupRecord{{
		Type: wire.IGMPV3_MODE_IS_INCLUDE, Group: addr("ff02::fb"), Sources: addr("2001:db8::1").Append(nil),
	}}
	b = dirty(wire.MLDReportLen(listen))
	if wire.PutMLDReport(b, listen); !bytes.Equal(b, unhex(mldReportHex)) {
		t.Errorf("MLDv2: built %x, want %x", b, unhex(mldReportHex))
	}
	records, err = wire.ParseMLDReport(b)
	rec, ok := records.Next()
	if err != nil || !ok || rec.Group != addr("ff02::fb") || rec.Source(0) != addr("2001:db8::1") {
		t.Errorf("%+v, %v", rec, err)
	}
}

func TestOldGroupMessagesAreParsedAndBuilt(t *testing.T) {
	checkVectors(t, wire.ParseIGMP, func(m wire.IGMP, b []byte) int { return m.Put(b) }, []vector[wire.IGMP]{
		{"leave", "17 00 08 04 e0 00 00 fb", wire.IGMP{Type: wire.IGMP_HOST_LEAVE_MESSAGE, Group: addr("224.0.0.251")}},
		{"report of version 2", "16 00 09 04 e0 00 00 fb", wire.IGMP{Type: wire.IGMPV2_HOST_MEMBERSHIP_REPORT, Group: addr("224.0.0.251")}},
	})
	checkVectors(t, wire.ParseMLD, func(m wire.MLD, b []byte) int { return m.Put(b) }, []vector[wire.MLD]{
		{"done", mldDoneHex, wire.MLD{Type: wire.ICMPV6_MGM_REDUCTION, Group: addr("ff02::fb")}},
	})
}

// igmpSealed gives an IGMP parser messages whose checksum is right.
func igmpSealed(edits []refusal) []refusal {
	for i, r := range edits {
		edits[i].edit = func(b []byte) []byte { return sealIGMP(r.edit(b)) }
	}
	return edits
}

func TestIGMPRefusals(t *testing.T) {
	query := func(b []byte) error { _, err := wire.ParseIGMPQuery(b); return err }
	checkRefusals(t, sealIGMP(unhex(igmpQueryHex)), query, igmpSealed([]refusal{
		{"a query of seven bytes is short", cut(7), wire.ErrShort},
		{"a query between two versions is refused", cut(11), wire.ErrLength},
		{"a query less a source is truncated", cut(19), wire.ErrTruncated},
		{"a query of a unicast address is refused", set(4, 10), wire.ErrAddress},
		{"a report is no query", set(0, 0x22), wire.ErrVersion},
	}))
	report := func(b []byte) error { _, err := wire.ParseIGMPReport(b); return err }
	checkRefusals(t, sealIGMP(unhex(igmpReportHex)), report, igmpSealed([]refusal{
		{"a report of seven bytes is short", cut(7), wire.ErrShort},
		{"a report less a record is truncated", set(7, 3), wire.ErrTruncated},
		{"a record less a source is truncated", cut(27), wire.ErrTruncated},
		{"a record with auxiliary data past the end is truncated", set(17, 1), wire.ErrTruncated},
		{"a record of a unicast address is refused", set(12, 10), wire.ErrAddress},
		{"a query is no report", set(0, 0x11), wire.ErrVersion},
		{"a report with fewer records than bytes is taken", set(7, 1), nil},
	}))
	old := func(b []byte) error { _, err := wire.ParseIGMP(b); return err }
	checkRefusals(t, sealIGMP(unhex(igmpLeaveHex)), old, igmpSealed([]refusal{
		{"a leave message of seven bytes is short", cut(7), wire.ErrShort},
		{"a leave message of a unicast address is refused", set(4, 10), wire.ErrAddress},
		{"an unknown type is refused", set(0, 0x13), wire.ErrVersion},
	}))
	for name, parse := range map[string]func([]byte) error{igmpQueryHex: query, igmpReportHex: report, igmpLeaveHex: old} {
		if err := parse(set(3, 0x55)(sealIGMP(unhex(name)))); err != wire.ErrChecksum {
			t.Errorf("a wrong checksum: %v", err)
		}
	}
}

func TestMLDRefusals(t *testing.T) {
	query := func(b []byte) error { _, err := wire.ParseMLDQuery(b); return err }
	checkRefusals(t, unhex(mldQueryHex), query, []refusal{
		{"a query less a byte is short", cut(23), wire.ErrShort},
		{"a query between two versions is refused", cut(27), wire.ErrLength},
		{"a query less a source is truncated", cut(43), wire.ErrTruncated},
		{"a query of a unicast address is refused", set(8, 0xfe, 0x80), wire.ErrAddress},
		{"a report is no query", set(0, 143), wire.ErrVersion},
	})
	report := func(b []byte) error { _, err := wire.ParseMLDReport(b); return err }
	checkRefusals(t, unhex(mldReportHex), report, []refusal{
		{"a report less a byte is short", cut(7), wire.ErrShort},
		{"a record less a source is truncated", cut(43), wire.ErrTruncated},
		{"a report less a record is truncated", set(6, 0xff, 0xff), wire.ErrTruncated},
		{"a record of a unicast address is refused", set(12, 0xfe, 0x80), wire.ErrAddress},
		{"a query is no report", set(0, 130), wire.ErrVersion},
	})
	old := func(b []byte) error { _, err := wire.ParseMLD(b); return err }
	checkRefusals(t, unhex(mldDoneHex), old, []refusal{
		{"a done message less a byte is short", cut(23), wire.ErrShort},
		{"a done message of a unicast address is refused", set(8, 0xfe, 0x80), wire.ErrAddress},
		{"an echo is no done message", set(0, 128), wire.ErrVersion},
	})
}

// The numbers of RFC 3376 section 4.1.1 and RFC 3810 section 5.1.3: each code
// stands for itself, and a time between two codes becomes the shorter.
func TestQueryTimesAreSmallFloats(t *testing.T) {
	for code := range 256 {
		b := sealIGMP(set(1, byte(code))(unhex(igmpQueryHex)))
		q, err := wire.ParseIGMPQuery(b)
		want := time.Duration(code)
		if code >= 128 {
			want = time.Duration(code&15|16) << (code>>4&7 + 3)
		}
		if err != nil || q.MaxResp != want*100*time.Millisecond {
			t.Fatalf("code %d: %v, %v", code, q.MaxResp, err)
		}
		built := dirty(q.IGMPLen())
		if q.PutIGMP(built); built[1] != byte(code) {
			t.Fatalf("code %d is built as %d", code, built[1])
		}
		if q.MaxResp += 99 * time.Millisecond; code < 255 {
			if q.PutIGMP(built); built[1] != byte(code) {
				t.Fatalf("a little more than code %d is built as %d", code, built[1])
			}
		}
	}
	q := wire.GroupQuery{Version: 3, Group: addr("224.0.0.1"), MaxResp: time.Hour * 24, Interval: time.Hour * 24}
	b := dirty(q.IGMPLen())
	if q.PutIGMP(b); b[1] != 255 || b[9] != 255 {
		t.Errorf("a day is built as %d and %d, not as the longest time", b[1], b[9])
	}
	q.Version = 2
	if q.PutMLD(dirty(q.MLDLen())); q.MLDLen() != 28 {
		t.Errorf("%d bytes", q.MLDLen())
	}
}

func FuzzIGMPQuery(f *testing.F) {
	parse := func(b []byte) (wire.GroupQuery, error) { return wire.ParseIGMPQuery(sealIGMP(bytes.Clone(b))) }
	fuzz(f, parse, func(q wire.GroupQuery) int { return q.IGMPLen() }, putIGMPQuery, nil,
		unhex(igmpQueryHex), unhex("1100000000000000"), unhex("110a000000000000"))
}

func FuzzMLDQuery(f *testing.F) {
	fuzz(f, wire.ParseMLDQuery, func(q wire.GroupQuery) int { return q.MLDLen() }, putMLDQuery, nil, unhex(mldQueryHex))
}

func FuzzIGMP(f *testing.F) {
	parse := func(b []byte) (wire.IGMP, error) { return wire.ParseIGMP(sealIGMP(bytes.Clone(b))) }
	fuzz(f, parse, wire.IGMP.Len, func(m wire.IGMP, b []byte) int { return m.Put(b) }, nil, unhex(igmpLeaveHex))
}

func FuzzMLD(f *testing.F) {
	fuzz(f, wire.ParseMLD, wire.MLD.Len, func(m wire.MLD, b []byte) int { return m.Put(b) }, nil, unhex(mldDoneHex))
}

// all reads the records, which were counted before.
func all(r wire.GroupRecords, err error) ([]wire.GroupRecord, error) {
	var records []wire.GroupRecord
	for n := r.Len(); n > 0; n-- {
		rec, ok := r.Next()
		if !ok {
			panic("a record that was checked is not there")
		}
		records = append(records, rec)
	}
	return records, err
}

func FuzzIGMPReport(f *testing.F) {
	parse := func(b []byte) ([]wire.GroupRecord, error) { return all(wire.ParseIGMPReport(sealIGMP(bytes.Clone(b)))) }
	fuzz(f, parse, wire.IGMPReportLen, func(r []wire.GroupRecord, b []byte) int { return wire.PutIGMPReport(b, r) }, nil,
		unhex(igmpReportHex))
}

func FuzzMLDReport(f *testing.F) {
	parse := func(b []byte) ([]wire.GroupRecord, error) { return all(wire.ParseMLDReport(b)) }
	fuzz(f, parse, wire.MLDReportLen, func(r []wire.GroupRecord, b []byte) int { return wire.PutMLDReport(b, r) }, nil,
		unhex(mldReportHex))
}
