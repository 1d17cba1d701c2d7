// Package view is a chat member's full-screen view on a terminal: a tab for each room, and for each person who is
// talked to alone; what was said there, who is there, and a line to type in.
package view

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"charm.land/bubbles/v2/textinput"
	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"sockeye/cmd/sockeye/chat"
)

// Run shows a client's chat on a terminal until it is over (Client.Run tells how), its member leaves with Ctrl-C, which
// gives nil, or ctx ends.
func Run(ctx context.Context, c *chat.Client, in, out *os.File) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(New(c.Say), tea.WithContext(running), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	c.Told = func(e chat.Event) { p.Send(e) }
	over := make(chan error, 1)
	go func() {
		over <- c.Run(running)
		p.Quit()
	}()
	_, err := p.Run()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	select {
	case err = <-over:
	default: // who leaves does not wait for an answer
		c.Say("/quit")
		cancel()
		<-over
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// A tab is a room, or a person who is talked to alone.
type tab struct {
	name    string
	alone   bool
	lines   []string
	members []string // some of count
	count   int
	unread  int
}

// title is the tab's name as it is shown.
func (t *tab) title() string {
	title := t.name
	if t.alone {
		title = "@" + title
	}
	if t.unread > 0 {
		title += fmt.Sprintf(" (%d)", t.unread)
	}
	return title
}

// maxLines is how many lines a tab keeps.
const maxLines = 1000

// A Model is the view's state. It takes chat.Events as messages.
type Model struct {
	say    func(line string) error
	me     string
	status string
	tabs   []*tab
	at     int // the tab that is shown

	input         textinput.Model
	lines         viewport.Model
	width, height int
	typed         []string // the lines before
	back          int      // which of them is shown; len(typed): the new one
}

// New makes a view. say is called with what the member types.
func New(say func(line string) error) *Model {
	m := &Model{say: say, status: "connecting", input: textinput.New(), lines: viewport.New(), width: 80, height: 24}
	m.input.Prompt = "> "
	m.input.CharLimit = chat.MaxLine
	m.input.SetVirtualCursor(false)
	m.input.Focus()
	m.lines.SoftWrap = true
	m.lines.KeyMap = viewport.KeyMap{} // letters are typed
	return m
}

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, nil
	case chat.Event:
		m.told(msg)
		return m, nil
	case tea.KeyPressMsg:
		if key, ok := keys[msg.String()]; ok {
			return m, key(m)
		}
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(msg)
	return m, cmd
}

// keys are what keys do that are not typed.
var keys = map[string]func(*Model) tea.Cmd{
	"ctrl+c":    func(*Model) tea.Cmd { return tea.Quit },
	"enter":     (*Model).enter,
	"tab":       func(m *Model) tea.Cmd { m.turn(1); return nil },
	"shift+tab": func(m *Model) tea.Cmd { m.turn(-1); return nil },
	"pgup":      func(m *Model) tea.Cmd { m.lines.PageUp(); return nil },
	"pgdown":    func(m *Model) tea.Cmd { m.lines.PageDown(); return nil },
	"up":        func(m *Model) tea.Cmd { m.recall(-1); return nil },
	"down":      func(m *Model) tea.Cmd { m.recall(1); return nil },
}

// enter sends what was typed.
func (m *Model) enter() tea.Cmd {
	text := m.input.Value()
	if strings.TrimSpace(text) == "" {
		return nil
	}
	line := text
	if t := m.shown(); t != nil && t.alone {
		if rest, slash := strings.CutPrefix(text, "/"); !slash || strings.HasPrefix(rest, "/") {
			line = "/msg " + t.name + " " + rest
		}
	}
	if err := m.say(line); err != nil {
		m.status = "not sent: " + err.Error()
		return nil
	}
	m.typed = append(m.typed, text)
	m.back = len(m.typed)
	m.input.Reset()
	return nil
}

// recall shows a line that was typed before.
func (m *Model) recall(step int) {
	m.back = min(max(m.back+step, 0), len(m.typed))
	m.input.Reset()
	if m.back < len(m.typed) {
		m.input.SetValue(m.typed[m.back])
		m.input.CursorEnd()
	}
}

func (m *Model) shown() *tab {
	if m.at >= len(m.tabs) {
		return nil
	}
	return m.tabs[m.at]
}

// turn shows another tab. The server is told, for what is typed goes to the room that was turned to.
func (m *Model) turn(step int) {
	if len(m.tabs) < 2 {
		return
	}
	m.show((m.at + step + len(m.tabs)) % len(m.tabs))
	if t := m.shown(); !t.alone {
		m.say("/join " + t.name)
	}
}

func (m *Model) show(i int) {
	m.at = i
	if t := m.shown(); t != nil {
		t.unread = 0
		m.lines.SetContentLines(t.lines)
		m.lines.GotoBottom()
	}
}

// tab finds a tab, or opens one.
func (m *Model) tab(name string, alone bool) *tab {
	i := slices.IndexFunc(m.tabs, func(t *tab) bool { return t.name == name && t.alone == alone })
	if i >= 0 {
		return m.tabs[i]
	}
	t := &tab{name: name, alone: alone}
	m.tabs = append(m.tabs, t)
	return t
}

// add adds lines to a tab.
func (m *Model) add(t *tab, text string) {
	if t == nil {
		m.status = text
		return
	}
	t.lines = append(t.lines, strings.Split(text, "\n")...)
	if over := len(t.lines) - maxLines; over > 0 {
		t.lines = slices.Delete(t.lines, 0, over)
	}
	if t != m.shown() {
		return
	}
	end := m.lines.AtBottom()
	m.lines.SetContentLines(t.lines)
	if end {
		m.lines.GotoBottom()
	}
}
