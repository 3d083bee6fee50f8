package lsf

import (
	"os"
	"strings"
	"testing"
)

// TestOptionsAreDocumented compares the page with the table.
func TestOptionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/emulation.md")
	if err != nil {
		t.Fatal(err)
	}
	words := " " + strings.Join(strings.FieldsFunc(string(page), func(r rune) bool { return strings.ContainsRune(" `\n,=()", r) }), " ") + " "
	for _, o := range bsubOptions {
		if o.Name == "h" || o.Name == "V" || strings.HasPrefix(o.Name, "I") {
			continue
		}
		if !strings.Contains(words, " -"+o.Name+" ") && !strings.Contains(words, " -"+o.Name+". ") {
			t.Errorf("-%s is not in docs/emulation.md", o.Name)
		}
	}
}
