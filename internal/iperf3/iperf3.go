// Package iperf3 is the server's half of the protocol that iperf3(1) speaks in its tests of
// TCP, over any net.Listener: so that the program itself measures sockets that no kernel
// knows of.
package iperf3

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A state is a byte on the control connection that says what comes next.
type state int8

const (
	testStart       state = 1
	testRunning     state = 2
	testEnd         state = 4
	paramExchange   state = 9
	createStreams   state = 10
	exchangeResults state = 13
	displayResults  state = 14
	iperfDone       state = 16
)

// cookieLen is the length of the name of a test, which every connection of it begins with.
const cookieLen = 37

// maxMessage is the most that a JSON text may take.
const maxMessage = 1 << 20

// A plan is what the client wants, as far as it concerns this side.
type plan struct {
	Parallel      int  `json:"parallel"`
	Len           int  `json:"len"` // of a read or write
	Reverse       bool `json:"reverse"`
	Bidirectional bool `json:"bidirectional"`
	UDP           bool `json:"udp"`
}

// streams is how many connections of data there are, and how many of the first ones this
// side receives on.
func (p plan) streams() (all, received int) {
	switch {
	case p.Bidirectional:
		return 2 * p.Parallel, p.Parallel
	case p.Reverse:
		return p.Parallel, 0
	}
	return p.Parallel, p.Parallel
}

func (p plan) check() error {
	switch {
	case p.UDP:
		return fmt.Errorf("iperf3: a test of UDP was asked for: only TCP is served")
	case p.Parallel < 1 || p.Parallel > 128:
		return fmt.Errorf("iperf3: %d streams were asked for: 1 to 128 can be", p.Parallel)
	case p.Len < 1 || p.Len > 1<<20:
		return fmt.Errorf("iperf3: blocks of %d bytes were asked for: they have 1 to %d", p.Len, 1<<20)
	}
	return nil
}

// outcome is what one side tells the other in the end.
type outcome struct {
	CPUTotal       float64  `json:"cpu_util_total"`
	CPUUser        float64  `json:"cpu_util_user"`
	CPUSystem      float64  `json:"cpu_util_system"`
	HasRetransmits int      `json:"sender_has_retransmits"`
	Streams        []stream `json:"streams"`
}

type stream struct {
	ID          int     `json:"id"`
	Bytes       int64   `json:"bytes"`
	Retransmits int     `json:"retransmits"`
	Jitter      float64 `json:"jitter"`
	Errors      int     `json:"errors"`
	Packets     int     `json:"packets"`
	Start       float64 `json:"start_time"`
	End         float64 `json:"end_time"`
}

// Serve takes one test's connections from l, and serves it to its end.
func Serve(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	s := session{control: c}
	defer s.close()
	if err := s.begin(l); err != nil {
		return err
	}
	counts, elapsed, err := s.run()
	if err != nil {
		return err
	}
	return s.finish(counts, elapsed)
}

// A session is one test.
type session struct {
	control net.Conn
	plan    plan
	data    []net.Conn
}

func (s *session) close() {
	for _, c := range s.data {
		c.Close()
	}
	s.data = nil
}

// begin agrees on the plan, and takes the connections of data.
func (s *session) begin(l net.Listener) error {
	name, err := readCookie(s.control)
	if err != nil {
		return err
	}
	if err := s.tell(paramExchange); err != nil {
		return err
	}
	s.plan = plan{Parallel: 1, Len: 128 << 10}
	if err := s.receive(&s.plan); err != nil {
		return err
	}
	if err := s.plan.check(); err != nil {
		return err
	}
	if err := s.tell(createStreams); err != nil {
		return err
	}
	all, _ := s.plan.streams()
	for range all {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		s.data = append(s.data, c)
		if other, err := readCookie(c); err != nil || other != name {
			return fmt.Errorf("iperf3: a connection from %v that is not of this test: %v", c.RemoteAddr(), err)
		}
	}
	if err := s.tell(testStart); err != nil {
		return err
	}
	return s.tell(testRunning)
}

// run moves data until the client ends the test.
func (s *session) run() (counts []int64, elapsed time.Duration, err error) {
	start := time.Now()
	counts = make([]int64, len(s.data))
	_, received := s.plan.streams()
	var wg sync.WaitGroup
	for i, c := range s.data {
		wg.Go(func() {
			move := c.Write
			if i < received {
				move = c.Read
			}
			for buf := make([]byte, s.plan.Len); ; {
				n, err := move(buf)
				counts[i] += int64(n)
				if err != nil { // the end, or the deadline below
					return
				}
			}
		})
	}
	err = s.expect(testEnd)
	elapsed = time.Since(start)
	for _, c := range s.data {
		c.SetDeadline(start)
	}
	wg.Wait()
	s.close() // a client that still reads looks at the control connection after that
	return counts, elapsed, err
}

// finish exchanges what the sides have counted.
func (s *session) finish(counts []int64, elapsed time.Duration) error {
	if err := s.tell(exchangeResults); err != nil {
		return err
	}
	var theirs json.RawMessage
	if err := s.receive(&theirs); err != nil {
		return err
	}
	ours := outcome{HasRetransmits: -1}
	for i, n := range counts {
		id := i + 1
		if i > 0 {
			id++ // their numbers are 1, 3, 4, ...
		}
		ours.Streams = append(ours.Streams, stream{ID: id, Bytes: n, Retransmits: -1, End: elapsed.Seconds()})
	}
	if err := s.send(ours); err != nil {
		return err
	}
	if err := s.tell(displayResults); err != nil {
		return err
	}
	return s.expect(iperfDone)
}

func readCookie(c net.Conn) (name [cookieLen]byte, err error) {
	if _, err = io.ReadFull(c, name[:]); err != nil {
		err = fmt.Errorf("iperf3: %v sent no cookie: %w", c.RemoteAddr(), err)
	}
	return name, err
}

func (s *session) tell(st state) error {
	_, err := s.control.Write([]byte{byte(st)})
	return err
}

func (s *session) expect(want state) error {
	var b [1]byte
	if _, err := io.ReadFull(s.control, b[:]); err != nil {
		return fmt.Errorf("iperf3: the client sent no state, where %d comes: %w", want, err)
	}
	if got := state(b[0]); got != want {
		return fmt.Errorf("iperf3: the client sent state %d, where %d comes", got, want)
	}
	return nil
}

// receive reads a JSON text behind its length.
func (s *session) receive(v any) error {
	var size [4]byte
	if _, err := io.ReadFull(s.control, size[:]); err != nil {
		return fmt.Errorf("iperf3: the client sent no message: %w", err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return fmt.Errorf("iperf3: a message of %d bytes: they have at most %d", n, maxMessage)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.control, b); err != nil {
		return fmt.Errorf("iperf3: a message of %d bytes breaks off: %w", n, err)
	}
	return json.Unmarshal(b, v)
}

func (s *session) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.control.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
