package view

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"sockeye/cmd/sockeye/chat"
)

var (
	strong = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	chosen = lipgloss.NewStyle().Reverse(true)
	wrong  = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

// told shows an event.
func (m *Model) told(e chat.Event) {
	switch e.Kind {
	case chat.Named:
		m.me = e.Name
		m.status = "you are " + e.Name
	case chat.Lost:
		m.status = e.Text
	case chat.Refused:
		m.add(m.shown(), wrong.Render(e.String()))
	case chat.Help, chat.Rooms, chat.Bye:
		m.add(m.shown(), faint.Render(e.String()))
	case chat.Message:
		m.said(m.tab(e.Room, false), e)
	case chat.Private:
		with := e.From
		if with == m.me {
			with = e.To
		}
		m.said(m.tab(with, true), e)
	case chat.Left:
		if e.Name == m.me {
			m.closed(e.Room)
			return
		}
		m.presence(e)
	case chat.Entered, chat.Members, chat.Joined, chat.Renamed, chat.Counted:
		m.presence(e)
	}
}

// said shows what somebody said.
func (m *Model) said(t *tab, e chat.Event) {
	if t != m.shown() && !e.History {
		t.unread++
	}
	m.add(t, faint.Render(e.Time.Local().Format("15:04"))+" "+strong.Render(e.From)+" "+e.Text)
}

// presence notes who is in a room, and shows what changed.
func (m *Model) presence(e chat.Event) {
	t := m.tab(e.Room, false)
	switch e.Kind {
	case chat.Entered:
		t.members, t.count = e.Members, e.Count
		m.show(slices.Index(m.tabs, t))
	case chat.Members:
		t.members, t.count = e.Members, e.Count
		return // the column shows it
	case chat.Joined:
		t.members, t.count = append(t.members, e.Name), t.count+1
	case chat.Left:
		t.members, t.count = slices.DeleteFunc(t.members, func(n string) bool { return n == e.Name }), t.count-1
	case chat.Renamed:
		if i := slices.Index(t.members, e.From); i >= 0 {
			t.members[i] = e.Name
		}
	case chat.Counted:
		t.count = e.Count
	}
	_, text, _ := strings.Cut(e.String(), "] ")
	m.add(t, faint.Render(text))
}

// closed takes away the tab of a room that the member left.
func (m *Model) closed(room string) {
	t := m.tab(room, false)
	m.tabs = slices.DeleteFunc(m.tabs, func(o *tab) bool { return o == t })
	m.show(max(0, min(m.at, len(m.tabs)-1)))
}
