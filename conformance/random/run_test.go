//go:build linux && !386 && !s390x

package random_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"syscall"

	. "sockeye"
)

var sprintf = fmt.Sprintf

// A program is socket calls, one after the other.
type program []call

// A call is one line of a program: the Go text that it has in a scenario of package
// conformance, and what it does.
type call struct {
	text  string
	makes []int  // the variables that it assigns
	index string // what follows the call where what it makes is used
	uses  []int
	do    func(r *run) string
}

// String is the program as the body of a scenario.
func (p program) String() string {
	used := make(map[int]bool)
	for _, c := range p {
		for _, v := range c.uses {
			used[v] = true
		}
	}
	var b strings.Builder
	for _, c := range p {
		var names []string
		index := ""
		for _, v := range c.makes {
			names = append(names, "_")
			if used[v] {
				names[len(names)-1], index = sprintf("s%d", v), c.index
			}
		}
		if line := strings.Join(names, ", ") + " := "; strings.Contains(line, "s") {
			b.WriteString(line)
		}
		b.WriteString(c.text + index + "\n")
	}
	return b.String()
}

// without is the program without call i, and without those that need a socket of it.
func (p program) without(i int) (rest program) {
	gone := make(map[int]bool)
	for at, c := range p {
		drop := at == i
		for _, v := range c.uses {
			drop = drop || gone[v]
		}
		if !drop {
			rest = append(rest, c)
			continue
		}
		for _, v := range c.makes {
			gone[v] = true
		}
	}
	return rest
}

// A network is two hosts on a cable, and a part of it that is fresh: no socket that was
// there before is in the way.
type network struct {
	hosts [2]*Host
	on    func(host int, f func()) // f opens sockets on the host
	dir   string                   // where path names of unix sockets may be made
	port  uint16                   // the first of ports that nobody uses
}

// A run is a program on its way through a network.
type run struct {
	network
	sockets map[int]*socket
	paths   map[string]bool
	names   map[string]string
	urgent  bool // MSG_OOB was sent
}

type socket struct {
	*Socket
	kind      kind
	host      int
	connected bool // by connect(2), as the last one answered
	version   int  // of IP, by which an IPv6 socket has connected
}

// lines makes the calls and gives a line for each.
func (p program) lines(n network) (lines []string) {
	r := newRun(n)
	defer r.close()
	for _, c := range p {
		lines = append(lines, r.line(c))
	}
	return lines
}

func newRun(n network) *run {
	return &run{network: n, sockets: make(map[int]*socket), paths: make(map[string]bool), names: make(map[string]string)}
}

func (r *run) line(c call) string {
	for _, v := range c.uses {
		if r.sockets[v] == nil {
			return c.text + " = not made: there is no such socket"
		}
	}
	return c.text + " = " + c.do(r)
}

// close leaves nothing behind that would be in the way of another program.
func (r *run) close() {
	for _, s := range r.sockets {
		if s.kind.family != AF_UNIX {
			SO_LINGER.Set(s.Socket, Linger{On: true})
		}
		s.Close()
	}
	for p := range r.paths {
		r.hosts[0].Unlink(p)
		r.hosts[1].Unlink(p)
	}
}

// add gives a new socket its variable.
func (r *run) add(v int, s *Socket, k kind, host int) {
	r.sockets[v] = &socket{Socket: s, kind: k, host: host}
}

// result is how a call ended: 0 or its value, or the errno's name.
func result(err error, value ...string) string {
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return "-1 " + ErrnoName(errno)
	case err != nil:
		return err.Error()
	case len(value) == 0:
		return "0"
	}
	return strings.Join(value, ", ")
}

// counted is the result of a call that gives a count.
func counted(n int, err error) string {
	if err != nil && n > 0 {
		return sprintf("%d, then %s", n, result(err))
	}
	return result(err, strconv.Itoa(n))
}

// received is the result of a call that received n bytes to p.
func (s *socket) received(p []byte, n int, err error) string {
	s.mask(p[:min(max(n, 0), len(p))])
	switch {
	case err == io.EOF:
		return "EOF"
	case err != nil || n == 0:
		return counted(n, err)
	}
	return sprintf("%d %s", n, quote(p[:min(n, len(p))]))
}

// mask zeroes what differs from run to run: the identification of a packet, that of
// an echo request whose socket has a port of the host's choice, and checksums.
func (s *socket) mask(p []byte) {
	var zero []int
	switch s.kind.name {
	case "raw4":
		zero = []int{4, 5, 10, 11}
	case "icmp4":
		zero = []int{4, 5, 10, 11}
		if len(p) > 0 {
			clear(p[min(int(p[0]&15)*4+2, len(p)):]) // what an error quotes, too
		}
	case "ping4", "ping6":
		zero = []int{2, 3, 4, 5}
	}
	for _, i := range zero {
		if i < len(p) {
			p[i] = 0
		}
	}
}

