package sockeye

import (
	"context"
	"fmt"
	"strings"
	"time"
)

func (e *Epoll) trace(call, format string, args ...any) func(err error, result string, more ...any) {
	args = append([]any{e.set.Descriptor()}, args...)
	return e.host.trace(call, strings.TrimSuffix("%d, "+format, ", "), args...)
}

func (h *Host) traceNewEpoll() (*Epoll, error) {
	done := h.trace("epoll_create", "")
	e, err := h.newEpoll()
	if err != nil {
		done(err, "")
		return nil, err
	}
	done(nil, "%d", e.set.Descriptor())
	return e, nil
}

func (e *Epoll) traceAdd(s *Socket, events Events, data any) error {
	done := e.trace("epoll_ctl", "EPOLL_CTL_ADD, %d, %v|EPOLLET", s.Descriptor(), events)
	err := e.add(s, events, data)
	done(err, "0")
	return err
}

func (e *Epoll) traceDelete(s *Socket) error {
	done := e.trace("epoll_ctl", "EPOLL_CTL_DEL, %d", s.Descriptor())
	err := e.delete(s)
	done(err, "0")
	return err
}

func (e *Epoll) traceWait(ctx context.Context, events []EpollEvent, timeout time.Duration) (int, error) {
	limit := any(timeout)
	if timeout < 0 {
		limit = -1
	}
	done := e.trace("epoll_wait", "%d, %v", len(events), limit)
	n, err := e.wait(ctx, events, timeout)
	var b strings.Builder
	for _, ev := range events[:n] {
		fmt.Fprintf(&b, " %v", ev.Events)
	}
	done(err, "%d [%s]", n, strings.TrimPrefix(b.String(), " "))
	return n, err
}

func (e *Epoll) traceClose() error {
	done := e.trace("close", "")
	err := e.close()
	done(err, "0")
	return err
}
