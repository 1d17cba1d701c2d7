package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"sockeye/examples/arena/client"
	"sockeye/examples/arena/game"
	"sockeye/kernel"
)

func play(ctx context.Context, address, name, match string) error {
	if name == "" {
		name = "nobody"
	}
	joining, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.Join(joining, kernel.Host().DialContext, address, name, match)
	if err != nil {
		return err
	}
	playing, leave := context.WithCancel(ctx)
	defer leave()
	s := &screen{client: c, match: match}
	p := tea.NewProgram(s, tea.WithContext(playing), tea.WithoutSignalHandler())
	over := make(chan error, 1)
	go func() {
		over <- c.Play(playing, s.input)
		p.Quit()
	}()
	_, err = p.Run()
	leave()
	if played := <-over; played != nil || errors.Is(err, tea.ErrProgramKilled) {
		return played
	}
	return err
}

// A screen is the field on a terminal. A terminal tells which keys go down, but not when they go up: a heading holds
// until the next one, or until its key comes again.
type screen struct {
	client  *client.Client
	match   string
	heading game.Heading
	fire    atomic.Bool
	swims   atomic.Uint32 // heading, for the goroutine that plays
	talking bool
	text    string
}

// input is what the player does now.
func (s *screen) input(client.View) game.Input {
	in := game.Input(s.swims.Load())
	if s.fire.Swap(false) {
		in |= game.Fire
	}
	return in
}

// A frame is the time for the next picture.
type frame struct{}

func next() tea.Cmd {
	return tea.Tick(time.Second/game.Rate, func(time.Time) tea.Msg { return frame{} })
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return next() }

var headings = map[string]game.Heading{"up": game.Up, "down": game.Down, "left": game.Left, "right": game.Right}

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case frame:
		return s, next()
	case tea.KeyPressMsg:
		key := msg.String()
		if key == "ctrl+c" {
			return s, tea.Quit
		}
		if s.talking {
			s.talk(key, msg.Text)
			return s, nil
		}
		switch h, ok := headings[key]; {
		case key == "q":
			return s, tea.Quit
		case key == "space":
			s.fire.Store(true)
		case key == "enter":
			s.talking = true
		case ok && h == s.heading && !msg.IsRepeat:
			s.heading = game.Still
		case ok:
			s.heading = h
		}
		s.swims.Store(uint32(s.heading))
	}
	return s, nil
}

// talk edits the line that the player says.
func (s *screen) talk(key, text string) {
	switch key {
	case "enter":
		if s.text != "" {
			s.client.Say(s.text)
		}
		s.talking, s.text = false, ""
	case "esc":
		s.talking, s.text = false, ""
	case "backspace":
		if r := []rune(s.text); len(r) > 0 {
			s.text = string(r[:len(r)-1])
		}
	default:
		if len(s.text)+len(text) < 300 {
			s.text += text
		}
	}
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	view, f := s.client.View(), s.client.Figures()
	var b strings.Builder
	b.WriteString(client.Draw(view))
	ping := "?"
	if n := len(f.Acks); n > 0 {
		ping = f.Acks[n-1].Round(time.Millisecond).String()
	}
	fmt.Fprintf(&b, "%s  score %d  health %s  inputs done after %s  snapshots lost %d  corrections %d\n", s.match, view.Own.Score,
		strings.Repeat("♥", int(view.Own.Health)), ping, f.Missed, f.Corrections)
	said := s.client.Said()
	for _, line := range said[max(0, len(said)-2):] {
		b.WriteString(line + "\n")
	}
	if s.talking {
		b.WriteString("> " + s.text)
	}
	v := tea.NewView(b.String())
	v.AltScreen = true
	v.WindowTitle = "arena"
	return v
}
