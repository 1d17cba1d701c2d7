package labfile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sockeye/cmd/sockeye/labfile"
)

// The documentation's files are right, and it tells every setting and program.
func TestTheDocumentationIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/up.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("there is no file in it")
	}
	for _, b := range blocks {
		if _, err := labfile.Parse("docs/up.md", b[1]); err != nil {
			t.Error(err)
		}
	}
	// Its mistakes are told as it says.
	wrong := strings.NewReplacer("symmetric}  ", "symetric}  ", "- echo:", "- ehco:").Replace(string(blocks[0][1]))
	_, err = labfile.Parse("shop.yaml", []byte(wrong))
	if err == nil || !strings.Contains(string(text), "sockeye: "+err.Error()+"\n") {
		t.Errorf("it does not tell these errors:\n%v", err)
	}
	names := regexp.MustCompile(`"([a-z]+)": \{`).FindAllStringSubmatch(string(labfile.Schema()), -1)
	for _, name := range names {
		switch name[1] {
		case "properties", "items": // of JSON Schema
		default:
			if !strings.Contains(string(text), "`"+name[1]) && !strings.Contains(string(text), name[1]+":") {
				t.Errorf("it does not tell of %q", name[1])
			}
		}
	}
}
