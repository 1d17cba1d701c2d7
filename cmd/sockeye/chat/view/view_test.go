package view_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"sockeye/cmd/sockeye/chat"
	"sockeye/cmd/sockeye/chat/view"
)

// A terminal is the view with a member at it.
type terminal struct {
	t     *testing.T
	model tea.Model
	said  []string
	err   error // of saying something
	quit  bool
}

func newTerminal(t *testing.T, width, height int) *terminal {
	x := &terminal{t: t}
	x.model = view.New(func(line string) error {
		if x.err == nil {
			x.said = append(x.said, line)
		}
		return x.err
	})
	x.send(tea.WindowSizeMsg{Width: width, Height: height})
	return x
}

func (x *terminal) send(msgs ...tea.Msg) {
	for _, m := range msgs {
		var cmd tea.Cmd
		x.model, cmd = x.model.Update(m)
		if key, ok := m.(tea.KeyPressMsg); ok && key.String() == "ctrl+c" && cmd != nil {
			_, x.quit = cmd().(tea.QuitMsg)
		}
	}
}

func (x *terminal) types(text string) {
	for _, r := range text {
		x.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	x.press(tea.KeyEnter)
}

func (x *terminal) press(codes ...rune) {
	for _, c := range codes {
		x.send(tea.KeyPressMsg{Code: c})
	}
}

var styles = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// shows is what is on the screen, without styles and the spaces at the ends of lines.
func (x *terminal) shows() (lines []string) {
	for _, l := range strings.Split(x.model.View().Content, "\n") {
		lines = append(lines, strings.TrimRight(styles.ReplaceAllString(l, ""), " "))
	}
	return lines
}

func (x *terminal) wants(lines ...string) {
	x.t.Helper()
	if got := x.shows(); strings.Join(got, "\n") != strings.Join(lines, "\n") {
		x.t.Errorf("the screen is\n%s\nand should be\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)

func entered(room string, names ...string) chat.Event {
	return chat.Event{Kind: chat.Entered, Room: room, Count: len(names), Members: names}
}

func said(room, from, text string) chat.Event {
	return chat.Event{Kind: chat.Message, Time: noon, Room: room, From: from, Text: text}
}

func TestTheScreenShowsTabsLinesAndWhoIsThere(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 60, 8)
	x.wants("", "", "", "", "", "", "connecting", ">")
	x.send(chat.Event{Kind: chat.Named, Name: "ann"}, entered("lobby", "ann", "bob"), said("lobby", "bob", "hello"),
		chat.Event{Kind: chat.Joined, Room: "lobby", Name: "carl"})
	x.wants(
		" lobby",
		"* 2 are here: ann, bob                   3 here",
		"12:00 bob hello                          ann",
		"* carl is here                           bob",
		"                                         carl",
		"",
		"you are ann",
		">")
	x.send(chat.Event{Kind: chat.Left, Room: "lobby", Name: "bob", Text: "bye"}, chat.Event{Kind: chat.Renamed, Room: "lobby", From: "carl", Name: "karl"})
	x.wants(
		" lobby",
		"* 2 are here: ann, bob                   2 here",
		"12:00 bob hello                          ann",
		"* carl is here                           karl",
		"* bob left: bye",
		"* carl is now karl",
		"you are ann",
		">")
}

func TestANarrowTerminalShowsOnlyWhatIsSaid(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 20, 6)
	x.send(entered("lobby", "ann"), said("lobby", "bob", "a line that is longer than that"))
	x.wants(" lobby", "12:00 bob a line tha", "t is longer than tha", "t", "connecting", ">")
}

func TestTabTurnsToTheNextRoomAndTellsTheServer(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 40, 6)
	x.send(chat.Event{Kind: chat.Named, Name: "ann"}, entered("lobby", "ann"), entered("dev", "ann"), said("lobby", "bob", "hello"),
		chat.Event{Kind: chat.Private, Time: noon, From: "bob", To: "ann", Text: "psst"})
	x.wants(" lobby (1)   dev   @bob (1)", "* 1 is here: ann", "", "", "you are ann", ">")
	x.press(tea.KeyTab)
	x.wants(" lobby (1)   dev   @bob", "12:00 bob psst", "", "", "you are ann", ">")
	x.types("what?")
	x.types("//etc")
	x.types("/who dev")
	x.press(tea.KeyTab)
	x.wants(" lobby   dev   @bob", "* 1 is here: ann", "12:00 bob hello", "", "you are ann", ">")
	x.types("hi all")
	x.send(chat.Event{Kind: chat.Left, Room: "lobby", Name: "ann"})
	x.wants(" dev   @bob", "* 1 is here: ann", "", "", "you are ann", ">")
	want := []string{"/msg bob what?", "/msg bob /etc", "/who dev", "/join lobby", "hi all"}
	if fmt.Sprint(x.said) != fmt.Sprint(want) {
		t.Errorf("said is %q, want %q", x.said, want)
	}
}

func TestWhatIsSaidScrollsAndWhoReadsOldLinesIsNotMoved(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 30, 6)
	x.send(entered("lobby", "ann"))
	for i := range 10 {
		x.send(said("lobby", "bob", fmt.Sprint(i)))
		x.shows()
	}
	x.wants(" lobby", "12:00 bob 7", "12:00 bob 8", "12:00 bob 9", "connecting", ">")
	x.press(tea.KeyPgUp)
	x.send(said("lobby", "bob", "new"))
	x.wants(" lobby", "12:00 bob 4", "12:00 bob 5", "12:00 bob 6", "connecting, PageDown for what", ">")
	x.press(tea.KeyPgDown, tea.KeyPgDown)
	x.wants(" lobby", "12:00 bob 8", "12:00 bob 9", "12:00 bob new", "connecting", ">")
}

func TestALineThatCannotBeSentStays(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 60, 4)
	x.err = errors.New("there is no connection at the moment")
	x.send(chat.Event{Kind: chat.Lost, Text: "the server is gone; trying again in 1s"})
	x.wants("", "", "the server is gone; trying again in 1s", ">")
	x.types("hello")
	x.wants("", "", "not sent: there is no connection at the moment", "> hello")
	x.err = nil
	x.press(tea.KeyEnter)
	x.types("again")
	x.press(tea.KeyUp, tea.KeyUp)
	x.wants("", "", "not sent: there is no connection at the moment", "> hello")
	x.press(tea.KeyDown, tea.KeyDown)
	x.wants("", "", "not sent: there is no connection at the moment", ">")
	if fmt.Sprint(x.said) != "[hello again]" {
		t.Errorf("said is %q", x.said)
	}
}

func TestCtrlCLeaves(t *testing.T) {
	t.Parallel()
	x := newTerminal(t, 60, 4)
	x.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
	if !x.quit {
		t.Error("the view goes on")
	}
}
