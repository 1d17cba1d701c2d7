package chat

import (
	"fmt"
	"slices"
	"strings"
)

// A Command is what a line asks for.
type Command struct {
	// Verb is "name", "join", "leave", "msg", "who", "rooms", "json", "help" or "quit"; or "say",
	// which no slash stands for.
	Verb string
	Name string // of name and msg
	Room string // of name, join, leave and who; "" where none was given
	Text string // of say, msg and quit
}

// A verb is a command's name, and what comes after it.
type verb struct {
	name   string
	wants  string // what must or may follow, as people read it
	does   string
	try    string
	args   []func(*Command) *string // where the words go
	least  int                      // how many there must be
	isText bool                     // the last one takes the rest of the line
	anyone bool                     // obeyed before there is a name
}

func nameArg(c *Command) *string { return &c.Name }
func roomArg(c *Command) *string { return &c.Room }
func textArg(c *Command) *string { return &c.Text }

type args = []func(*Command) *string

var verbs = []verb{
	{name: "name", wants: "NAME [ROOM]", does: "take a name", try: "/name ann", args: args{nameArg, roomArg}, least: 1, anyone: true},
	{name: "join", wants: "ROOM", does: "enter a room, or turn to it", try: "/join lobby", args: args{roomArg}, least: 1},
	{name: "leave", wants: "[ROOM]", does: "leave a room", try: "/leave lobby", args: args{roomArg}},
	{name: "msg", wants: "NAME TEXT", does: "tell one person alone", try: "/msg ann hello", args: args{nameArg, textArg}, least: 2, isText: true},
	{name: "who", wants: "[ROOM]", does: "who is in a room", try: "/who lobby", args: args{roomArg}},
	{name: "rooms", does: "which rooms there are", try: "/rooms"},
	{name: "json", does: "write JSON from now on, one event a line", try: "/json", anyone: true},
	{name: "help", does: "this list", try: "/help", anyone: true},
	{name: "quit", wants: "[TEXT]", does: "leave", try: "/quit", args: args{textArg}, isText: true, anyone: true},
}

// Parse reads a line from a member, without its end. Its errors are for the member to read.
func Parse(line string) (Command, error) {
	rest, slash := strings.CutPrefix(line, "/")
	if !slash || strings.HasPrefix(rest, "/") {
		return Command{Verb: "say", Text: clean(rest)}, nil
	}
	word, rest, _ := strings.Cut(rest, " ")
	v, err := findVerb(word)
	if err != nil {
		return Command{}, err
	}
	c := Command{Verb: v.name}
	given := 0
	for rest = strings.Trim(rest, " "); rest != "" && given < len(v.args); given++ {
		next := rest
		if last := given == len(v.args)-1; last && v.isText {
			rest = ""
		} else {
			next, rest, _ = strings.Cut(rest, " ")
			rest = strings.TrimLeft(rest, " ")
		}
		*v.args[given](&c) = clean(next)
	}
	switch {
	case given < v.least:
		return Command{}, fmt.Errorf("/%s wants %s, as in %s", v.name, v.wants, v.try)
	case rest != "" && v.wants == "":
		return Command{}, fmt.Errorf("/%s stands alone, and %s is too much", v.name, quote(clean(rest)))
	case rest != "":
		return Command{}, fmt.Errorf("/%s wants %s, and %s is too much", v.name, v.wants, quote(clean(rest)))
	}
	return c, nil
}

func findVerb(word string) (verb, error) {
	i := slices.IndexFunc(verbs, func(v verb) bool { return strings.EqualFold(v.name, word) })
	if i >= 0 {
		return verbs[i], nil
	}
	for _, v := range verbs {
		if len(word) > 0 && near(strings.ToLower(word), v.name) {
			return verb{}, fmt.Errorf("unknown command /%s; try /%s", clean(word), v.name)
		}
	}
	return verb{}, fmt.Errorf("unknown command %s; see /help, and begin with // to say a slash", quote(clean("/"+word)))
}

// near tells whether two words have the same letters, or one of them lacks its end.
func near(a, b string) bool {
	if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
		return true
	}
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// help is what /help answers, a line each.
func help() (lines []string) {
	for _, v := range verbs {
		lines = append(lines, fmt.Sprintf("%-18s %s", "/"+strings.TrimSpace(v.name+" "+v.wants), v.does))
	}
	return append(lines, fmt.Sprintf("%-18s %s", "//TEXT", "say /TEXT; all else is said as it is"))
}
