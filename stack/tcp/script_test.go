package tcp_test

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"sockeye/packet"
	"sockeye/stack/tcp"
	"sockeye/wire"
)

// A scenario is a script of calls and segments with their times. Each line is
//
//	TIME < SEGMENT    the peer sends a segment
//	TIME > SEGMENT    we must send this segment, at exactly this time, and no other before
//	TIME CALL [= RESULT]
//	TIME ? WHAT VALUE a field of TCP_INFO, a counter, or "state", "err", "events"
//
// TIME is in seconds, absolute or, with a plus sign, after the line before. A segment is written like
// tcpdump: flags, FROM:TO of its sequence numbers (or FROM alone), "ack N", "win N", "urg N",
// "ecn ce", and options in angle brackets. Numbers count from the initial ones. On a ">" line what is
// not written is not compared, but for flags, sequence numbers, the acknowledgement and options.
//
// At time 0 the script begins in ESTABLISHED, after an active open with a round trip of rtt, unless open
// says otherwise.
type scenario struct {
	name     string
	open     string  // options of the peer's SYN-ACK; "" for peerOptions; "none"; "closed": not opened at all
	win      int     // of the peer's handshake; 0: 65535
	rtt      float64 // 0: 0.1
	settings func(*tcp.Settings)
	config   tcp.Config
	connect  tcp.ConnectOptions
	script   string
}

const peerOptions = "mss 1460,sackOK,wscale 7"

// oracle plays a scenario on the kernel instead; see kernel_test.go.
var oracle func(*testing.T, *scenario)

func run(t *testing.T, list []scenario) {
	t.Helper()
	for _, sc := range list {
		t.Run(strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			if oracle != nil {
				oracle(t, &sc)
				return
			}
			p := newPlayer(t, &sc)
			if sc.open != "closed" {
				p.handshake()
			}
			p.play(sc.script)
		})
	}
}

// A player is the host and the peer of a scenario.
type player struct {
	*testing.T
	sc        *scenario
	h         *tcp.Host
	cfg       tcp.Config
	flow      tcp.Flow
	conn      *tcp.Conn
	req       *tcp.Request
	tw        *tcp.TimeWait
	listening bool
	cookies   bool
	fastOpen  bool
	now, zero tcp.Time
	line      string
	out       []arrival
	iss, irs  wire.Seq
	tick      uint32 // our timestamp clock at time 0
	readBytes int
	wrote     int
}

type arrival struct {
	at  tcp.Time
	seg tcp.Segment
}

const (
	iss  = wire.Seq(1<<32 - 3000) // so that sequence numbers wrap
	peer = wire.Seq(1<<31 - 2000)
	tick = 5_000_000 // of the timestamp clock at time 0

	start = 1000 * tcp.Second
)

func newPlayer(t *testing.T, sc *scenario) *player {
	p := &player{T: t, sc: sc, h: tcp.NewHost(tcp.Key{1, 2, 3}), cfg: sc.config, now: start, zero: start, iss: iss, irs: peer, tick: tick}
	if sc.settings != nil {
		sc.settings(&p.h.Settings)
	}
	p.flow = tcp.Flow{Local: netip.MustParseAddrPort("192.0.2.1:40000"), Remote: netip.MustParseAddrPort("192.0.2.2:80")}
	return p
}

func (p *player) connect() {
	o := p.sc.connect
	o.ISN = iss
	o.TSOffset = tick - uint32(p.zero/tcp.Millisecond)
	p.conn = p.h.Connect(p.now, &p.cfg, &o)
	p.collect()
}

// handshake opens the connection so that it is established at time 0.
func (p *player) handshake() {
	rtt := p.sc.rtt
	if rtt == 0 {
		rtt = 0.1
	}
	p.now -= seconds(rtt)
	p.connect()
	p.now = p.zero
	p.out = nil
	options, win := p.sc.open, p.sc.win
	if options == "" {
		options = peerOptions
	}
	if options == "none" {
		options = ""
	}
	if win == 0 {
		win = 65535
	}
	flags := "S."
	if strings.HasPrefix(options, "ecn ") {
		flags, options = "SE.", options[4:]
	}
	p.arrive(fmt.Sprintf("%s 0 ack 1 win %d <%s>", flags, win, options))
	p.out = nil
	p.conn.Events()
}

