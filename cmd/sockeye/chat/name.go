package chat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const maxName = 24 // runes

// parseName gives a name of a person or a room as it is to be shown, and a key that is the same for
// all names that pass for this one (RFC 8265, section 3.3).
func parseName(kind, s string) (name, key string, err error) {
	wrong := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("%s is no %s: %s", quote(s), kind, why)
	}
	name, err = precis.UsernameCasePreserved.String(s)
	if err == nil {
		key, err = precis.UsernameCaseMapped.CompareKey(s)
	}
	if first, _ := utf8.DecodeRuneInString(name); err != nil || !isWord(first) || strings.ContainsFunc(name, notInName) {
		return wrong("letters, digits, '-', '_' and '.' make one, and a letter or digit begins it")
	}
	if utf8.RuneCountInString(name) > maxName {
		return wrong(fmt.Sprintf("it is longer than %d letters", maxName))
	}
	return name, key, nil
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func notInName(r rune) bool {
	return !isWord(r) && !unicode.IsMark(r) && !strings.ContainsRune("-_.", r)
}

// quote shows a word that was typed, or its beginning.
func quote(s string) string {
	if r := []rune(s); len(r) > maxName {
		s = string(r[:maxName]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

// clean makes text harmless to a terminal and to who reads along: it is valid UTF-8 without control
// characters, and without those that reorder what stands around them (Unicode UAX #9, section 2).
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}
