package server

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metricFamily is one metric: what Prometheus calls a family.
type metricFamily struct {
	name   string
	kind   prometheus.ValueType // untyped for histograms
	help   string
	labels []string
}

const (
	asGauge     = prometheus.GaugeValue
	asCounter   = prometheus.CounterValue
	asHistogram = prometheus.UntypedValue
)

// Sets of labels. An empty pool means the namespace's own jobs; a level is a level
// of quota, 0 to 4, or free.
var (
	ofServer    []string
	ofNamespace = []string{"namespace"}
	ofTasks     = []string{"namespace", "pool"}
	ofAccounts  = []string{"namespace", "pool", "account", "level"}
	ofLabels    = []string{"namespace", "pool", "label", "running"}
)

func more(labels []string, own ...string) []string {
	return append(slices.Clip(labels), own...)
}

// metricFamilies is the one table of what the server itself measures. A test keeps
// docs/operations.md in line with it.
var metricFamilies = []metricFamily{
	{"muster_build_info", asGauge, "Always 1; the label tells the version of the server.", []string{"version"}},
	{"muster_healthy", asGauge, "1 while new work is accepted, else 0.", ofServer},
	{"muster_store_bytes", asGauge, "Bytes that the store takes on its disk.", ofServer},
	{"muster_store_free_bytes", asGauge, "Bytes that are free on the store's disk.", ofServer},
	{"muster_store_fsync_seconds", asGauge, "Median time of the last fsyncs.", ofServer},
	{"muster_watchers", asGauge, "Callers that watch or wait at present.", ofServer},

	{"muster_jobs", asGauge, "Jobs by state.", more(ofNamespace, "state")},
	{"muster_queue_jobs", asGauge, "Jobs by queue and state; the first 1000 queues by name.", more(ofNamespace, "queue", "state")},
	{"muster_limit_max", asGauge, "Units that a limit lets run at once, or start in its period; the first 1000 limits by name.", more(ofNamespace, "limit")},
	{"muster_limit_used", asGauge, "Units of a limit in use; of a rate, those used up at present.", more(ofNamespace, "limit")},
	{"muster_limit_waiting", asGauge, "Jobs that carry a limit and could run.", more(ofNamespace, "limit")},
	{"muster_namespace_paused", asGauge, "1 while the namespace gives out no jobs since it is paused or draining, else 0.", ofNamespace},
	{"muster_log_entries", asGauge, "Entries kept in the logs: task or audit.", more(ofNamespace, "log")},
	{"muster_job_transitions_total", asCounter, "Changes of the states of jobs, by cause and new state.", more(ofNamespace, "cause", "to")},
	{"muster_schedules", asGauge, "Schedules of the namespace.", ofNamespace},
	{"muster_notice_pending", asGauge, "Deliveries of notices that are to be made.", ofNamespace},
	{"muster_notice_deliveries_total", asCounter, "What became of deliveries: sent, failed (a try), dead (given up).", more(ofNamespace, "outcome")},
	{"muster_batch_commands", asHistogram, "Commands answered by one commit.", ofNamespace},
	{"muster_reloads_total", asCounter, "Times the namespace was loaded again since a commit or a turn failed.", ofNamespace},

	{"muster_tasks", asGauge, "Tasks that wait or run, by the level of quota at which they would start, or run. What waits in a pool has no level.", more(ofTasks, "state", "level")},
	{"muster_workers", asGauge, "Workers: idle, busy, draining or silent.", more(ofTasks, "state")},
	{"muster_task_labels", asGauge, "Tasks that ask for a label or prefer it, those that run and those that could.", ofLabels},
	{"muster_worker_labels", asGauge, "Workers with a label that tasks ask for, those that run something and the others.", ofLabels},
	{"muster_account_balance_worker_seconds", asGauge, "Quota of an account; the first 1000 accounts by name.", ofAccounts},
	{"muster_account_rate_workers", asGauge, "Quota that an account gains per second: the workers it may have in the long run.", ofAccounts},
	{"muster_account_running", asGauge, "Jobs of an account that run.", ofAccounts},
	{"muster_account_ready", asGauge, "Jobs of an account that could run.", more(ofTasks, "account")},
	{"muster_pool_unacknowledged", asGauge, "Decisions for a pool's workers that nobody has acknowledged.", ofTasks},
	{"muster_pool_task_errors", asGauge, "Tasks of a pool that cannot be scheduled.", ofTasks},

	{"muster_tasks_enqueued_total", asCounter, "Tasks added.", ofTasks},
	{"muster_tasks_assigned_total", asCounter, "Tasks given to workers, by whether another had to go for it and whether the worker lacked labels that it prefers.", more(ofTasks, "preempting", "provision_required")},
	{"muster_tasks_completed_total", asCounter, "Runs that ended, by reason; those of victims are not among them.", more(ofTasks, "reason")},
	{"muster_tasks_preempted_total", asCounter, "Runs stopped so that a better task got the place.", ofTasks},
	{"muster_tasks_reprioritized_total", asCounter, "Runs moved to another level of quota.", ofTasks},
	{"muster_tasks_unassigned_total", asCounter, "Tasks taken back before they began.", ofTasks},
	{"muster_account_spend_worker_seconds_total", asCounter, "What runs that ended have cost an account.", ofAccounts},
	{"muster_account_label_spend_worker_seconds_total", asCounter, "The same by the labels that the tasks asked for.", more(ofTasks, "label", "level")},
	{"muster_pool_batches_total", asCounter, "Batches of a pool, by whether they could be stored.", more(ofTasks, "success")},
	{"muster_pool_operations_total", asCounter, "Operations in the batches of a pool.", ofTasks},
}
