// Package labjoin is how a program in a namespace of its own becomes a host of a lab that is up: by the
// lab's control socket, a unix socket that speaks HTTP.
package labjoin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"sockeye/lab"
)

// A Place is what a host of a lab is to a program that takes it: all that is to be set up in a
// namespace.
type Place struct {
	Interfaces []Interface
	Routes     []Route
	Forward    bool                    // between the interfaces
	Names      map[string][]netip.Addr // what the hosts of the lab are called
}

// An Interface is a TUN or TAP device, opened as link.AdoptTUN has it.
type Interface struct {
	Name     string
	MTU      int
	Ethernet bool   // a TAP device
	Hardware []byte // its address, if Ethernet
	Addrs    []netip.Prefix
}

// A Route leads to a network by way of a gateway.
type Route struct {
	Dst     netip.Prefix
	Gateway netip.Addr
}

// placeOf describes a host.
func placeOf(h *lab.Host) Place {
	p := Place{Forward: h.Forwards(), Names: h.Network().Names()}
	for _, i := range h.Interfaces() {
		x := Interface{Name: i.Name, MTU: i.Properties.MTU, Ethernet: i.Properties.Ethernet, Addrs: i.Addrs}
		if x.Ethernet {
			x.Hardware = i.Properties.Hardware[:]
		}
		p.Interfaces = append(p.Interfaces, x)
	}
	for _, r := range h.Routes() {
		p.Routes = append(p.Routes, Route{r.Dst, r.Gateway})
	}
	return p
}

// A conversation begins with a request for an upgrade. Then the lab sends the Place as a line of JSON, the
// program the descriptors of the devices (SCM_RIGHTS) with one byte, and the lab an outcome. It lasts as
// long as the program is the host.
const upgrade = "sockeye-host"

// An outcome is what became of the devices.
type outcome struct {
	Error string `json:",omitempty"` // "": they are the host's
}

// A Membership is the place of a host that a program has.
type Membership struct {
	Place
	conn *net.UnixConn
	r    *bufio.Reader
}

// Join asks a lab, at its control socket, for the place of a host. The connection is the membership's
// from here on, which is to be closed: that gives the place back.
func Join(ctx context.Context, conn *net.UnixConn, host string) (*Membership, error) {
	m := &Membership{conn: conn, r: bufio.NewReader(conn)}
	if err := m.ask(ctx, host); err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

func (m *Membership) ask(ctx context.Context, host string) error {
	defer context.AfterFunc(ctx, func() { m.conn.Close() })()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lab/", nil)
	if err != nil {
		return err
	}
	r.URL.Path = "/hosts/" + host + "/join"
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", upgrade)
	if err := r.Write(m.conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(m.r, r)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		return errors.New(strings.TrimSpace(string(text)))
	}
	return m.receive(&m.Place)
}

// receive reads a line of JSON.
func (m *Membership) receive(v any) error {
	line, err := m.r.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// Give gives the lab the descriptors of the devices, in the order of Interfaces. They stay open here.
func (m *Membership) Give(devices []int) error {
	if _, _, err := m.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(devices...), nil); err != nil {
		return err
	}
	var o outcome
	if err := m.receive(&o); err != nil {
		return err
	}
	if o.Error != "" {
		return errors.New(o.Error)
	}
	return nil
}

// Wait waits until the lab ends, or Close.
func (m *Membership) Wait() { io.Copy(io.Discard, m.r) }

// Close gives the place back.
func (m *Membership) Close() error { return m.conn.Close() }

func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	http.Error(w, fmt.Sprintf(format, args...), status)
}
