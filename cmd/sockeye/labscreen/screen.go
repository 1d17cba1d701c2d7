// Package labscreen shows on a terminal what goes on in a lab that is up: its hosts, its links with
// rate and loss, the connections, and the end of its log.
package labscreen

import (
	"context"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"sockeye/cmd/sockeye/labup"
)

// A Log is the last lines of a lab's log. Its methods may be called by any goroutine; none waits.
type Log struct {
	mu    sync.Mutex
	lines []string
}

// kept is how many lines a Log keeps.
const kept = 200

// Add adds a line, with the time of day.
func (l *Log) Add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == kept {
		l.lines = append(l.lines[:0], l.lines[1:]...)
	}
	l.lines = append(l.lines, time.Now().Format(time.TimeOnly)+" "+text)
}

// last gives the last lines.
func (l *Log) last(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[max(0, len(l.lines)-n):]...)
}

// Run shows a lab until Ctrl-C or q, which give nil, or the context ends, whose cause it gives. Head is
// lines about what to type.
func Run(ctx context.Context, l *labup.Lab, head []string, log *Log, in, out *os.File) error {
	m := &model{lab: l, head: head, log: log, width: 80, height: 24}
	m.look(time.Now())
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A model is the screen's state.
type model struct {
	lab           *labup.Lab
	head          []string
	log           *Log
	width, height int
	view          View
	at            time.Time // when view was made
}

// A look is that it is time to look at the lab again.
type look time.Time

// every is how often that is.
const every = time.Second

func next() tea.Cmd { return tea.Tick(every, func(t time.Time) tea.Msg { return look(t) }) }

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return next() }

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if key := msg.String(); key == "ctrl+c" || key == "q" {
			return m, tea.Quit
		}
	case look:
		m.look(time.Time(msg))
		return m, next()
	}
	return m, nil
}

// look sees what the lab is like now.
func (m *model) look(now time.Time) {
	was := m.view.Now
	m.view = View{Head: m.head, Now: m.lab.State(), Was: was, Over: now.Sub(m.at), Sockets: sockets(m.lab)}
	m.at = now
}

// sockets are those that talk to somebody.
func sockets(l *labup.Lab) (list []Socket) {
	for _, h := range l.Network().Hosts() {
		for _, s := range h.SocketStatuses() {
			if s.Peer != "" && s.State != "LISTEN" && s.State != "UNCONNECTED" {
				list = append(list, Socket{h.Name(), s})
			}
		}
	}
	return list
}

// View implements tea.Model.
func (m *model) View() tea.View {
	m.view.Log = m.log.last(m.height)
	v := tea.NewView(m.view.Draw(m.width, m.height))
	v.AltScreen = true
	v.WindowTitle = "sockeye up " + m.view.Now.Lab
	return v
}
