package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/user"
	"strings"

	"sockeye/cmd/sockeye/chat"
)

// userName is who the user of this machine is.
func userName() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// join is at the chat until its end.
func (m *chatMember) join(ctx context.Context) error {
	c := &chat.Client{Dial: m.dial, Name: m.name, Room: m.room}
	var err error
	if !m.plain && !m.a.json && !m.a.verbose && terminal(m.a.stdin) && terminal(m.a.stdout) {
		err = m.onScreen(ctx, c)
	} else {
		err = m.inLines(ctx, c)
	}
	var known failure
	if refusal, ok := errors.AsType[chat.Refusal](err); ok {
		err = errors.New(strings.Replace(refusal.Text, "try /name ", "try --name ", 1))
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, errStdout) || errors.As(err, &known) {
		return err
	}
	return failure{m.to.String(), err}
}

// inLines sends the lines of standard input, and writes what comes.
func (m *chatMember) inLines(ctx context.Context, c *chat.Client) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready := make(chan struct{})
	c.Told = func(e chat.Event) {
		var err error
		switch {
		case m.a.json:
			err = m.a.object(e)
		case e.Kind != chat.Welcome && e.Kind != chat.Named:
			err = m.a.output([]byte(e.String() + "\n"))
		}
		if err != nil {
			cancel(err)
		}
		if e.Kind == chat.Named && ready != nil { // until then lines would be lost
			close(ready)
			ready = nil
		}
	}
	go func(ready <-chan struct{}) {
		select {
		case <-ready:
		case <-ctx.Done():
			return
		}
		lines := bufio.NewScanner(m.a.stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if c.Say(lines.Text()) != nil {
				return // Run meets it too
			}
		}
		if err := lines.Err(); err != nil {
			m.a.inputFailed(err)
		}
		c.End()
	}(ready)
	return c.Run(ctx)
}
