package labjoin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sockeye/lab"
	"sockeye/link"
)

// Members are the programs that have the place of a lab's hosts. It is a handler of requests for a
// host of which the path says {host}, as
//
//	mux.Handle("GET /hosts/{host}/join", members)
//
// on the lab's control socket.
type Members struct {
	find func(host string) *lab.Host
	ctx  context.Context
	stop context.CancelFunc

	mu    sync.Mutex // held to begin a part, which Close waits for
	parts sync.WaitGroup
}

// NewMembers makes it. The hosts are those that find has; nil: there is none of that name. It is to be
// closed before the network is.
func NewMembers(find func(host string) *lab.Host) *Members {
	m := &Members{find: find}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// Close ends all memberships: the hosts are the lab's own again.
func (m *Members) Close() {
	m.mu.Lock()
	m.stop()
	m.mu.Unlock()
	m.parts.Wait()
}

// begin begins a part; false: it is too late.
func (m *Members) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return false
	}
	m.parts.Add(1)
	return true
}

// ServeHTTP implements http.Handler.
func (m *Members) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("host")
	h := m.find(name)
	switch {
	case h == nil:
		refuse(w, http.StatusNotFound, "there is no host %q in the lab", name)
		return
	case !strings.EqualFold(r.Header.Get("Upgrade"), upgrade):
		w.Header().Set("Upgrade", upgrade)
		refuse(w, http.StatusUpgradeRequired, "want the header Upgrade: %s", upgrade)
		return
	case h.Attached():
		refuse(w, http.StatusConflict, "the host %q is another program already", name)
		return
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "%v", err)
		return
	}
	defer c.Close()
	conn, ok := c.(*net.UnixConn)
	if !ok {
		fmt.Fprintf(c, "HTTP/1.1 400 Bad Request\r\n\r\nthis is no unix socket, by which descriptors pass")
		return
	}
	if !m.begin() {
		return
	}
	defer m.parts.Done()
	defer context.AfterFunc(m.ctx, func() { conn.Close() })()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", upgrade)
	answers := json.NewEncoder(conn)
	place := placeOf(h)
	if answers.Encode(place) != nil {
		return
	}
	leave, err := attach(conn, h, place)
	if err != nil {
		answers.Encode(outcome{err.Error()})
		return
	}
	defer leave()
	if answers.Encode(outcome{}) != nil {
		return
	}
	io.Copy(io.Discard, conn) // until either side ends it
}

// attach gives the place of a host to the devices that come in a message.
func attach(conn *net.UnixConn, h *lab.Host, place Place) (leave func(), err error) {
	var ports []link.Port
	unplug := func() {
		for _, p := range ports {
			p.Close()
		}
	}
	defer func() {
		if err != nil {
			unplug()
		}
	}()
	devices, err := receiveDescriptors(conn, len(place.Interfaces))
	for i, fd := range devices {
		var device *link.TUN
		if device, err = link.AdoptTUN(h.Network().Loop(), fd, place.Interfaces[i].MTU); err != nil {
			closeAll(devices[i+1:])
			return nil, err
		}
		ports = append(ports, device)
	}
	if err != nil {
		return nil, err
	}
	detach, err := h.Attach(ports...)
	if err != nil {
		return nil, err
	}
	return func() {
		detach()
		unplug()
	}, nil
}

// receiveDescriptors takes as many as are wanted.
func receiveDescriptors(conn *net.UnixConn, want int) ([]int, error) {
	var b [1]byte
	control := make([]byte, unix.CmsgSpace(4*max(want, 1)))
	n, size, flags, _, err := conn.ReadMsgUnix(b[:], control)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil {
		return nil, err
	}
	var all []int
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, fds...)
	}
	if len(all) != want || flags&unix.MSG_CTRUNC != 0 {
		closeAll(all)
		return nil, fmt.Errorf("%d devices came for %d interfaces", len(all), want)
	}
	return all, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