// quote shows data. Of much data it shows the beginning and a checksum.
func quote(p []byte) string {
	if len(p) <= 40 {
		return strconv.Quote(string(p))
	}
	return sprintf("%q...[%d, crc %08x]", p[:8], len(p), crc32.ChecksumIEEE(p))
}

// addr shows an address. Ports that the host chose, which differ from run to run, have
// names in the order of their appearance: P1, P2.
func (r *run) addr(sa Sockaddr, k kind) string {
	switch {
	case sa.IsZero():
		return "NULL"
	case sa.Data() != nil:
		return sa.String()
	case sa.Family() == AF_UNIX:
		path := strings.TrimPrefix(sa.Path(), r.dir+"/")
		if isAutobind(path) {
			return r.name("A", path)
		}
		return strconv.Quote(strings.TrimSuffix(path, sprintf("-%d", r.port)))
	}
	port := ""
	switch p := sa.Port(); {
	case p == 0, k.typ == SOCK_RAW && Protocol(p) == k.proto:
		port = strconv.Itoa(int(p))
	case p >= r.port && p < r.port+ports:
		port = sprintf("port+%d", p-r.port)
	default:
		port = r.name("P", sprintf("%d of %d", p, k.protocol()))
	}
	s := sprintf("%v:%s", sa.Addr(), port)
	if sa.Flowinfo() != 0 {
		s += sprintf(" flowinfo %#x", sa.Flowinfo())
	}
	return s
}

// isAutobind tells a name that a unix socket was given by the host.
func isAutobind(path string) bool {
	if len(path) != 6 || path[0] != 0 {
		return false
	}
	_, err := strconv.ParseUint(path[1:], 16, 32)
	return err == nil
}

func (r *run) name(letter, what string) string {
	if r.names[what] == "" {
		n := 1
		for _, name := range r.names {
			if strings.HasPrefix(name, letter) {
				n++
			}
		}
		r.names[what] = letter + strconv.Itoa(n)
	}
	return r.names[what]
}

// incoming shows a message that was received, and keeps the socket that came with it.
func (r *run) incoming(m *Message, from *socket, v int) string {
	var data []byte
	for _, b := range m.Buffers {
		data = append(data, b...)
	}
	parts := []string{from.received(data, m.N, nil)}
	if !m.Name.IsZero() {
		parts = append(parts, "from "+r.addr(m.Name, from.kind))
	}
	for c := range m.ControlMessages() {
		parts = append(parts, r.control(c, from.kind))
	}
	for i, d := range m.Rights {
		s := d.(*Socket)
		s.SetNonblock(true)
		if v < 0 || i > 0 {
			s.Close()
		} else {
			r.add(v, s, kindOf(s), from.host)
		}
	}
	if len(m.Rights) > 0 {
		parts = append(parts, sprintf("%d sockets", len(m.Rights)))
	}
	if m.Flags != 0 {
		parts = append(parts, m.Flags.String())
	}
	return strings.Join(parts, ", ")
}

// control shows one piece of ancillary data.
func (r *run) control(c ControlMessage, k kind) string {
	name := sprintf("level %d type %d", c.Level, c.Type)
	for _, o := range Options() {
		if l, n := o.Number(); l == c.Level && n == c.Type {
			name = o.String()
		}
	}
	if c.Level == SOL_SOCKET && (c.Type == SCM_TIMESTAMP || c.Type == SCM_TIMESTAMPNS) {
		return sprintf("%s of %d bytes", name, len(c.Data))
	}
	if c.Level == SOL_SOCKET && c.Type == SCM_CREDENTIALS && len(c.Data) < 12 {
		return sprintf("SCM_CREDENTIALS of %d bytes", len(c.Data))
	}
	if v, ok := c.Credentials(); ok {
		return sprintf("SCM_CREDENTIALS %d %d, a process %t", v.UID, v.GID, v.PID != 0)
	}
	if p, ok := c.Pktinfo(); ok {
		return sprintf("%s %+v", name, p)
	}
	if e, ok := c.ExtendedError(); ok {
		return sprintf("%s {%s, %v, type %d, code %d, info %d, data %d, offender %s}", name, ErrnoName(e.Errno),
			e.Origin, e.Type, e.Code, e.Info, e.Data, r.addr(e.Offender, k))
	}
	if name == "IP_RECVORIGDSTADDR" || name == "IPV6_RECVORIGDSTADDR" {
		if sa := SockaddrBytes(c.Data); k.isPing() || sa.Data() != nil { // the port is a checksum, or cut off
			return sprintf("%s of %d bytes", name, len(c.Data))
		}
		return name + " " + r.addr(SockaddrBytes(c.Data), k)
	}
	return sprintf("%s [%x]", name, c.Data)
}
