package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"google.golang.org/grpc/test/bufconn"

	"sockeye"
	"sockeye/event"
	"sockeye/kernel"
	"sockeye/link"
	"sockeye/stack"
)

// Ends are the two sides of what is measured inside one process: a client and the server
// that it reaches, as package net has them.
type ends interface {
	Listen() (net.Listener, error)
	Dial(to net.Addr) (net.Conn, error)
	ListenPacket() (net.PacketConn, error)
	DialPacket(to net.Addr) (net.Conn, error)
}

// A medium is what lies between the ends that have packets.
type medium int

const (
	fast     medium = iota // one host's loopback: large segments, no checksums
	ethernet               // two hosts: MTU 1500, checksums computed and checked
)

// oursOnKernel is this project's sockets on the kernel, where ours are those in Go.
const oursOnKernel = ours + "-kernel"

var errNoDatagrams = errors.New("this peer has no datagrams")

// openEnds gives a peer's ends.
func openEnds(peer string, m medium) (ends, error) {
	switch peer {
	case ours:
		return openStack(m), nil
	case oursOnKernel:
		h := kernel.Host()
		return &stackEnds{h, h, ownLoopback()}, nil
	case "gvisor":
		return openGVisor(m)
	case "net":
		return kernelEnds{}, nil
	case "pipe":
		return pipeEnds{make(pipeListener)}, nil
	case "bufconn":
		return bufconnEnds{bufconn.Listen(bufconnSize)}, nil
	}
	return nil, fmt.Errorf("no peer is called %q", peer)
}

// StackEnds are this project's hosts: in Go, or the kernel. Keepalive is off, as it is with gVisor's adapters.
type stackEnds struct {
	client, server *sockeye.Host
	at             string
}

func openStack(m medium) ends {
	if m == fast {
		h := stack.NewHost(stack.Config{}).Sockets()
		return &stackEnds{h, h, "127.0.0.1:0"}
	}
	loop := event.New()
	a, b := link.Cable(loop, link.CableOptions{})
	host := func(port link.Port, addr string) *sockeye.Host {
		i := stack.Interface{Name: "eth0", Port: port, Addrs: []netip.Prefix{netip.MustParsePrefix(addr)}}
		return stack.NewHost(stack.Config{Loop: loop, Interfaces: []stack.Interface{i}}).Sockets()
	}
	return &stackEnds{host(a, "10.0.0.1/24"), host(b, "10.0.0.2/24"), "10.0.0.2:0"}
}

func (e *stackEnds) Listen() (net.Listener, error) {
	c := sockeye.ListenConfig{Host: e.server, KeepAlive: -1}
	return c.Listen(context.Background(), "tcp4", e.at)
}

func (e *stackEnds) Dial(to net.Addr) (net.Conn, error) {
	d := sockeye.Dialer{Host: e.client, KeepAlive: -1}
	return d.DialContext(context.Background(), "tcp4", to.String())
}

func (e *stackEnds) ListenPacket() (net.PacketConn, error) {
	return e.server.ListenPacket("udp4", e.at)
}

func (e *stackEnds) DialPacket(to net.Addr) (net.Conn, error) {
	return e.client.Dial("udp4", to.String())
}

// KernelEnds are package net's, on the loopback device of the machine. Each process has an
// address of its own there, so that none finds the ports taken that another has left in
// TIME-WAIT.
type kernelEnds struct{}

func (kernelEnds) Listen() (net.Listener, error) { return net.Listen("tcp4", ownLoopback()) }
func (kernelEnds) ListenPacket() (net.PacketConn, error) {
	return net.ListenPacket("udp4", ownLoopback())
}
func (kernelEnds) Dial(to net.Addr) (net.Conn, error)       { return net.Dial("tcp4", to.String()) }
func (kernelEnds) DialPacket(to net.Addr) (net.Conn, error) { return net.Dial("udp4", to.String()) }

func ownLoopback() string {
	id := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:0", 1+id>>14&0x7f, id>>7&0x7f, 1+id&0x7f)
}

// PipeEnds are net.Pipe's.
type pipeEnds struct{ l pipeListener }

func (e pipeEnds) Listen() (net.Listener, error)         { return e.l, nil }
func (e pipeEnds) ListenPacket() (net.PacketConn, error) { return nil, errNoDatagrams }
func (e pipeEnds) DialPacket(net.Addr) (net.Conn, error) { return nil, errNoDatagrams }
func (e pipeEnds) Dial(net.Addr) (net.Conn, error) {
	a, b := net.Pipe()
	e.l <- b
	return a, nil
}

type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) { return <-l, nil }
func (l pipeListener) Close() error              { return nil }
func (l pipeListener) Addr() net.Addr            { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// BufconnEnds are those of gRPC's listener in memory.
type bufconnEnds struct{ l *bufconn.Listener }

// bufconnSize is what a bufconn buffers each way.
const bufconnSize = 1 << 20

func (e bufconnEnds) Listen() (net.Listener, error)         { return e.l, nil }
func (e bufconnEnds) ListenPacket() (net.PacketConn, error) { return nil, errNoDatagrams }
func (e bufconnEnds) Dial(net.Addr) (net.Conn, error)       { return e.l.Dial() }
func (e bufconnEnds) DialPacket(net.Addr) (net.Conn, error) { return nil, errNoDatagrams }
