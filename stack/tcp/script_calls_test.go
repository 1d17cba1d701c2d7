package tcp_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"sockeye/stack/tcp"
)

// call makes a call of the user.
func (p *player) call(text string) {
	text, want, compare := strings.Cut(text, " = ")
	f := strings.Fields(text)
	arg := func(i int) int { return p.num(f[i]) }
	dur := func(i int) tcp.Time {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			p.fail("%q is no time", f[i])
		}
		return seconds(v)
	}
	on := len(f) > 1 && f[1] == "on"
	got := ""
	result := func(n int, err error) {
		if got = strconv.Itoa(n); err != nil {
			got = errName(err)
		}
	}
	c := p.conn
	switch f[0] {
	case "connect":
		p.connect()
		return
	case "listen":
		p.listening = true
		for _, o := range f[1:] {
			p.cookies = p.cookies || o == "cookies"
			p.fastOpen = p.fastOpen || o == "fastopen"
		}
		return
	case "learn": // the ISN of a cookie: the next segments of the peer answer it
	case "write":
		var flags tcp.WriteFlags
		for _, o := range f[2:] {
			flags |= map[string]tcp.WriteFlags{"more": tcp.More, "urgent": tcp.Urgent}[o]
		}
		b := make([]byte, arg(1))
		for i := range b {
			b[i] = byteAt(p.wrote + i)
		}
		n, err := c.Write(p.now, b, flags)
		p.wrote += n
		result(n, err)
		if !compare && n != len(b) {
			p.fail("wrote %s of %d bytes", got, len(b))
		}
	case "read":
		b := make([]byte, arg(1))
		n, err := c.Read(p.now, b)
		for i, v := range b[:n] {
			if v != byteAt(1+p.readBytes+i) && !strings.Contains(p.sc.name, "urgent") {
				p.fail("byte %d is %d, want %d", p.readBytes+i, v, byteAt(1+p.readBytes+i))
			}
		}
		p.readBytes += n
		result(n, err)
	case "readurgent":
		b, err := c.ReadUrgent(len(f) > 1)
		result(int(b), err)
	case "close":
		c.Close(p.now, len(f) > 1 && f[1] == "reset")
	case "shutdown":
		result(0, c.CloseWrite(p.now))
	case "shutdown_read":
		result(0, c.CloseRead())
	case "abort":
		c.Abort(p.now)
	case "nodelay":
		c.SetNoDelay(p.now, on)
	case "cork":
		c.SetCork(p.now, on)
	case "quickack":
		c.SetQuickACK(p.now, on)
	case "keepalive":
		c.SetKeepAlive(p.now, on)
	case "keepidle":
		c.SetKeepIdle(p.now, tcp.Seconds(dur(1)/tcp.Second))
	case "toobig": // MTU SEQ
		c.PacketTooBig(p.now, arg(1), iss.Add(arg(2)))
	case "unreachable": // ERRNO SEQ
		c.Unreachable(p.now, errnos[f[1]], iss.Add(arg(2)), len(f) > 3)
	case "congestion":
		got = strconv.FormatBool(c.SetCongestion(f[1]))
	default:
		p.fail("%q is no call", f[0])
	}
	p.collect()
	if compare && got != strings.TrimSpace(want) {
		p.fail("%s gives %s, want %s", text, got, want)
	}
}

// check compares one number of the connection.
func (p *player) check(f []string) {
	want := f[1]
	var got string
	switch f[0] {
	case "state":
		switch {
		case p.tw != nil:
			got = p.tw.State.String()
		case p.conn != nil:
			got = p.conn.State().String()
		case p.req != nil:
			got = "SYN-RECEIVED"
		case p.listening:
			got = "LISTEN"
		}
	case "err":
		got = "none"
		if e := p.conn.Err(); e != 0 {
			got = errName(e)
		}
	case "events":
		got = eventNames(p.conn.Events())
	case "eof":
		got = strconv.FormatBool(p.conn.EOF())
	case "atmark":
		got = strconv.FormatBool(p.conn.AtMark())
	case "writable":
		got = strconv.FormatBool(p.conn.Writable())
	case "unread":
		got = strconv.Itoa(p.conn.Unread())
	case "mss":
		got = strconv.Itoa(p.conn.MSS())
	default:
		if v := reflect.ValueOf(p.h.Counters).FieldByName(f[0]); v.IsValid() {
			got = fmt.Sprint(v.Uint())
			break
		}
		info := p.conn.Info(p.now)
		v := reflect.ValueOf(info).FieldByName(f[0])
		if !v.IsValid() {
			p.fail("there is no %s to ask for", f[0])
		}
		got = fmt.Sprint(v.Interface())
	}
	if got != want {
		p.fail("%s is %s, want %s", f[0], got, want)
	}
}

func eventNames(e tcp.Events) string {
	var l []string
	for i, n := range []string{"readable", "writable", "connected", "hup", "error", "urgent", "timewait", "closed"} {
		if e&(1<<i) != 0 {
			l = append(l, n)
		}
	}
	return strings.Join(l, "+")
}

func (p *player) invariants() {
	p.Helper()
	if err := p.conn.Check(); err != nil {
		p.fail("%v", err)
	}
}
