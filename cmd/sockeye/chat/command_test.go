package chat_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sockeye/cmd/sockeye/chat"
)

func TestALineIsACommandOrIsSaid(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]chat.Command{
		"hello":                {Verb: "say", Text: "hello"},
		" /name ann":           {Verb: "say", Text: " /name ann"},
		"//name ann":           {Verb: "say", Text: "/name ann"},
		"/name ann":            {Verb: "name", Name: "ann"},
		"/NAME  ann   dev ":    {Verb: "name", Name: "ann", Room: "dev"},
		"/join dev":            {Verb: "join", Room: "dev"},
		"/leave":               {Verb: "leave"},
		"/leave dev":           {Verb: "leave", Room: "dev"},
		"/msg ann  a  b ":      {Verb: "msg", Name: "ann", Text: "a  b"},
		"/who":                 {Verb: "who"},
		"/rooms":               {Verb: "rooms"},
		"/json":                {Verb: "json"},
		"/quit":                {Verb: "quit"},
		"/quit see you there":  {Verb: "quit", Text: "see you there"},
		"a\tb\x1b[2Jc":         {Verb: "say", Text: "a b\ufffd[2Jc"},
		"\xff\xfd\x01ok":       {Verb: "say", Text: "\ufffd\ufffdok"},
		"abc\u202edef\u2066":   {Verb: "say", Text: "abc\ufffddef\ufffd"},
		"/msg ann \x07\u009b1": {Verb: "msg", Name: "ann", Text: "\ufffd\ufffd1"},
	} {
		if got, err := chat.Parse(line); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestAWrongCommandIsToldWhatIsRight(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/nmae ann":         "unknown command /nmae; try /name",
		"/message ann hi":   `unknown command "/message"; see /help, and begin with // to say a slash`,
		"/":                 `unknown command "/"; see /help, and begin with // to say a slash`,
		"/r":                "unknown command /r; try /rooms",
		"/name":             "/name wants NAME [ROOM], as in /name ann",
		"/name ann dev too": `/name wants NAME [ROOM], and "too" is too much`,
		"/msg ann":          "/msg wants NAME TEXT, as in /msg ann hello",
		"/rooms all":        `/rooms stands alone, and "all" is too much`,
		"/join":             "/join wants ROOM, as in /join lobby",
	} {
		if got, err := chat.Parse(line); err == nil || err.Error() != want {
			t.Errorf("%q is %+v, %v; want %s", line, got, err, want)
		}
	}
}

func TestNamesThatPassForOneAnotherAreOne(t *testing.T) {
	t.Parallel()
	everyEngine(t, chat.Options{}, func(w *world) {
		w.join("Ann", "lobby")
		w.join("가나", "lobby") // decomposed: it is composed when it is shown
		g := w.connect()
		for _, tt := range []struct{ name, want string }{
			{"aNN", "! aNN is taken; try /name aNN2"},
			{"Ａｎｎ", "! Ann is taken; try /name Ann2"}, // full width
			{"가나", "! 가나 is taken; try /name 가나2"},
			{"a:b", `! "a:b" is no name: letters, digits, '-', '_' and '.' make one, and a letter or digit begins it`},
			{"-ann", `! "-ann" is no name: letters, digits, '-', '_' and '.' make one, and a letter or digit begins it`},
			{strings.Repeat("x", 25), `! "xxxxxxxxxxxxxxxxxxxxxxxx..." is no name: it is longer than 24 letters`},
			{"bob a:b", `! "a:b" is no room: letters, digits, '-', '_' and '.' make one, and a letter or digit begins it`},
			{"bob", "* you are bob"},
		} {
			g.say("/name " + tt.name)
			g.await(tt.want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"hello", "/name ann", "/msg ann hi", "//x", "/", "/quit \x00", "/who \u202e", "/ name", "/name \xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := chat.Parse(line)
		if err != nil {
			if c != (chat.Command{}) {
				t.Errorf("%q gives both %+v and %v", line, c, err)
			}
			harmless(t, line, err.Error())
			return
		}
		for _, s := range []string{c.Name, c.Room, c.Text} {
			harmless(t, line, s)
		}
		if strings.ContainsRune(c.Name+c.Room, ' ') {
			t.Errorf("%q gives the name %q and the room %q", line, c.Name, c.Room)
		}
	})
}

// harmless checks that text cannot do anything to who reads it.
func harmless(t *testing.T, line, text string) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
		t.Errorf("%q gives %q", line, text)
	}
}