func seconds(s float64) tcp.Time { return tcp.Time(s*1e9 + 0.5) }

func (p *player) fail(format string, args ...any) {
	p.Helper()
	p.Fatalf("%s\n\tat: %s", fmt.Sprintf(format, args...), p.line)
}

func (p *player) play(script string) {
	for _, line := range strings.Split(script, "\n") {
		if line, _, _ = strings.Cut(line, "//"); strings.TrimSpace(line) == "" {
			continue
		}
		p.line = strings.TrimSpace(line)
		when, rest, _ := strings.Cut(p.line, " ")
		rest = strings.TrimSpace(rest)
		f, err := strconv.ParseFloat(when, 64)
		if err != nil {
			p.fail("%q is not a time", when)
		}
		at := p.zero + seconds(f)
		if when[0] == '+' {
			at = p.now + seconds(f)
		}
		if arg, ok := strings.CutPrefix(rest, "> "); ok {
			p.expect(at, strings.TrimSpace(arg))
			continue
		}
		p.runTimers(at)
		p.nothingSent()
		if arg, ok := strings.CutPrefix(rest, "< "); ok {
			p.arrive(strings.TrimSpace(arg))
		} else if arg, ok := strings.CutPrefix(rest, "? "); ok {
			p.check(strings.Fields(arg))
		} else {
			p.call(rest)
		}
	}
	p.nothingSent()
}

func (p *player) deadline() tcp.Time {
	switch {
	case p.tw != nil:
		return p.tw.Deadline
	case p.conn != nil:
		return p.conn.Deadline()
	case p.req != nil:
		return p.req.Deadline()
	}
	return 0
}

// runTimers lets time pass up to at.
func (p *player) runTimers(at tcp.Time) {
	for len(p.out) == 0 && p.step(at) {
	}
	if len(p.out) == 0 {
		p.now = max(p.now, at)
	}
}

func (p *player) step(until tcp.Time) bool {
	d := p.deadline()
	if d == 0 || d > until {
		return false
	}
	p.now = max(d, p.now)
	switch {
	case p.tw != nil:
		p.tw = nil
	case p.conn != nil:
		p.conn.Timeout(p.now)
	case p.req != nil:
		if p.req.Timeout(p.h, p.now, &p.cfg) == tcp.Abandoned {
			p.req = nil
		}
	}
	p.collect()
	return true
}

// collect takes what was sent.
func (p *player) collect() {
	for _, s := range p.h.Out {
		p.out = append(p.out, arrival{p.now, s})
	}
	p.h.Out = p.h.Out[:0]
	if p.conn != nil {
		if tw, ok := p.conn.TimeWait(); ok {
			p.tw = &tw
		}
		p.invariants()
	}
}

func (p *player) nothingSent() {
	if len(p.out) > 0 {
		p.fail("unexpected segment at %s: %s", p.stamp(p.out[0].at), p.text(&p.out[0].seg))
	}
}

func (p *player) stamp(t tcp.Time) string {
	return strconv.FormatFloat(float64(t-p.zero)/1e9, 'f', 6, 64)
}

// arrive gives the host a segment of the peer.
func (p *player) arrive(text string) {
	s := p.parse(text)
	switch {
	case p.tw != nil:
		switch v, _ := p.tw.Input(p.h, p.now, &s); v {
		case tcp.Forget:
			p.tw = nil
		case tcp.Reuse:
			p.tw, p.conn, p.listening = nil, nil, true
			s.Payload.Release()
		}
	case p.conn != nil:
		p.conn.Input(p.now, &s)
	case p.req != nil:
		switch p.req.Input(p.h, p.now, &p.cfg, &s) {
		case tcp.Complete:
			p.conn = p.req.Accept(p.h, p.now, &p.cfg, &s)
			p.req = nil
		case tcp.Abandoned:
			p.req = nil
		}
	case p.listening && s.Flags&(tcp.SYN|tcp.ACK|tcp.RST) == tcp.SYN:
		p.syn(&s)
	case p.listening && p.cookies:
		if p.conn = p.h.FromCookie(p.now, &p.cfg, p.flow, &s); p.conn == nil {
			p.h.Reset(p.now, &s)
		}
	default:
		p.h.Reset(p.now, &s)
	}
	p.collect()
}

