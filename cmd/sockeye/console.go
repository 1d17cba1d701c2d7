package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"sockeye"
)

// A console is standard error: events, failures and socket calls, each on a line
// of its own. A call is shown as soon as it is made, so that one that waits can
// be seen waiting; if something else has to be told meanwhile, its line is broken
// off and taken up again, as strace does.
type console struct {
	mu   sync.Mutex
	w    io.Writer
	json bool

	open uint64 // the call whose line has not ended; 0: none
}

// An event is what is told of the network.
type event struct {
	Event    string `json:"event"` // listening, certificate, cluster, connected, accepted, heard, closed, sent, received, code, failed, error, log, page
	Address  string `json:"address,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Name     string `json:"name,omitempty"`     // of a member of a chat
	Pin      string `json:"pin,omitempty"`      // of a certificate
	Target   string `json:"target,omitempty"`   // of a relay
	Received *int64 `json:"received,omitempty"` // bytes, from the peer
	Sent     *int64 `json:"sent,omitempty"`
	Error    string `json:"error,omitempty"`
	Text     string `json:"text,omitempty"` // of a lab's log
}

func (e event) String() string {
	who := e.Peer
	if e.Name != "" {
		who = e.Name + " at " + e.Peer
	}
	switch e.Event {
	case "log":
		return e.Text
	case "certificate":
		return "made a certificate; join with --pin " + e.Pin
	case "cluster":
		return "the servers of the cluster reach this one at " + e.Address
	case "code":
		return "the sender wants the code: --code " + e.Text
	case "sent", "received":
		if e.Event == "sent" {
			return "sent to " + e.Peer + ": " + e.Text
		}
		return "received from " + e.Peer + ": " + e.Text
	case "renamed":
		return fmt.Sprintf("%q is there as %q", e.Name, e.Target)
	case "clash", "skipped":
		return fmt.Sprintf("%q was left out: %s", e.Name, e.Error)
	case "listening":
		return "listening on " + e.Address
	case "serving":
		return "serving " + e.Target + " at " + e.Address
	case "connected":
		return fmt.Sprintf("connected to %s from %s", e.Peer, e.Address)
	case "accepted":
		if e.Target != "" {
			return e.Peer + " connected to " + e.Target
		}
		return who + " connected"
	case "heard":
		return e.Peer + " wrote"
	case "closed":
		s := who + " closed"
		if e.Received != nil {
			s += fmt.Sprintf(": %d bytes received", *e.Received)
		}
		if e.Sent != nil {
			s += fmt.Sprintf(", %d sent", *e.Sent)
		}
		if e.Error != "" {
			s += ": " + e.Error
		}
		return s
	}
	switch {
	case e.Peer != "":
		return e.Peer + ": " + e.Error
	case e.Name != "":
		return fmt.Sprintf("%q: %s", e.Name, e.Error)
	}
	return e.Error
}

// event tells e.
func (c *console) event(e event) {
	if c.json {
		c.object(e)
		return
	}
	c.line("sockeye: " + e.String())
}

// failure tells why the command ends.
func (c *console) failure(text string) {
	if c.json {
		c.object(event{Event: "error", Error: text})
		return
	}
	c.line("sockeye: " + text)
}

func (c *console) object(v any) {
	if b, err := json.Marshal(v); err == nil {
		c.line(string(b))
	}
}

func (c *console) line(s string) { c.Write([]byte(s + "\n")) }

// Write writes whole lines.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.breakOff()
	return c.w.Write(p)
}

// breakOff ends the line of a call that is still going on. It is called with mu
// held.
func (c *console) breakOff() {
	if c.open != 0 {
		io.WriteString(c.w, " <unfinished ...>\n")
		c.open = 0
	}
}

// A call is a TraceEvent in JSON.
type call struct {
	Event   string  `json:"event"` // call, or return
	ID      uint64  `json:"id"`    // the same of both
	Call    string  `json:"call"`
	Args    string  `json:"args"`
	Result  string  `json:"result,omitempty"`
	Elapsed float64 `json:"elapsed_s,omitempty"`
}

// trace shows a socket call's beginning or end.
func (c *console) trace(ev sockeye.TraceEvent) {
	if c.json {
		kind := "call"
		if ev.Done {
			kind = "return"
		}
		c.object(call{kind, ev.ID, ev.Call, ev.Args, ev.Result, ev.Elapsed.Seconds()})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !ev.Done:
		c.breakOff()
		fmt.Fprintf(c.w, "%s(%s", ev.Call, ev.Args)
		c.open = ev.ID
	case c.open == ev.ID:
		fmt.Fprintf(c.w, ") = %s\n", ev.Result)
		c.open = 0
	default:
		c.breakOff()
		fmt.Fprintf(c.w, "<... %s resumed>) = %s\n", ev.Call, ev.Result)
	}
}
