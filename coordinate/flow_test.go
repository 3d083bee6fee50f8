package coordinate

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

type dict = map[string]any

func TestNewFlow(t *testing.T) {
	flows := dict{
		"alone": dict{"min_gb": 1, "desc": "x"},
		"line": map[any]any{
			"first": dict{"min_gb": 0.5, "then": "line.2", "config": dict{"own": dict{"deep": []any{1, "two"}}, "shared": dict{"b": nil, "c": 3}}},
			2:       dict{"min_gb": 1, "name": "another", "weight": 7},
			"in":    dict{"deeper": dict{"min_gb": 2, "then": "alone"}},
		},
	}
	queues, err := NewFlow(flows, dict{"shared": dict{"a": 1, "b": 2}})
	if err != nil {
		t.Fatal(err)
	}
	var names, configs []string
	for _, q := range queues {
		names = append(names, q.Name)
		spec := cborrpc.Value(q.Definition)
		if name, _ := spec.Get("name").Str(); name != q.Name || q.Order != job.OrderKey || q.MinMemory == 0 {
			t.Errorf("queue %+v", q)
		}
		configs = append(configs, spec.Get("config").String())
	}
	if diff := cmp.Diff([]string{"alone", "line.2", "line.first", "line.in.deeper"}, names); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
	shared := `{"shared": {"a": 1, "b": 2}}`
	first := `{"own": {"deep": [1, "two"]}, "shared": {"a": 1, "c": 3}}`
	if diff := cmp.Diff([]string{shared, shared, first, shared}, configs); diff != "" {
		t.Errorf("configurations (-want +got):\n%s", diff)
	}
	if queues[2].Then != "line.2" || queues[1].Weight != 7 {
		t.Errorf("settings %+v", queues)
	}
}

func TestNewFlowRefuses(t *testing.T) {
	deep := dict{"min_gb": 1}
	for range maxFlow + 1 {
		deep = dict{"x": deep}
	}
	for what, tt := range map[string]struct {
		flows dict
		words string
	}{
		"a chain out of the flow": {dict{"a": dict{"min_gb": 1, "then": "b"}}, `a: its then, "b", is no work spec of this flow`},
		"no dictionary":           {dict{"a": dict{"b": 3}}, `at a.b what is neither`},
		"null":                    {dict{"a": nil}, `at a what is neither`},
		"two of a name":           {dict{"a.b": dict{"min_gb": 1}, "a": dict{"b": dict{"min_gb": 1}}}, "two work specs that are called a.b"},
		"no name for a queue":     {dict{"": dict{"": dict{"min_gb": 1}}, "a\n": dict{"min_gb": 1}}, "a"},
		"too deep":                {deep, "nested"},
	} {
		if _, err := NewFlow(tt.flows, nil); !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := NewFlow([]any{}, nil); !job.IsKind(err, job.Invalid) {
		t.Errorf("a list for a flow: %v", err)
	}
	if queues, err := NewFlow(map[any]any{}, nil); err != nil || len(queues) != 0 {
		t.Errorf("an empty flow: %v, %v", queues, err)
	}
}

// TestSettings: what SetDefinition changes is in the list, and nothing else is.
func TestSettings(t *testing.T) {
	keep := int64(7)
	before := job.Queue{Name: "q", KeepFinished: &keep, Lease: time.Minute, Account: "a"}
	after := before
	err := SetDefinition(&after, dict{
		"name": "q", "priority": 1, "weight": 2, "disabled": true, "continuous": true, "interval": 3, "max_running": 4, "max_getwork": 5,
		"max_retries": 6, "then": "t", "runtime": "r", "min_gb": 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]bool{}
	a, b := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			changed[strings.ToLower(a.Type().Field(i).Name)] = true
		}
	}
	want := map[string]bool{}
	for _, name := range Settings() {
		want[strings.ReplaceAll(name, "_", "")] = true
	}
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Fatalf("settings (-listed +changed):\n%s", diff)
	}
}