func (p *player) syn(s *tcp.Segment) {
	offset := tick - uint32(p.zero/tcp.Millisecond)
	if p.cookies {
		p.h.SYNCookie(p.now, &p.cfg, p.flow, s)
		return
	}
	r := p.h.NewRequest(p.now, &p.cfg, s, iss, offset)
	if p.fastOpen {
		p.h.FastOpen = 3
		if r.FastOpen(p.h, p.flow, s) {
			p.conn = r.AcceptFastOpen(p.h, p.now, &p.cfg, s)
			return
		}
	}
	p.req = &r
	p.req.SYNACK(p.h, p.now, &p.cfg)
	s.Payload.Release()
}

// expect compares the next segment with what the script wants.
func (p *player) expect(at tcp.Time, want string) {
	p.Helper()
	p.runTimers(at)
	if len(p.out) == 0 {
		p.fail("nothing was sent by %s", p.stamp(at))
	}
	got := p.out[0]
	p.out = p.out[1:]
	g := p.fields(p.text(&got.seg))
	k := p.h.FastOpenCookie(p.flow)
	want = strings.ReplaceAll(want, "COOKIE", fmt.Sprintf("%x", k.B[:k.Len]))
	w := p.fields(p.canonical(want))
	if got.at != at {
		p.fail("sent at %s, want %s: %s", p.stamp(got.at), p.stamp(at), p.text(&got.seg))
	}
	for _, key := range []string{"flags", "seq", "ack", "options", "win", "urg", "ecn"} {
		if _, given := w[key]; !given && (key == "win" || key == "ecn") {
			continue
		}
		if g[key] != w[key] {
			p.fail("%s is %q, want %q\n\tsent: %s", key, g[key], w[key], p.text(&got.seg))
		}
	}
	got.seg.Payload.Release()
}

// fields takes a segment's text apart.
func (p *player) fields(text string) map[string]string {
	m := map[string]string{}
	text, options, _ := strings.Cut(text, "<")
	m["options"] = strings.TrimSuffix(strings.TrimSpace(options), ">")
	f := strings.Fields(text)
	m["flags"], m["seq"] = f[0], f[1]
	for i := 2; i+1 < len(f); i += 2 {
		m[f[i]] = f[i+1]
	}
	return m
}

// canonical writes a segment of the script as text would: a bare FROM is FROM:FROM.
func (p *player) canonical(text string) string {
	f := strings.Fields(text)
	if len(f) > 1 && !strings.Contains(f[1], ":") {
		text = strings.Replace(text, f[0]+" "+f[1], f[0]+" "+f[1]+":"+f[1], 1)
	}
	return text
}

