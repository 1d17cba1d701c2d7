package echo

import (
	"io"
	"sync"
	"syscall"

	"sockeye"
	"sockeye/internal/record"
)

// A peer that sends little waits with a small buffer of its own, so that
// thousands may; one that fills it borrows a large one while data comes.
const (
	smallBuffer = 2 << 10
	largeBuffer = 64 << 10
)

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

func echoStream(conn *sockeye.Socket) (total int64, err error) {
	small := make([]byte, smallBuffer)
	for {
		n, err := conn.Recv(small, 0)
		if n == 0 || err != nil {
			return total, err
		}
		sent, err := conn.Send(small[:n], 0)
		total += int64(sent)
		if err != nil {
			return total, err
		}
		if n == len(small) {
			sent, err := echoWaiting(conn)
			total += sent
			if err != nil {
				return total, err
			}
		}
	}
}

// echoWaiting echoes what is there to receive without waiting for more.
func echoWaiting(conn *sockeye.Socket) (total int64, err error) {
	large := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(large)
	for {
		n, err := conn.Recv(large[:], sockeye.MSG_DONTWAIT)
		switch {
		case err != nil && isAgain(err):
			return total, nil
		case n == 0 || err != nil:
			return total, err // the end is found again by the next call
		}
		sent, err := conn.Send(large[:n], 0)
		total += int64(sent)
		if err != nil {
			return total, err
		}
	}
}

func isAgain(err error) bool {
	e, ok := err.(*sockeye.Error)
	return ok && e.Err == syscall.EAGAIN
}

func echoRecords(conn *sockeye.Socket) (total int64, err error) {
	r, err := record.NewReader(conn, sockeye.SOCK_SEQPACKET)
	if err != nil {
		return 0, err
	}
	for {
		p, _, err := r.Next()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := conn.Send(p, 0)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}
