package inet

import (
	"maps"
	"slices"
	"time"

	"sockeye/event"
	"sockeye/packet"
	"sockeye/wire"
)

var (
	allHosts   = wire.AddrFrom4([4]byte{224, 0, 0, 1})
	allNodes   = wire.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 1})
	allNodesIf = wire.AddrFrom16([16]byte{0: 0xff, 1: 1, 15: 1})

	igmpReports = wire.AddrFrom4([4]byte{224, 0, 0, 22})             // RFC 3376 section 4.2.14
	mldReports  = wire.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x16}) // RFC 3810 section 5.2.14
)

const (
	robustness  = 2           // reports of a change
	reportEvery = time.Second // at most, at random
)

// member tells whether the interface takes packets for the group.
func (i *Iface) member(group wire.Addr) bool {
	if group == allHosts || group == allNodes || group == allNodesIf || i.groups[group] > 0 {
		return true
	}
	if group.Is4() {
		return false
	}
	if group == allRouters && i.auto != nil && i.auto.advert != nil || i.tentative(group) {
		return true
	}
	for _, a := range i.Addrs {
		if !a.IP.Is4() && a.IP.SolicitedNode() == group {
			return true
		}
	}
	return false
}

// joined are the groups that sockets are in.
func (i *Iface) joined() []wire.Addr {
	return slices.SortedFunc(maps.Keys(i.groups), func(a, b wire.Addr) int { return a.Netip().Compare(b.Netip()) })
}

// join counts one more socket that is in the group, and leave one less. The first and
// the last are reported.
func (i *Iface) join(group wire.Addr) {
	i.groups[group]++
	if i.groups[group] == 1 {
		i.report(group, wire.IGMPV3_CHANGE_TO_EXCLUDE)
	}
}

func (i *Iface) leave(group wire.Addr) {
	i.groups[group]--
	if i.groups[group] == 0 {
		delete(i.groups, group)
		i.report(group, wire.IGMPV3_CHANGE_TO_INCLUDE)
	}
}

// A report is one that is due later.
type report struct {
	event.Event
	iface *Iface
	group wire.Addr
	typ   wire.RecordType
	left  int
}

// report tells routers of a change, now and once more within a second (RFC 3376
// section 5.1, RFC 3810 section 6.1). What does not leave the link is not reported.
func (i *Iface) report(group wire.Addr, typ wire.RecordType) {
	if !i.props.Ethernet || group == allHosts || group == allNodes || group == allNodesIf {
		return
	}
	i.sendReport(group, typ)
	i.later(&report{iface: i, group: group, typ: typ, left: robustness - 1}, reportEvery)
}

// later sends a report at a random time within d.
func (i *Iface) later(r *report, d time.Duration) {
	s := i.stack
	if old := i.due[r.group]; old != nil {
		s.loop.Cancel(&old.Event)
	}
	delete(i.due, r.group)
	if r.left == 0 {
		return
	}
	r.Handler = r
	i.due[r.group] = r
	s.schedule(s.loop.Now().Add(time.Duration(s.rand.Int64N(int64(d)+1))), &r.Event)
}

// Handle implements event.Handler.
func (r *report) Handle(event.Time, any) {
	i := r.iface
	s := i.stack
	s.host.Lock()
	defer s.host.Unlock()
	if i.due[r.group] != r {
		return
	}
	r.left--
	if joined := i.groups[r.group] > 0; i.Up && joined != (r.typ == wire.IGMPV3_CHANGE_TO_INCLUDE) {
		i.sendReport(r.group, r.typ)
	}
	i.later(r, reportEvery)
	s.host.Pending = false
}

func (i *Iface) sendReport(group wire.Addr, typ wire.RecordType) {
	records := []wire.GroupRecord{{Type: typ, Group: group}}
	dst := igmpReports
	if !group.Is4() {
		dst = mldReports
	}
	src, ok := i.source(dst)
	if !ok {
		return
	}
	b := make([]byte, wire.IGMPReportLen(records))
	h := header{src: src, dst: dst, ttl: 1}
	p := packet.NewPacket()
	p.Sum = packet.SumGood
	if group.Is4() {
		wire.PutIGMPReport(b, records)
		h.proto, h.options, h.tos = wire.IPPROTO_IGMP, &ipOptions{data: wire.RouterAlertIPv4}, 0xc0
		copy(p.Push(len(b)), b)
	} else {
		wire.PutMLDReport(b, records)
		wire.FillICMPv6(b, wire.PseudoSum(src, dst, wire.IPPROTO_ICMPV6, len(b)))
		copy(p.Push(len(b)), b)
		wire.PutRouterAlert(p.Push(wire.RouterAlertIPv6Len), wire.IPPROTO_ICMPV6)
		h.proto = wire.IPPROTO_HOPOPTS
		i.stack.Counters.ICMP6.sent(wire.ICMPV6_MLD2_REPORT)
	}
	i.stack.putHeader(p, &h, p.Len())
	i.sendFrame(p, dst, multicast)
}

// igmpInput answers a query (RFC 3376 section 5.2).
func (i *Iface) igmpInput(p *packet.Packet) {
	i.stack.scratch = p.AppendTo(i.stack.scratch[:0])
	if q, err := wire.ParseIGMPQuery(i.stack.scratch); err == nil {
		i.queried(&q, allHosts)
	}
}

// queried answers a query for one group or all of the family. A group for which a
// report is due already is not reported twice.
func (i *Iface) queried(q *wire.GroupQuery, family wire.Addr) {
	for _, group := range i.joined() {
		if group.Is4() == family.Is4() && (q.Group.IsUnspecified() || q.Group == group) && i.due[group] == nil {
			i.later(&report{iface: i, group: group, typ: wire.IGMPV3_MODE_IS_EXCLUDE, left: 1}, q.MaxResp)
		}
	}
}
