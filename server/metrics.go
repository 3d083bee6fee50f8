package server

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/dispatch/external"
	"github.com/muster-queue/muster/engine"
)

// metrics are the numbers of a server for Prometheus. They are read at most once a
// second, however many ask: for each namespace in memory that is one short turn of
// its writer. A namespace that left memory keeps the numbers it had.
type metrics struct {
	server  *Server
	process *prometheus.Registry

	mu         sync.Mutex
	at         time.Time
	namespaces map[string]*engine.Figures
	pools      []external.Figures
	// labels are those once seen, so that they go to zero rather than vanish.
	labels map[string]map[string]bool
}

// metricsAge is how old the numbers may be that a request gets.
const metricsAge = time.Second

func newMetrics(s *Server) *metrics {
	m := &metrics{
		server: s, process: prometheus.NewRegistry(),
		namespaces: map[string]*engine.Figures{}, labels: map[string]map[string]bool{},
	}
	m.process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// serve answers GET /metrics. It needs a token as all else does; one that is good
// for a namespace only sees that one.
func (m *metrics) serve(w http.ResponseWriter, r *http.Request) {
	h, err := m.server.tokens.Check(bearer(r.Header.Values("Authorization")), time.Now())
	if err == nil {
		err = allow(v1.Accounts_ListAccounts_FullMethodName, &h.Token) // balances are among them
	}
	if err == nil {
		err = m.server.rates.take(h.ID)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	own := prometheus.NewRegistry()
	own.MustRegister(&collector{metrics: m, ctx: r.Context(), only: h.Namespace})
	all := prometheus.Gatherers{own}
	if h.Namespace == "" {
		all = append(all, m.process)
	}
	promhttp.HandlerFor(all, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// read brings the numbers up to date. What cannot be read stays as it was.
func (m *metrics) read(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && time.Since(m.at) < metricsAge {
		return
	}
	if names, err := m.server.engine.Namespaces(ctx); err == nil {
		maps.DeleteFunc(m.namespaces, func(name string, _ *engine.Figures) bool { return !slices.Contains(names, name) })
		maps.DeleteFunc(m.labels, func(name string, _ map[string]bool) bool { return !slices.Contains(names, name) })
	}
	for name, ns := range m.server.engine.Running() {
		if f, err := ns.Figures(ctx); err == nil {
			m.remember(name, f)
			m.namespaces[name] = f
		}
	}
	if pools, err := m.server.external.Figures(ctx); err == nil {
		m.pools = pools
	}
	if ctx.Err() == nil {
		m.at = time.Now()
	}
}

// remember adds the labels that were there once, as zero. Of too many those that are
// zero are forgotten.
func (m *metrics) remember(namespace string, f *engine.Figures) {
	seen := m.labels[namespace]
	if seen == nil || len(seen) > 2*engine.MaxFigures {
		seen = map[string]bool{}
		m.labels[namespace] = seen
	}
	here := map[string]bool{}
	for i := range f.Labels {
		here[f.Labels[i].Label], seen[f.Labels[i].Label] = true, true
	}
	for _, label := range slices.Sorted(maps.Keys(seen)) {
		if !here[label] {
			f.Labels = append(f.Labels, engine.LabelFigures{Label: label})
		}
	}
}

// snapshot is what read found last, for one namespace or (no name) all.
func (m *metrics) snapshot(only string) (namespaces map[string]*engine.Figures, pools []external.Figures) {
	m.mu.Lock()
	defer m.mu.Unlock()
	namespaces = maps.Clone(m.namespaces)
	pools = slices.Clone(m.pools)
	if only != "" {
		maps.DeleteFunc(namespaces, func(name string, _ *engine.Figures) bool { return name != only })
		pools = slices.DeleteFunc(pools, func(f external.Figures) bool { return f.Namespace != only })
	}
	return namespaces, pools
}
