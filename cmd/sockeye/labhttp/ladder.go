package labhttp

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"sockeye/lab"
)

// A Conversation is what two sockets sent each other.
type Conversation struct {
	ID       string  `json:"id"`
	Protocol string  `json:"protocol"`
	Ends     [2]End  `json:"ends"` // the one that spoke first in front
	Packets  int     `json:"packets"`
	Lost     int     `json:"lost"`
	Last     float64 `json:"last"` // when the last packet was sent
}

// An End of a conversation.
type End struct {
	Host string `json:"host"` // "": it is no host of the lab
	Addr string `json:"addr"`
}

// A Ladder is a conversation with its last packets.
type Ladder struct {
	Conversation
	Earlier int    `json:"earlier"` // packets that are not in Rungs
	Rungs   []Rung `json:"rungs"`
}

// A Rung is a packet.
type Rung struct {
	From    int       `json:"from"` // which of the ends sent it
	Text    string    `json:"text"`
	Sent    float64   `json:"sent"`
	Arrived float64   `json:"arrived,omitempty"` // 0: it was lost, or is on its way
	Lost    string    `json:"lost,omitempty"`    // why, and where
	States  [2]string `json:"states"`            // of TCP's ends, where the packet changed them
}

// How many conversations, and packets of one, are told.
const (
	mostConversations = 30
	mostRungs         = 100
)

// ladders is GET /api/ladders.
func (v *View) ladders(*http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	return latest(l.Network.Conversations()), nil
}

// ladder is GET /api/ladders/{id}.
func (v *View) ladder(r *http.Request) (any, error) {
	l, err := v.shown()
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	if answer := ladder(l.Network.Conversations(), id); answer != nil {
		return answer, nil
	}
	return nil, refuse(http.StatusNotFound, "there is no conversation %q; GET /api/ladders has those that are remembered", id)
}

// latest are the conversations that were the last to say something, the latest first.
func latest(all []*lab.Conversation) []Conversation {
	list := make([]Conversation, 0, len(all))
	for _, c := range all {
		list = append(list, conversation(c))
	}
	slices.SortStableFunc(list, func(a, b Conversation) int {
		switch {
		case a.Last > b.Last:
			return -1
		case a.Last < b.Last:
			return 1
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list[:min(len(list), mostConversations)]
}

func conversation(c *lab.Conversation) Conversation {
	add := Conversation{Protocol: protocolName(c), Packets: len(c.Steps), Last: c.Steps[len(c.Steps)-1].Sent.Seconds()}
	for i := range c.Steps {
		if c.Steps[i].Lost != "" {
			add.Lost++
		}
	}
	for i, e := range c.Ends {
		add.Ends[i].Addr = e.String()
		if e.Port() == 0 {
			add.Ends[i].Addr = e.Addr().String()
		}
		if h := c.Hosts[i]; h != nil {
			add.Ends[i].Host = h.Name()
		}
	}
	add.ID = fmt.Sprintf("%s,%s,%s", add.Protocol, add.Ends[0].Addr, add.Ends[1].Addr)
	return add
}

func protocolName(c *lab.Conversation) string {
	return strings.ToLower(strings.TrimPrefix(c.Proto.String(), "IPPROTO_"))
}

// ladder is the conversation of an id; nil: there is none. Who follows one that is forgotten bit by bit finds it still:
// the end that spoke first may then be the other one.
func ladder(all []*lab.Conversation, id string) *Ladder {
	for _, c := range all {
		head := conversation(c)
		if turned := fmt.Sprintf("%s,%s,%s", head.Protocol, head.Ends[1].Addr, head.Ends[0].Addr); id != head.ID && id != turned {
			continue
		}
		rungs := c.Rungs()
		l := &Ladder{Conversation: head, Earlier: max(0, len(rungs)-mostRungs), Rungs: []Rung{}}
		for _, r := range rungs[l.Earlier:] {
			l.Rungs = append(l.Rungs, Rung{r.From, r.Text, r.Sent.Seconds(), r.Arrived.Seconds(), r.Lost, r.States})
		}
		return l
	}
	return nil
}
