package backend

import (
	"strings"
	"testing"

	"github.com/muster-queue/muster/job"
)

func TestCheckSpec(t *testing.T) {
	for name, test := range map[string]struct {
		spec map[string]any
		says string
	}{
		"good":      {map[string]any{"weight": "7", "min_gb": 1.5, "disabled": 0, "continuous": true, "then": []byte("b"), "nice": nil, "other": "heavy"}, ""},
		"weight":    {map[string]any{"weight": "heavy"}, `weight: "heavy"; it has to be a number`},
		"a list":    {map[string]any{"priority": []any{1}}, `priority: [1]; it has to be a number`},
		"disabled":  {map[string]any{"disabled": "yes"}, `disabled: "yes"; it has to be true or false`},
		"then":      {map[string]any{"then": 7}, `then: 7; it has to be a text`},
		"very long": {map[string]any{"weight": strings.Repeat("x", 1000)}, "weight: \"xxxxx"},
	} {
		definition, err := Definition(test.spec)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckSpec(definition)
		if test.says == "" && err != nil || test.says != "" && (!job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), test.says) || len(err.Error()) > 200) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.says)
		}
	}
}
