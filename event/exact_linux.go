package event

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// NewExact is New for networks whose delays are measured in real time: its events happen within some ten
// microseconds. Timers of Go come up to a millisecond late in a process that has nothing else to do, which
// waits for them in epoll_wait(2). The loop has a goroutine and a descriptor until Close.
func NewExact() (*Loop, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &timerfd{file: os.NewFile(uintptr(fd), "timerfd")} // which Go's poller takes
	if t.conn, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, err
	}
	l := New()
	l.timer, l.lazy = t, true
	go t.run(l.fire)
	return l, nil
}

// A timerfd is an alarm that the kernel keeps (timerfd_create(2)).
type timerfd struct {
	file *os.File
	conn syscall.RawConn
}

// run calls f whenever the time has come, until Stop.
func (t *timerfd) run(f func()) {
	var times [8]byte // how often it has; once
	for {
		if _, err := t.file.Read(times[:]); err != nil {
			return
		}
		f()
	}
}

// Reset implements alarm.
func (t *timerfd) Reset(d time.Duration) bool {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(d, 1).Nanoseconds())} // 0 would be never
	err := t.conn.Control(func(fd uintptr) { unix.TimerfdSettime(int(fd), 0, &at, nil) })
	return err == nil
}

// Stop implements alarm, for good.
func (t *timerfd) Stop() bool { return t.file.Close() == nil }
