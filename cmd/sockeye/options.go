package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sockeye"
	"sockeye/addr"
)

func (a *app) optionsCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "options [ADDR | SCHEME]",
		Short: "Every socket option of a fresh or connected socket",
		Example: `  sockeye options                      # of a fresh TCP socket
  sockeye options udp6                 # of another kind
  sockeye options localhost:8888       # of a connected one, TCP_INFO included
  sockeye options tcp --json`,
		Long: `For each option: level, name, value, the C type, and whether it can be set. An
option that the kind of socket does not have is left out unless --all asks for it; one
that has no value now tells the errno. Fields of a value that are zero are left out. In
a pipe the five are separated by tabs, without their names. A JSON line has level, name, number, type,
access, value and errno; times are in seconds.`,
		Args: arguments("[ADDR]"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, s string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return addr.Schemes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.subject(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer s.Close()
			return a.options(s, all)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also those that this kind of socket does not have")
	return cmd
}

// subject opens the socket whose options are asked for.
func (a *app) subject(ctx context.Context, args []string) (*sockeye.Socket, error) {
	word := "tcp4"
	if len(args) > 0 {
		word = args[0]
	}
	kind, err := addr.Of(strings.TrimRight(word, ":/"))
	if err != nil {
		to, err := addr.Parse(word)
		if err != nil {
			return nil, err
		}
		s, err := to.Connect(ctx, a.host)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, failure{"connect to " + to.String(), err}
		}
		return s, nil
	}
	if kind.Type == sockeye.SOCK_RAW && kind.Protocol == 0 {
		return nil, usage("a raw socket is of one protocol; try sockeye options %s://localhost/89", kind.Scheme())
	}
	infos, err := kind.Local(ctx, a.host)
	if err != nil {
		return nil, err
	}
	s, err := infos[0].Socket(a.host)
	if errors.Is(err, syscall.EAFNOSUPPORT) && len(infos) > 1 {
		s, err = infos[1].Socket(a.host)
	}
	if err != nil {
		return nil, failure{"open a socket of " + kind.Scheme(), err}
	}
	return s, nil
}

// An optionLine is one line of options --json.
type optionLine struct {
	Level  string  `json:"level"`
	Name   string  `json:"name"`
	Number int     `json:"number"`
	Type   string  `json:"type"`
	Access string  `json:"access"` // read-write, read-only, write-only
	Value  any     `json:"value"`  // null if it can't be read
	Errno  *string `json:"errno"`  // null if it can
}

// widest is how wide a value with several fields may be in a column; a wider one
// has each field on a line of its own.
const widest = 24

func (a *app) options(s *sockeye.Socket, all bool) error {
	var rows [][]string
	var waiting []optionLine // write-only ones of a level that may not be there
	there := map[string]bool{}
	columns := terminal(a.stdout)
	show := func(l optionLine, v any) error {
		if a.json {
			return a.object(l)
		}
		text := "-"
		switch {
		case l.Errno != nil:
			text = *l.Errno
		case v != nil:
			text = words(v)
		}
		parts := fieldsOf(v)
		if !columns || len(text) <= widest || len(parts) == 0 {
			rows = append(rows, []string{l.Level, l.Name, text, l.Type, l.Access})
			return nil
		}
		rows = append(rows, []string{l.Level, l.Name, "", l.Type, l.Access})
		for _, f := range parts {
			rows = append(rows, []string{"", "  " + f.name, f.text, "", ""})
		}
		return nil
	}
	for _, o := range sockeye.Options() {
		l, v, err := a.option(s, o)
		var errno syscall.Errno
		errors.As(err, &errno)
		switch {
		case o.Access() == sockeye.WriteOnly && !all && !there[l.Level]:
			waiting = append(waiting, l)
			continue
		case !all && (errno == syscall.ENOPROTOOPT || errno == syscall.EOPNOTSUPP):
			continue
		}
		if o.Access() != sockeye.WriteOnly {
			there[l.Level] = true
		}
		if err := show(l, v); err != nil {
			return err
		}
	}
	for _, l := range waiting {
		if there[l.Level] {
			if err := show(l, nil); err != nil {
				return err
			}
		}
	}
	if a.json {
		return nil
	}
	return a.table([]string{"LEVEL", "NAME", "VALUE", "TYPE", "ACCESS"}, rows)
}

// option reads one option: its line and, if there is one, its value. An error
// that getsockopt answered is in the line as well.
func (a *app) option(s *sockeye.Socket, o sockeye.AnyOption) (optionLine, any, error) {
	_, number := o.Number()
	l := optionLine{Level: o.LevelName(), Name: o.String(), Number: number, Type: o.Type(), Access: o.Access().String()}
	if o.Access() == sockeye.WriteOnly {
		return l, nil, nil
	}
	v, err := o.Value(s)
	if err != nil {
		name := oneLine(err.Error())
		if errno := syscall.Errno(0); errors.As(err, &errno) {
			name = sockeye.ErrnoName(errno)
		}
		l.Errno = &name
		return l, nil, err
	}
	l.Value = plain(v)
	return l, v, nil
}

// plain is a value as JSON has it: times in seconds, constants and addresses by
// their names, bytes in hexadecimal.
func plain(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v.Seconds()
	case syscall.Errno:
		if v == 0 {
			return nil
		}
		return sockeye.ErrnoName(v)
	case []byte:
		return hex.EncodeToString(v)
	case fmt.Stringer:
		if reflect.TypeOf(v).Kind() != reflect.Struct || reflect.TypeOf(v).NumField() == 0 || unexported(v) {
			return v.String()
		}
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct {
		return v
	}
	fields := make(map[string]any, r.NumField())
	for i := range r.NumField() {
		fields[r.Type().Field(i).Name] = plain(r.Field(i).Interface())
	}
	return fields
}

// unexported tells whether a struct keeps its fields to itself, so that only its
// String can be shown.
func unexported(v any) bool { return !reflect.TypeOf(v).Field(0).IsExported() }

// words is a value on one line for people.
func words(v any) string {
	switch v := v.(type) {
	case syscall.Errno:
		if v == 0 {
			return "0"
		}
		return sockeye.ErrnoName(v)
	case []byte:
		if len(v) == 0 {
			return "-"
		}
		return hex.EncodeToString(v)
	case string:
		if v == "" {
			return "-"
		}
	case fmt.Stringer:
		return v.String()
	}
	if reflect.TypeOf(v).Kind() != reflect.Struct {
		return fmt.Sprint(v)
	}
	var parts []string
	for _, f := range fieldsOf(v) {
		parts = append(parts, f.name+"="+f.text)
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, " ")
}

// A field is one of a struct's, in words.
type field struct{ name, text string }

// fieldsOf gives the fields of a struct that are not zero; of anything else, none.
func fieldsOf(v any) []field {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct || r.NumField() == 0 || unexported(v) {
		return nil
	}
	var fields []field
	for i := range r.NumField() {
		if f := r.Field(i); !f.IsZero() {
			fields = append(fields, field{r.Type().Field(i).Name, words(f.Interface())})
		}
	}
	return fields
}
