package view

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

const (
	columnWidth = 20 // of the members
	roomForAll  = 60 // columns from which on they are shown
	around      = 3  // lines that are not what was said: tabs, status, input
)

// View implements tea.Model.
func (m *Model) View() tea.View {
	width := m.width
	var column string
	if t := m.shown(); t != nil && !t.alone && m.width >= roomForAll {
		width -= columnWidth
		column = m.members(t)
	}
	end := m.lines.AtBottom()
	m.lines.SetWidth(width)
	m.lines.SetHeight(max(1, m.height-around))
	if end {
		m.lines.GotoBottom() // a window that shrinks shows the last lines still
	}
	m.input.SetWidth(max(1, m.width-len(m.input.Prompt)-1))
	v := tea.NewView(strings.Join([]string{
		m.titles(),
		lipgloss.JoinHorizontal(lipgloss.Top, m.lines.View(), column),
		faint.MaxWidth(m.width).Render(m.footer()),
		m.input.View(),
	}, "\n"))
	v.AltScreen = true
	v.WindowTitle = "sockeye chat"
	if v.Cursor = m.input.Cursor(); v.Cursor != nil {
		v.Cursor.Color = nil // the terminal's own
		v.Cursor.Y = m.height - 1
	}
	return v
}

// titles is the line of tabs.
func (m *Model) titles() string {
	var all []string
	for i, t := range m.tabs {
		style := lipgloss.NewStyle()
		switch {
		case i == m.at:
			style = chosen
		case t.unread > 0:
			style = strong
		}
		all = append(all, style.Render(" "+t.title()+" "))
	}
	return lipgloss.NewStyle().MaxWidth(m.width).Render(strings.Join(all, " "))
}

// members is the column of who is in a room.
func (m *Model) members(t *tab) string {
	height := max(1, m.height-around)
	lines := []string{faint.Render(fmt.Sprintf("%d here", t.count))}
	lines = append(lines, t.members[:min(len(t.members), height-1)]...)
	if more := t.count - (len(lines) - 1); more > 0 && len(lines) == height {
		lines[height-1] = faint.Render(fmt.Sprintf("and %d more", more+1))
	}
	return lipgloss.NewStyle().PaddingLeft(1).MaxWidth(columnWidth).Render(strings.Join(lines, "\n"))
}

func (m *Model) footer() string {
	if !m.lines.AtBottom() {
		return m.status + ", PageDown for what is new"
	}
	return m.status
}
