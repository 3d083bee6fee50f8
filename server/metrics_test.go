package server

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/server/token"
)

// scrape is what Prometheus reads with a token.
func scrape(t *testing.T, s *Server, token string) map[string]*dto.MetricFamily {
	t.Helper()
	code, body := request(t, s, "GET", "/metrics", token, "")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value is that of the one series with these labels, "name=value" each.
func value(t *testing.T, f *dto.MetricFamily, labels ...string) float64 {
	t.Helper()
	for _, m := range f.GetMetric() {
		have := map[string]bool{}
		for _, l := range m.Label {
			have[l.GetName()+"="+l.GetValue()] = true
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !have[l] }) {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Errorf("%s has no series with %v", f.GetName(), labels)
	return 0
}

// addBusiness makes an account, jobs of it with a label, and a pool with a task.
func addBusiness(t *testing.T, s *Server) {
	t.Helper()
	conn, ctx := dial(t, s), as(t, s.Token())
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(v1.NewAccountsClient(conn).AddAccount(ctx, &v1.AddAccountRequest{
		Account: &v1.Account{Name: "lab", Rate: []float64{2}}, Balance: []float64{100},
	}))
	must(v1.NewLimitsClient(conn).SetLimit(ctx, &v1.SetLimitRequest{Limit: &v1.Limit{Name: "disc", Max: proto.Int64(3)}}))
	data := func(key string) *v1.Job {
		return &v1.Job{Queue: "q", Key: key, Data: []byte{0xa0}, Account: "lab", Prefer: []string{"disk:ssd"}, Limits: []*v1.LimitUse{{Name: "disc"}}}
	}
	must(v1.NewJobsClient(conn).AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{data("a"), data("b"), data("c")}}))
	work := v1.NewWorkClient(conn)
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", N: 2, Want: &v1.Want{}})
	if err != nil || len(got.Grants) != 2 {
		t.Fatal(got, err)
	}
	g := got.Grants[0]
	must(work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete}}}))
	must(v1.NewPoolsClient(conn).CreatePool(ctx, &v1.CreatePoolRequest{Pool: &v1.Pool{Name: "fleet"}}))
}

func TestMetrics(t *testing.T) {
	s := testServer(t, func(c *Config) { c.Version = "1.2.3" })
	addBusiness(t, s)
	got := scrape(t, s, s.Token())
	for _, c := range []struct {
		name, labels string
		want         float64
	}{
		{"muster_build_info", "version=1.2.3", 1},
		{"muster_healthy", "", 1},
		{"muster_jobs", "namespace=default state=ready", 1},
		{"muster_jobs", "namespace=default state=reserved", 1},
		{"muster_jobs", "namespace=default state=complete", 1},
		{"muster_queue_jobs", "queue=q state=ready", 1},
		{"muster_tasks", "pool= state=waiting level=0", 1},
		{"muster_tasks", "pool= state=waiting level=free", 0},
		{"muster_workers", "pool= state=busy", 1},
		{"muster_task_labels", "label=disk:ssd running=true", 1},
		{"muster_task_labels", "label=disk:ssd running=false", 1},
		{"muster_account_rate_workers", "account=lab level=0", 2},
		{"muster_account_ready", "account=lab", 1},
		{"muster_tasks_enqueued_total", "namespace=default pool=", 3},
		{"muster_tasks_assigned_total", "preempting=false provision_required=true", 2},
		{"muster_tasks_completed_total", "reason=complete", 1},
		{"muster_tasks_preempted_total", "pool=", 0},
		{"muster_job_transitions_total", "cause=add to=ready", 3},
		{"muster_limit_max", "limit=disc", 3},
		{"muster_limit_used", "limit=disc", 1},
		{"muster_limit_waiting", "limit=disc", 1},
		{"muster_namespace_paused", "namespace=default", 0},
		{"muster_reloads_total", "namespace=default", 0},
	} {
		if got[c.name] == nil {
			t.Errorf("there is no %s", c.name)
			continue
		}
		if v := value(t, got[c.name], strings.Fields(c.labels)...); v != c.want {
			t.Errorf("%s{%s} is %v; want %v", c.name, c.labels, v, c.want)
		}
	}
	for _, name := range []string{"muster_account_balance_worker_seconds", "muster_batch_commands", "go_goroutines", "process_start_time_seconds"} {
		if f := got[name]; f == nil || value(t, f) <= 0 {
			t.Errorf("%s is %v", name, f)
		}
	}
	if value(t, got["muster_log_entries"], "log=audit") < 2 || value(t, got["muster_log_entries"], "log=task") != 3 {
		t.Errorf("entries: %v", got["muster_log_entries"])
	}
}

