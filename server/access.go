package server

import (
	"slices"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// Sets of roles, for the table.
var (
	anyone    = token.Roles[:]
	admins    = []token.Role{token.Admin}
	operators = []token.Role{token.Admin, token.Operator}
	adders    = []token.Role{token.Admin, token.Operator, token.Submitter}
	workers   = []token.Role{token.Admin, token.Operator, token.Worker}
	lookers   = []token.Role{token.Admin, token.Operator, token.Submitter, token.Reader}
	runners   = []token.Role{token.Admin, token.Operator, token.Submitter, token.Worker}
)

// access is the one table of which roles may call which method. A method that
// is not in it may be called by nobody; a test keeps it complete.
var access = map[string][]token.Role{
	v1.Namespaces_CreateNamespace_FullMethodName:  operators,
	v1.Namespaces_ListNamespaces_FullMethodName:   anyone,
	v1.Namespaces_GetNamespace_FullMethodName:     anyone,
	v1.Namespaces_DestroyNamespace_FullMethodName: operators,

	v1.Jobs_AddJobs_FullMethodName:      adders,
	v1.Jobs_AddBatch_FullMethodName:     adders,
	v1.Jobs_KickJobs_FullMethodName:     adders,
	v1.Jobs_CancelJobs_FullMethodName:   adders,
	v1.Jobs_DeleteJobs_FullMethodName:   adders,
	v1.Jobs_ModifyJobs_FullMethodName:   adders,
	v1.Jobs_GetJob_FullMethodName:       lookers,
	v1.Jobs_ListJobs_FullMethodName:     lookers,
	v1.Jobs_ListOutcomes_FullMethodName: lookers,
	v1.Jobs_CountJobs_FullMethodName:    lookers,
	v1.Jobs_WatchJobs_FullMethodName:    lookers,
	v1.Jobs_WaitJobs_FullMethodName:     lookers,
	v1.Jobs_ListAttempts_FullMethodName: lookers,
	v1.Jobs_StreamLogs_FullMethodName:   lookers,
	v1.Jobs_ExplainJob_FullMethodName:   lookers,

	v1.Jobs_SummariseGroups_FullMethodName: lookers,
	v1.Jobs_ExportJobs_FullMethodName:      lookers,

	v1.Work_Reserve_FullMethodName:     workers,
	v1.Work_Report_FullMethodName:      workers,
	v1.Work_WorkSession_FullMethodName: workers,
	v1.Agents_Attach_FullMethodName:    workers,

	v1.Workers_GetWorker_FullMethodName:      anyone,
	v1.Workers_ListWorkers_FullMethodName:    anyone,
	v1.Workers_AnnounceWorker_FullMethodName: workers,
	v1.Workers_DrainWorker_FullMethodName:    operators,

	v1.Queues_SetQueue_FullMethodName:    operators,
	v1.Queues_GetQueue_FullMethodName:    anyone,
	v1.Queues_ListQueues_FullMethodName:  anyone,
	v1.Queues_DeleteQueue_FullMethodName: operators,
	v1.Queues_PauseQueue_FullMethodName:  operators,
	v1.Queues_ResumeQueue_FullMethodName: operators,
	v1.Queues_PruneQueue_FullMethodName:  operators,

	v1.Accounts_AddAccount_FullMethodName:        admins,
	v1.Accounts_SetAccount_FullMethodName:        admins,
	v1.Accounts_ResetAccount_FullMethodName:      admins,
	v1.Accounts_RemoveAccount_FullMethodName:     admins,
	v1.Accounts_SetDefaultAccount_FullMethodName: admins,
	v1.Accounts_GetAccount_FullMethodName:        lookers,
	v1.Accounts_ListAccounts_FullMethodName:      lookers,

	v1.Kinds_SetKind_FullMethodName:   operators,
	v1.Kinds_ResetKind_FullMethodName: operators,
	v1.Kinds_GetKind_FullMethodName:   lookers,
	v1.Kinds_ListKinds_FullMethodName: lookers,

	v1.Limits_SetLimit_FullMethodName:    adders,
	v1.Limits_RemoveLimit_FullMethodName: operators,
	v1.Limits_GetLimit_FullMethodName:    lookers,
	v1.Limits_ListLimits_FullMethodName:  lookers,

	v1.Units_ListUnits_FullMethodName:        anyone,
	v1.Units_ListUnitAttempts_FullMethodName: anyone,
	v1.Units_ListWorkerUnits_FullMethodName:  anyone,
	v1.Units_ListChildUnits_FullMethodName:   anyone,
	v1.Units_UpdateUnit_FullMethodName:       runners,
	v1.Units_MakeAttempt_FullMethodName:      workers,
	v1.Units_DeleteUnits_FullMethodName:      adders,
	v1.Units_PrioritiseUnits_FullMethodName:  adders,

	v1.Locks_Lock_FullMethodName:        runners,
	v1.Locks_RenewLocks_FullMethodName:  runners,
	v1.Locks_Unlock_FullMethodName:      runners,
	v1.Locks_DeleteLocks_FullMethodName: runners,
	v1.Locks_ReadLocks_FullMethodName:   anyone,
	v1.Locks_ListLocks_FullMethodName:   anyone,

	v1.Pools_CreatePool_FullMethodName:  admins,
	v1.Pools_SetPool_FullMethodName:     admins,
	v1.Pools_WipePool_FullMethodName:    admins,
	v1.Pools_DeletePool_FullMethodName:  admins,
	v1.Pools_GetPool_FullMethodName:     lookers,
	v1.Pools_ListPools_FullMethodName:   lookers,
	v1.Pools_InspectPool_FullMethodName: lookers,

	v1.ExternalScheduler_AssignTasks_FullMethodName:      workers,
	v1.ExternalScheduler_NotifyTasks_FullMethodName:      workers,
	v1.ExternalScheduler_GetCancellations_FullMethodName: workers,
	v1.ExternalScheduler_GetCallbacks_FullMethodName:     workers,

	// What is in an environment may be secret: those who only look do not see it.
	v1.Environments_PutEnvironment_FullMethodName: adders,
	v1.Environments_HasEnvironment_FullMethodName: runners,
	v1.Environments_GetEnvironment_FullMethodName: runners,

	v1.Cron_AddSchedule_FullMethodName:    adders,
	v1.Cron_SetSchedule_FullMethodName:    adders,
	v1.Cron_RemoveSchedule_FullMethodName: adders,
	v1.Cron_RunSchedule_FullMethodName:    adders,
	v1.Cron_GetSchedule_FullMethodName:    lookers,
	v1.Cron_ListSchedules_FullMethodName:  lookers,

	// Who makes a notice has the server send requests, or adds jobs for as long as it
	// is there.
	v1.Notices_AddNotice_FullMethodName:        operators,
	v1.Notices_SetNotice_FullMethodName:        operators,
	v1.Notices_RemoveNotice_FullMethodName:     operators,
	v1.Notices_TestNotice_FullMethodName:       operators,
	v1.Notices_GetNotice_FullMethodName:        lookers,
	v1.Notices_ListNotices_FullMethodName:      lookers,
	v1.Notices_ListDeliveries_FullMethodName:   lookers,
	v1.Notices_RetryDeliveries_FullMethodName:  operators,
	v1.Notices_RemoveDeliveries_FullMethodName: operators,

	// Nobody reads a secret back; what reveals is for whoever holds an attempt.
	v1.Secrets_SetSecret_FullMethodName:     operators,
	v1.Secrets_RemoveSecret_FullMethodName:  operators,
	v1.Secrets_ListSecrets_FullMethodName:   adders,
	v1.Secrets_RevealSecrets_FullMethodName: workers,

	v1.Events_ListEvents_FullMethodName: lookers,

	v1.Server_GetInfo_FullMethodName:  anyone,
	v1.Server_GetStats_FullMethodName: anyone,
	v1.Server_Drain_FullMethodName:    operators,
	v1.Server_Pause_FullMethodName:    operators,
	v1.Server_Resume_FullMethodName:   operators,
	// A backup writes where the caller says, with the server's rights.
	v1.Server_Backup_FullMethodName:   admins,
	v1.Server_Shutdown_FullMethodName: operators,

	v1.Tokens_CreateToken_FullMethodName: admins,
	v1.Tokens_ListTokens_FullMethodName:  admins,
	v1.Tokens_RevokeToken_FullMethodName: admins,
}

// public are the methods that need no token: whether the server is there and
// well is no secret.
var public = map[string]bool{
	"/grpc.health.v1.Health/Check": true,
	"/grpc.health.v1.Health/Watch": true,
}

// allow tells whether a role may call a method.
func allow(method string, t *token.Token) error {
	if slices.Contains(access[ofContract(method)], t.Role) {
		return nil
	}
	return job.Errorf(job.Denied, "the token %s (%s) has the role %s, which may not do this (%s)", t.ID, t.Name, t.Role, method)
}
