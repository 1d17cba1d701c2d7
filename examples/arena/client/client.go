package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sockeye/examples/arena/game"
	"sockeye/examples/arena/wire"
)

// Dial opens connections, as DialContext of a host does.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// A Client is a player in a match.
type Client struct {
	lobby  net.Conn
	lines  *bufio.Scanner
	states net.Conn

	mu    sync.Mutex
	game  *Game
	id    uint8
	names map[uint8]string
	said  []string // last is newest
}

// maxSaid is how many lines a client remembers.
const maxSaid = 100

// Join enters a match under a name. ctx is for joining only.
func Join(ctx context.Context, dial Dial, address, name, match string) (c *Client, err error) {
	lobby, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lobby.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { lobby.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	c = &Client{lobby: lobby, lines: bufio.NewScanner(lobby), names: map[uint8]string{}}
	fmt.Fprintf(lobby, "name %s\njoin %s\n", name, match)
	for c.lines.Scan() {
		word, rest, _ := strings.Cut(c.lines.Text(), " ")
		switch word {
		case "error":
			return nil, errors.New(rest)
		case "joined":
			var of string
			var token uint64
			var port int
			if _, err := fmt.Sscanf(rest, "%s %d %x %d", &of, &c.id, &token, &port); err != nil {
				return nil, fmt.Errorf("%s is no arena server: it said %q", address, c.lines.Text())
			}
			host, _, err := net.SplitHostPort(lobby.RemoteAddr().String())
			if err != nil {
				return nil, err
			}
			c.game = NewGame(token)
			c.states, err = dial(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(port)))
			return c, err
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.lines.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s ended the connection before the match began", address)
}

// Play plays until ctx ends, which gives nil, or the server ends the connection. think is called 30 times a second with
// what the player sees, and tells what the player does.
func (c *Client) Play(ctx context.Context, think func(View) game.Input) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var work sync.WaitGroup
	work.Go(func() { cancel(c.listen()) })
	work.Go(func() { cancel(c.receive()) })
	tick := time.NewTicker(time.Second / game.Rate)
	defer tick.Stop()
	var b []byte
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			in := think(c.View())
			c.mu.Lock()
			b = c.game.Step(in, time.Now(), b[:0])
			c.mu.Unlock()
			c.states.Write(b) // what is not sent is sent again with the next
		}
	}
	c.lobby.Close()
	c.states.Close()
	work.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// receive takes snapshots.
func (c *Client) receive() error {
	b := make([]byte, wire.MaxSize+1)
	for {
		n, err := c.states.Read(b)
		if errors.Is(err, syscall.ECONNREFUSED) { // one ICMP error; the lobby tells when the server is gone
			continue
		}
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.game.Take(b[:n], time.Now())
		c.mu.Unlock()
	}
}

// listen takes what the lobby says.
func (c *Client) listen() error {
	for c.lines.Scan() {
		c.hear(c.lines.Text())
	}
	if err := c.lines.Err(); err != nil {
		return err
	}
	return errors.New("the server ended the connection")
}

func (c *Client) hear(line string) {
	word, rest, _ := strings.Cut(line, " ")
	first, second, _ := strings.Cut(rest, " ")
	id := func(s string) uint8 {
		n, _ := strconv.ParseUint(s, 10, 8)
		return uint8(n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch word {
	case "player":
		c.names[id(first)] = second
		c.remember(second + " is here")
	case "gone":
		c.remember(c.names[id(first)] + " left")
		delete(c.names, id(first))
	case "kill":
		c.remember(c.names[id(first)] + " shot " + c.names[id(second)])
	case "said":
		c.remember(first + ": " + second)
	case "error":
		c.remember("the server: " + rest)
	}
}

func (c *Client) remember(line string) {
	c.said = append(c.said, line)
	if len(c.said) > maxSaid {
		c.said = c.said[1:]
	}
}

// Say says something to all in the match.
func (c *Client) Say(text string) error {
	_, err := fmt.Fprintf(c.lobby, "say %s\n", strings.ReplaceAll(text, "\n", " "))
	return err
}

// View gives what the player sees now.
func (c *Client) View() View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.game.View()
}

// Said gives what was said and done, the newest last.
func (c *Client) Said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}

// Name gives the name of a player in the match.
func (c *Client) Name(id uint8) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[id]
}

// Figures gives what was seen of the network.
func (c *Client) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.game.Figures()
}
