package chat_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"sockeye/cmd/sockeye/chat"
)

// client runs a Client on a world's first host, until leave. Its events come from a channel.
func (w *world) client(c *chat.Client) (events <-chan chat.Event, leave func() error) {
	told := make(chan chat.Event, 1000)
	c.Dial = func(ctx context.Context) (net.Conn, error) { return w.members[0].DialContext(ctx, "tcp", w.at) }
	c.Told = func(e chat.Event) { told <- e }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return told, sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
}

// next is the next event of a kind.
func next(t *testing.T, events <-chan chat.Event, kind chat.Kind) chat.Event {
	t.Helper()
	for {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e
			}
		case <-time.After(10 * time.Minute):
			t.Fatalf("%s does not come", kind)
		}
	}
}

// Who was cut off is there again, in the same rooms, and has heard each message once.
func TestAClientComesBackAndHearsNothingTwice(t *testing.T) {
	t.Parallel()
	inLab(t, 2, far, chat.Options{}, func(w *world) {
		c := &chat.Client{Name: "ann", Again: true}
		events, leave := w.client(c)
		defer leave()
		next(t, events, chat.Entered)
		if err := c.Say("/join dev"); err != nil {
			t.Fatal(err)
		}
		if e := next(t, events, chat.Entered); e.Room != "dev" {
			t.Fatalf("entered %s", e.Room)
		}
		w.next = 1
		bob := w.join("bob", "lobby")
		said := 0
		say := func(messages int) {
			for range messages {
				bob.say(fmt.Sprint(said))
				bob.await(fmt.Sprint("[lobby] bob: ", said))
				said++
			}
		}
		say(5)
		time.Sleep(time.Second)
		w.links[0].Cut()
		say(5)
		bob.await("[lobby] * ann left: the connection is lost")
		say(5)
		if e := next(t, events, chat.Message); e.Text != "0" {
			t.Fatalf("the first message is %q", e.Text)
		}
		w.links[0].Mend()
		bob.await("[lobby] * ann is here")
		say(5)
		for i := 1; i < said; i++ {
			if e := next(t, events, chat.Message); e.Text != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, e.Text)
			}
		}
		bob.say("/who dev")
		bob.await("[dev] * 1 is here: ann")
	})
}

func TestAClientIsToldWhyItCannotBeThere(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{}, func(w *world) {
		w.join("ann", "lobby")
		for name, want := range map[string]string{
			"ann": "ann is taken; try /name ann2",
			"a:b": `"a:b" is no name: letters, digits, '-', '_' and '.' make one, and a letter or digit begins it`,
		} {
			c := &chat.Client{Name: name, Again: true, Told: func(chat.Event) {}}
			c.Dial = func(ctx context.Context) (net.Conn, error) { return w.members[0].DialContext(ctx, "tcp", w.at) }
			if err := c.Run(t.Context()); err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	})
}
