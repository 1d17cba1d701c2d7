package sockeye

import (
	"context"
	"fmt"
	"strings"
	"time"
)

func (t *tracing) newEpoll(h *Host) (*Epoll, error) {
	done := t.begin("epoll_create", "")
	e, err := h.newEpoll()
	if err != nil {
		done(err, "")
		return nil, err
	}
	done(nil, "%d", e.set.Descriptor())
	return e, nil
}

func (t *tracing) epollAdd(e *Epoll, s *Socket, events Events, data any) error {
	done := t.on(e.set.Descriptor(), "epoll_ctl", "EPOLL_CTL_ADD, %d, %v|EPOLLET", s.Descriptor(), events)
	err := e.add(s, events, data)
	done(err, "0")
	return err
}

func (t *tracing) epollDelete(e *Epoll, s *Socket) error {
	done := t.on(e.set.Descriptor(), "epoll_ctl", "EPOLL_CTL_DEL, %d", s.Descriptor())
	err := e.delete(s)
	done(err, "0")
	return err
}

func (t *tracing) epollWait(e *Epoll, ctx context.Context, events []EpollEvent, timeout time.Duration) (int, error) {
	limit := any(timeout)
	if timeout < 0 {
		limit = -1
	}
	done := t.on(e.set.Descriptor(), "epoll_wait", "%d, %v", len(events), limit)
	n, err := e.wait(ctx, events, timeout)
	var b strings.Builder
	for _, ev := range events[:n] {
		fmt.Fprintf(&b, " %v", ev.Events)
	}
	done(err, "%d [%s]", n, strings.TrimPrefix(b.String(), " "))
	return n, err
}

func (t *tracing) epollClose(e *Epoll) error {
	done := t.on(e.set.Descriptor(), "close", "")
	err := e.close()
	done(err, "0")
	return err
}
