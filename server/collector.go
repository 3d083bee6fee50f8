package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-queue/muster/dispatch/external"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/tally"
)

// collector turns the numbers of a server into what Prometheus reads, for one request.
type collector struct {
	*metrics
	ctx context.Context
	// only is the one namespace that the caller may see; empty: all, and the server.
	only string

	to    chan<- prometheus.Metric
	descs map[string]*prometheus.Desc
	kinds map[string]prometheus.ValueType
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	c.descs, c.kinds = map[string]*prometheus.Desc{}, map[string]prometheus.ValueType{}
	for _, f := range metricFamilies {
		c.descs[f.name], c.kinds[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil), f.kind
		to <- c.descs[f.name]
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	c.to = to
	c.read(c.ctx)
	namespaces, pools := c.snapshot(c.only)
	if c.only == "" {
		c.ofServer()
	}
	for name, f := range namespaces {
		c.ofNamespace(name, f)
	}
	for i := range pools {
		c.ofPool(&pools[i])
	}
}

// put tells a value; labels are in the order of the table.
func (c *collector) put(name string, v float64, labels ...string) {
	desc, ok := c.descs[name]
	if !ok {
		panic(fmt.Sprintf("metric %s is not in the table", name))
	}
	for i := range labels {
		labels[i] = text(labels[i])
	}
	c.to <- prometheus.MustNewConstMetric(desc, c.kinds[name], v, labels...)
}

func (c *collector) ofServer() {
	st := c.server.engine.StoreStats()
	c.put("muster_build_info", 1, c.server.cfg.Version)
	c.put("muster_healthy", number(c.server.engine.Health() == nil))
	c.put("muster_store_bytes", float64(st.DiskBytes))
	c.put("muster_store_free_bytes", float64(st.FreeBytes))
	c.put("muster_store_fsync_seconds", st.SyncP50.Seconds())
	c.put("muster_watchers", float64(c.server.watchers.Load()))
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// logNames are the logs as a label names them.
var logNames = [job.EventLogs]string{job.TaskLog: "task", job.AuditLog: "audit"}

func (c *collector) ofNamespace(ns string, f *engine.Figures) {
	c.counts("muster_jobs", &f.Counts, ns)
	for i := range f.Queues {
		c.counts("muster_queue_jobs", &f.Queues[i].Counts, ns, f.Queues[i].Name)
	}
	c.put("muster_namespace_paused", number(f.Paused || f.Draining), ns)
	for log, n := range f.Logged {
		c.put("muster_log_entries", float64(n), ns, logNames[log])
	}
	for _, m := range f.Moves {
		c.put("muster_job_transitions_total", float64(m.N), ns, m.Cause, m.To.String())
	}
	c.put("muster_schedules", float64(f.Schedules), ns)
	d := &f.Deliveries
	c.put("muster_notice_pending", float64(d.Pending), ns)
	c.put("muster_notice_deliveries_total", float64(d.Sent), ns, "sent")
	c.put("muster_notice_deliveries_total", float64(d.Failed), ns, "failed")
	c.put("muster_notice_deliveries_total", float64(d.Dead), ns, "dead")
	total, upTo := f.Batches.Cumulative()
	c.to <- prometheus.MustNewConstHistogram(c.descs["muster_batch_commands"], total, f.Batches.Sum, upTo, ns)
	c.put("muster_reloads_total", float64(f.Failed), ns)
	for level := range f.Ready {
		c.put("muster_tasks", float64(f.Ready[level]), ns, "", "waiting", levelName(level))
		c.put("muster_tasks", float64(f.Held[level]), ns, "", "running", levelName(level))
	}
	c.workers(ns, "", &f.Workers)
	for i := range f.Labels {
		l := &f.Labels[i]
		c.put("muster_task_labels", float64(l.Waiting), ns, "", l.Label, "false")
		c.put("muster_task_labels", float64(l.Held), ns, "", l.Label, "true")
		c.put("muster_worker_labels", float64(l.IdleWorkers), ns, "", l.Label, "false")
		c.put("muster_worker_labels", float64(l.BusyWorkers), ns, "", l.Label, "true")
	}
	for i := range f.Limits {
		c.limit(ns, &f.Limits[i])
	}
	c.accounts(ns, "", f.Accounts)
	c.decided(ns, "", &f.Decided)
}

// limit tells what a limit is, if it has a number, and what is used of it.
func (c *collector) limit(ns string, l *engine.LimitState) {
	used := l.Used
	if l.Rate() {
		used = l.Started
	}
	if l.Known && l.Max >= 0 {
		c.put("muster_limit_max", float64(l.Max), ns, l.Name)
	}
	c.put("muster_limit_used", float64(used), ns, l.Name)
	c.put("muster_limit_waiting", float64(l.Ready), ns, l.Name)
}

// counts tells the jobs of each state, which is the last label.
func (c *collector) counts(name string, counts *job.Counts, labels ...string) {
	for state, n := range counts {
		if s := job.State(state); s != job.Absent {
			c.put(name, float64(n), append(slices.Clip(labels), s.String())...)
		}
	}
}

func (c *collector) workers(ns, pool string, w *engine.WorkerFigures) {
	c.put("muster_workers", float64(w.Idle), ns, pool, "idle")
	c.put("muster_workers", float64(w.Busy), ns, pool, "busy")
	c.put("muster_workers", float64(w.Draining), ns, pool, "draining")
	c.put("muster_workers", float64(w.Silent), ns, pool, "silent")
}

func levelName(level int) string { return schedule.Level(level).Word() }

func (c *collector) accounts(ns, pool string, list []engine.AccountState) {
	for i := range list {
		a := &list[i]
		for level := range a.Balance {
			c.put("muster_account_balance_worker_seconds", a.Balance[level], ns, pool, a.Name, levelName(level))
			c.put("muster_account_rate_workers", a.Rate[level], ns, pool, a.Name, levelName(level))
		}
		for level, n := range a.Running {
			c.put("muster_account_running", float64(n), ns, pool, a.Name, levelName(level))
		}
		c.put("muster_account_ready", float64(a.Ready), ns, pool, a.Name)
	}
}

// decided tells what was decided about tasks.
func (c *collector) decided(ns, pool string, d *tally.Counts) {
	c.put("muster_tasks_enqueued_total", float64(d.Enqueued), ns, pool)
	for as, n := range d.Assigned {
		c.put("muster_tasks_assigned_total", float64(n), ns, pool, strconv.FormatBool(as.Preempting), strconv.FormatBool(as.ProvisionRequired))
	}
	for reason, n := range d.Completed {
		c.put("muster_tasks_completed_total", float64(n), ns, pool, reason)
	}
	c.put("muster_tasks_preempted_total", float64(d.Preempted), ns, pool)
	c.put("muster_tasks_reprioritized_total", float64(d.Reprioritized), ns, pool)
	c.put("muster_tasks_unassigned_total", float64(d.Unassigned), ns, pool)
	for by, v := range d.Spent {
		c.put("muster_account_spend_worker_seconds_total", v, ns, pool, by.Account, levelName(by.Level))
	}
	for by, v := range d.LabelSpent {
		c.put("muster_account_label_spend_worker_seconds_total", v, ns, pool, by.Label, levelName(by.Level))
	}
}

// ofPool tells the numbers of an external scheduler's pool; those of the present only
// while it is in memory.
func (c *collector) ofPool(f *external.Figures) {
	ns, pool := f.Namespace, f.Pool
	c.put("muster_pool_batches_total", float64(f.Batches), ns, pool, "true")
	c.put("muster_pool_batches_total", float64(f.FailedBatches), ns, pool, "false")
	c.put("muster_pool_operations_total", float64(f.Operations), ns, pool)
	c.decided(ns, pool, &f.Counts)
	if !f.Loaded {
		return
	}
	c.put("muster_tasks", float64(f.Waiting), ns, pool, "waiting", "")
	running := make([]int64, job.QuotaLevels+1)
	for i := range f.AccountStates {
		for level, n := range f.AccountStates[i].Running {
			running[level] += n
		}
	}
	free := f.Running
	for level, n := range running[:job.QuotaLevels] {
		c.put("muster_tasks", float64(n), ns, pool, "running", levelName(level))
		free -= n
	}
	c.put("muster_tasks", float64(free), ns, pool, "running", levelName(job.QuotaLevels))
	c.workers(ns, pool, &engine.WorkerFigures{Idle: f.Idle, Busy: f.Running})
	c.accounts(ns, pool, f.AccountStates)
	c.put("muster_pool_unacknowledged", float64(f.Unacknowledged), ns, pool)
	c.put("muster_pool_task_errors", float64(f.TaskErrors), ns, pool)
}