// text writes a segment that we sent.
func (p *player) text(s *tcp.Segment) string {
	var b strings.Builder
	for i, c := range "FSRP.UEW" {
		if s.Flags&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	from := s.Seq.Diff(p.iss)
	fmt.Fprintf(&b, " %d:%d", from, from+s.Len())
	if s.Flags&tcp.ACK != 0 {
		fmt.Fprintf(&b, " ack %d", s.Ack.Diff(p.irs))
	}
	fmt.Fprintf(&b, " win %d", s.Window)
	if s.Flags&tcp.URG != 0 {
		fmt.Fprintf(&b, " urg %d", s.Urgent)
	}
	if s.ECN != 0 {
		fmt.Fprintf(&b, " ecn %s", map[wire.ECN]string{wire.ECT0: "ect0", wire.ECT1: "ect1", wire.CE: "ce"}[s.ECN])
	}
	if o := p.optionsText(&s.Options); o != "" {
		fmt.Fprintf(&b, " <%s>", o)
	}
	return b.String()
}

func (p *player) optionsText(o *wire.TCPOptions) string {
	var l []string
	if o.Has(wire.OptMSS) {
		l = append(l, fmt.Sprint("mss ", o.MSS))
	}
	if o.Has(wire.OptSACKPermitted) {
		l = append(l, "sackOK")
	}
	if o.Has(wire.OptTimestamps) {
		l = append(l, fmt.Sprint("ts ", int32(o.TSVal-p.tick), " ", o.TSEcr))
	}
	if o.Has(wire.OptWindowScale) {
		l = append(l, fmt.Sprint("wscale ", o.WindowScale))
	}
	if o.NumSACK > 0 {
		s := "sack"
		for _, b := range o.SACK[:o.NumSACK] {
			s += fmt.Sprintf(" %d:%d", b.Left.Diff(p.irs), b.Right.Diff(p.irs))
		}
		l = append(l, s)
	}
	if o.Set&(wire.OptFastOpen|wire.OptFastOpenExp) != 0 {
		s := "fo"
		if o.CookieLen > 0 {
			s += fmt.Sprintf(" %x", o.Cookie[:o.CookieLen])
		}
		l = append(l, s)
	}
	return strings.Join(l, ",")
}

// parse reads a segment of the peer.
func (p *player) parse(text string) (s tcp.Segment) {
	head, options, _ := strings.Cut(text, "<")
	f := strings.Fields(head)
	for _, c := range f[0] {
		i := strings.IndexRune("FSRP.UEW", c)
		if i < 0 && c != '-' {
			p.fail("%q is no flag", c)
		}
		if c != '-' {
			s.Flags |= 1 << i
		}
	}
	from, to, ranged := strings.Cut(f[1], ":")
	if !ranged {
		to = from
	}
	s.Seq = p.irs.Add(p.num(from))
	if n := p.num(to) - p.num(from); n > 0 {
		at := p.num(from)
		if s.Flags&tcp.SYN != 0 {
			at++
		}
		s.Payload = stream(at, n)
	}
	for i := 2; i+1 < len(f); i += 2 {
		switch f[i] {
		case "ack":
			s.Ack = p.iss.Add(p.num(f[i+1]))
		case "win":
			s.Window = uint16(p.num(f[i+1]))
		case "urg":
			s.Urgent = uint16(p.num(f[i+1]))
		case "gso":
			s.GSO = p.num(f[i+1])
		case "ecn":
			s.ECN = map[string]wire.ECN{"ect0": wire.ECT0, "ect1": wire.ECT1, "ce": wire.CE}[f[i+1]]
		default:
			p.fail("%q is no part of a segment", f[i])
		}
	}
	for _, o := range strings.Split(strings.TrimSuffix(strings.TrimSpace(options), ">"), ",") {
		p.option(&s.Options, strings.Fields(o))
	}
	return s
}

func (p *player) option(o *wire.TCPOptions, f []string) {
	if len(f) == 0 {
		return
	}
	switch f[0] {
	case "mss":
		o.Set |= wire.OptMSS
		o.MSS = uint16(p.num(f[1]))
	case "sackOK":
		o.Set |= wire.OptSACKPermitted
	case "wscale":
		o.Set |= wire.OptWindowScale
		o.WindowScale = uint8(p.num(f[1]))
	case "ts": // "ts VAL ECR": ECR counts milliseconds from time 0; "-" echoes nothing
		o.Set |= wire.OptTimestamps
		o.TSVal = uint32(p.num(f[1]))
		if f[2] != "-" {
			o.TSEcr = p.tick + uint32(p.num(f[2]))
		}
	case "sack":
		for _, b := range f[1:] {
			l, r, _ := strings.Cut(b, ":")
			o.SACK[o.NumSACK] = wire.SACKBlock{Left: p.iss.Add(p.num(l)), Right: p.iss.Add(p.num(r))}
			o.NumSACK++
		}
	case "fo":
		o.Set |= wire.OptFastOpen
		if len(f) > 1 {
			k := p.h.FastOpenCookie(p.flow)
			if f[1] != "valid" {
				k.B[0]++
			}
			o.CookieLen, o.Cookie = k.Len, k.B
		}
	default:
		p.fail("%q is no option", f[0])
	}
}

func (p *player) num(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.fail("%q is no number", s)
	}
	return n
}

// stream is n bytes of the peer's data from an offset on: each byte tells where it belongs.
func stream(from, n int) (l packet.List) {
	b := make([]byte, n)
	for i := range b {
		b[i] = byteAt(from + i)
	}
	for len(b) > 0 {
		k := min(len(b), packet.MaxPooled)
		l.Push(packet.Of(b[:k]))
		b = b[k:]
	}
	return l
}

func byteAt(i int) byte { return byte(i*7 + i>>8) }
