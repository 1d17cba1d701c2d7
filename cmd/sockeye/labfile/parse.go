package labfile

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// fileKind is the whole of the file.
var fileKind = object("a lab",
	at("name", "by which sockeye fault finds the lab", nameKind, func(f *File) *string { return &f.Name }),
	at("seed", "decides whatever is drawn; without it each run is another", seedKind, func(f *File) *uint64 { return &f.Seed }),
	required(at("hosts", "the hosts by name", hostsKind, func(f *File) *[]Host { return &f.Hosts })),
	at("switches", "names of switches, each of which joins any number of hosts", list(nameKind, "names, as [office]"), func(f *File) *[]string { return &f.Switches }),
	at("links", "what joins two hosts or switches", list(linkKind(), "links, as - between: [client, server]"), func(f *File) *[]Link { return &f.Links }),
	at("schedule", "what goes wrong, and when", list(eventKind(), "events, as - {at: 10s, cut: wan, for: 2s}"), func(f *File) *[]Event { return &f.Schedule }),
)

// largest is how long a file may be.
const largest = 1 << 20

// Read reads a file. What is wrong in it is an *Errors.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse reads a file's text; name is for its errors, which are an *Errors.
func Parse(name string, text []byte) (*File, error) {
	r := &reader{file: new(File), machine: make(map[string]*yaml.Node)}
	r.document(text)
	if len(r.errs) > 0 {
		return nil, &Errors{name, sortErrors(r.errs)}
	}
	return r.file, nil
}

// document reads all of the file.
func (r *reader) document(text []byte) {
	if len(text) > largest {
		r.errs = append(r.errs, Error{1, 1, "the file is larger than 1 MiB"})
		return
	}
	var documents []yaml.Node
	if err := yaml.Load(text, &documents, yaml.WithAllDocuments()); err != nil {
		r.syntax(err)
		return
	}
	switch {
	case len(documents) == 0 || len(documents[0].Content) == 0:
		r.errs = append(r.errs, Error{1, 1, "the file is empty; sockeye up --print shows one to begin with"})
		return
	case len(documents) > 1:
		r.errorf(&documents[1], "a second document begins here: want one lab in a file")
		return
	}
	root := documents[0].Content[0]
	fileKind.read(r, root, r.file)
	if len(r.errs) > 0 {
		return // checks of what refers to something would follow from that
	}
	r.checkNames(root)
	for _, check := range r.checks {
		check()
	}
	if len(r.errs) == 0 {
		r.checkNetwork(root)
	}
}

// syntax is what is no YAML.
func (r *reader) syntax(err error) {
	add := func(e *yaml.LoadError) {
		r.errs = append(r.errs, Error{max(1, e.Mark.Line), max(1, e.Mark.Column), "this is no YAML: " + e.Message})
	}
	var one *yaml.LoadError
	var all *yaml.LoadErrors
	switch {
	case errors.As(err, &one):
		add(one)
	case errors.As(err, &all) && len(all.Errors) > 0:
		for _, e := range all.Errors {
			add(e)
		}
	default:
		r.errs = append(r.errs, Error{1, 1, "this is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")})
	}
}

// Schema is the JSON Schema of a file, for editors.
func Schema() []byte {
	s := fileKind.schema.with("A lab for sockeye up: hosts on links with faults, and what runs on them.")
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(text, '\n')
}

// value is that of a key in the document; the document if it has none.
func value(document *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(document.Content); i += 2 {
		if document.Content[i].Value == key {
			return document.Content[i+1]
		}
	}
	return document
}

// item is one of a list; the list if it is not that long.
func item(list *yaml.Node, i int) *yaml.Node {
	for list.Kind == yaml.AliasNode {
		list = list.Alias
	}
	if i < len(list.Content) {
		return list.Content[i]
	}
	return list
}

// Reserved are words that sockeye fault takes for something else than a name.
var Reserved = []string{"part", "join"}

// checkNames finds names that mean two things.
func (r *reader) checkNames(document *yaml.Node) {
	taken := make(map[string]string)
	take := func(n *yaml.Node, what, name string) {
		if was, ok := taken[name]; ok {
			r.errorf(n, "%s %q: %s has that name already; every host, switch and link has one of its own", what, name, was)
			return
		}
		if slices.Contains(Reserved, name) {
			r.errorf(n, "%s %q: that is a word of sockeye fault; take another name", what, name)
		}
		taken[name] = cmp.Or(map[string]string{"host": "a host", "switch": "a switch"}[what], "a link")
	}
	for i, h := range r.file.Hosts {
		take(item(value(document, "hosts"), 2*i), "host", h.Name)
	}
	for i, s := range r.file.Switches {
		take(item(value(document, "switches"), i), "switch", s)
	}
	for i, l := range r.file.Links {
		take(item(value(document, "links"), i), "link", l.Name)
	}
}
