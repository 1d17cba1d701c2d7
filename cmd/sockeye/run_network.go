package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sockeye"
	timing "sockeye/event"
	"sockeye/gateway"
	"sockeye/lab"
	"sockeye/link"
)

// A network is the program's, and what is at its other end.
type network struct {
	a         *app
	plan      plan
	config    gateway.Config
	down, up  link.Faults
	capture   string
	ladder    string
	published []publication
	member    *member // of a lab, in place of all this; nil: none

	loop    *timing.Loop
	gateway *gateway.Gateway
	file    *os.File // of the capture
	writer  *bufio.Writer
	packets *link.Pcapng
	said    *lab.Recorder // for the ladder
}

// begin brings up what is at the other end of the devices, which it takes over.
func (n *network) begin(devices []int) error {
	if n.member == nil {
		return n.open(devices[0])
	}
	defer closeAll(devices)
	return n.member.begin(devices, n.a)
}

// open brings up the gateway.
func (n *network) open(tun int) error {
	var err error
	if n.loop, err = n.newLoop(); err != nil {
		unix.Close(tun)
		return err
	}
	device, err := link.AdoptTUN(n.loop, tun, n.plan.Interfaces[0].MTU)
	if err != nil {
		return err
	}
	port := link.Port(device)
	if n.capture != "" {
		if n.file, err = os.Create(n.capture); err != nil {
			port.Close()
			return err
		}
		n.writer = bufio.NewWriterSize(n.file, 1<<20)
		n.packets = link.NewPcapng(n.writer, time.Now())
		port = link.Capture(n.loop, port, n.packets, link.CaptureOptions{Name: n.plan.Interfaces[0].Name})
	}
	im := link.Impairment{Out: n.down, In: n.up, Seed: uint64(time.Now().UnixNano())}
	if n.ladder != "" {
		n.said = lab.NewRecorder(false, endNames())
		im.Observe = n.said.Observe
	}
	if n.faulty() || n.said != nil {
		faulty, err := link.Impair(n.loop, port, im)
		if err != nil {
			port.Close()
			return err
		}
		port = faulty
	}
	if n.a.verbose {
		n.config.Log = n.tell
	}
	n.config.Seed = uint64(time.Now().UnixNano())
	if n.gateway, err = gateway.New(n.loop, port, n.config); err != nil {
		return err
	}
	for _, p := range n.published {
		s, err := p.listen(context.Background(), n.a.host)
		if err != nil {
			return failure{"publish " + p.at.String(), err}
		}
		at, err := s.Getsockname()
		if err != nil {
			return err
		}
		n.gateway.Publish(s, netip.AddrPortFrom(insideAddrs[0].Addr(), p.inside))
		if n.a.verbose || p.at.Port() == 0 {
			n.a.console.event(event{Event: "listening", Address: scheme(p.typ) + at.String()})
		}
	}
	return nil
}

// faulty tells whether packets meet faults.
func (n *network) faulty() bool {
	none := link.Faults{}
	return n.down != none || n.up != none
}

// newLoop makes a loop that is as exact as the delays are to be.
func (n *network) newLoop() (*timing.Loop, error) {
	if n.faulty() {
		return timing.NewExact()
	}
	return timing.New(), nil
}

func scheme(t sockeye.Type) string {
	if t == sockeye.SOCK_DGRAM {
		return "udp://"
	}
	return "tcp://"
}

// close ends everything, and writes what is left of the capture, and the ladder.
func (n *network) close() error {
	if n.member != nil {
		n.member.end()
	}
	if n.gateway != nil {
		n.gateway.Close()
	}
	if n.loop != nil {
		n.loop.Close()
	}
	return errors.Join(n.closeCapture(), n.draw())
}

func (n *network) closeCapture() error {
	if n.file == nil {
		return nil
	}
	err := n.packets.Err()
	if err == nil {
		err = n.writer.Flush()
	}
	if e := n.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.capture, err)
	}
	return nil
}

// endNames are what ladders call the two sides of the device.
func endNames() map[netip.Addr]string {
	names := make(map[netip.Addr]string)
	for i := range insideAddrs {
		names[insideAddrs[i].Addr()], names[gatewayAddrs[i].Addr()] = "program", "gateway"
	}
	return names
}

// draw draws the ladders of what the program said.
func (n *network) draw() error {
	if n.said == nil {
		return nil
	}
	var b bytes.Buffer
	for _, c := range n.said.Conversations() {
		b.WriteString(c.String())
	}
	if n.ladder == "-" {
		_, err := os.Stderr.Write(b.Bytes())
		return err
	}
	return os.WriteFile(n.ladder, b.Bytes(), 0o666)
}

// tell tells of a connection or flow, and of what went wrong.
func (n *network) tell(e gateway.Event) {
	ev := event{Event: "closed", Peer: e.Protocol + "://" + e.From.String(), Target: e.Protocol + "://" + e.To.String()}
	switch {
	case e.Opened:
		ev.Event = "accepted"
	case e.Err != nil && e.Sent == 0 && e.Received == 0:
		ev.Event = "failed"
	default:
		ev.Received, ev.Sent = &e.Sent, &e.Received // the peer's
	}
	if e.Err != nil {
		ev.Error = explain(e.Err)
		if ev.Event == "failed" {
			ev.Error = ev.Target + ": " + ev.Error
		}
	}
	n.a.console.event(ev)
}