// Who may read the metrics, and that a token for one namespace sees only that.
func TestMetricsNeedAToken(t *testing.T) {
	s := testServer(t, nil)
	for name, want := range map[string]int{"": 401, "nonsense": 401} {
		if code, _ := request(t, s, "GET", "/metrics", name, ""); code != want {
			t.Errorf("token %q: %d; want %d", name, code, want)
		}
	}
	if err := s.Engine().CreateNamespace(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "other"} {
		if _, err := s.Engine().Namespace(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	_, secret, err := s.tokens.Create(token.Token{Name: "p", Role: token.Reader, Namespace: "other"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := scrape(t, s, secret)
	if got["go_goroutines"] != nil || got["muster_healthy"] != nil || len(got["muster_namespace_paused"].GetMetric()) != 1 {
		t.Errorf("a token of namespace other sees %v", slices.Sorted(maps.Keys(got)))
	}
	value(t, got["muster_namespace_paused"], "namespace=other")
}

// A label that no job asks for any more is told as zero.
func TestMetricsRememberLabels(t *testing.T) {
	m := newMetrics(nil)
	m.remember("ns", &engine.Figures{Labels: []engine.LabelFigures{{Label: "a:1", Waiting: 3}, {Label: "b:1"}}})
	f := &engine.Figures{Labels: []engine.LabelFigures{{Label: "c:1", Held: 1}}}
	m.remember("ns", f)
	if got := fmt.Sprint(f.Labels); got != "[{c:1 0 1 0 0} {a:1 0 0 0 0} {b:1 0 0 0 0}]" {
		t.Errorf("labels %s", got)
	}
	for i := range 5 * engine.MaxFigures {
		f := &engine.Figures{Labels: []engine.LabelFigures{{Label: fmt.Sprint("n:", i)}}}
		m.remember("ns", f)
		if len(f.Labels) > 2*engine.MaxFigures+2 {
			t.Fatalf("%d labels are remembered", len(f.Labels))
		}
	}
}

// Numbers are read once a second, however many ask.
func TestMetricsAreReadOnceASecond(t *testing.T) {
	s := testServer(t, nil)
	m := newMetrics(s)
	m.read(t.Context())
	first := m.at
	if m.read(t.Context()); m.at != first {
		t.Error("read twice at once")
	}
	m.at = first.Add(-metricsAge)
	if m.read(t.Context()); m.at.Before(first) {
		t.Error("not read again after a second")
	}
}

// The page about operating names every metric with its labels, and none that there
// is not.
func TestMetricsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	seen := map[string]bool{}
	for _, f := range metricFamilies {
		kind := map[prometheus.ValueType]string{asGauge: "gauge", asCounter: "counter", asHistogram: "histogram"}[f.kind]
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", f.name, kind, strings.Join(f.labels, ", "), f.help)
		if !strings.Contains(page, row) {
			t.Errorf("docs/operations.md lacks\n%s", row)
		}
		if seen[f.name] || (f.kind == asCounter) != strings.HasSuffix(f.name, "_total") {
			t.Errorf("%s is there twice, or its name does not tell that it is a %s", f.name, kind)
		}
		seen[f.name] = true
	}
	if n := strings.Count(page, "| `muster_"); n != len(metricFamilies) {
		t.Errorf("docs/operations.md has %d metrics; there are %d", n, len(metricFamilies))
	}
}
