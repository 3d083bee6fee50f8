package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// entries are numbers of a log from newest to oldest, at most limit.
func entries(t *testing.T, ns store.Namespace, log job.EventLog, before uint64, limit int) (found []uint64) {
	t.Helper()
	ok(t, ns.Events(log, before, func(e *job.EventRow) bool {
		found = append(found, e.N)
		return len(found) < limit
	}))
	return found
}

func testEvents(t *testing.T, f Factory) {
	s, ns := open(t, f)
	whole := job.EventRow{N: 1 << 40, At: job.TimeOf(day), Kind: "preempted", Pool: "p", Account: "a", Task: "t", Worker: "w", Who: "me",
		Details: map[string]string{"priority": "1"}}
	audit := job.EventRow{N: 4, Kind: job.EventPaused, Who: "me"}
	commit(t, ns, &job.Changes{Events: []job.EventRow{{N: 1}, {N: 2}, {N: 3, Kind: job.EventResumed}, audit, {N: 300}, whole}})
	commit(t, ns, &job.Changes{Events: []job.EventRow{{N: 300, Kind: "again"}}})
	s, ns = reopen(t, f, s, ns)
	same(t, "the log", entries(t, ns, job.TaskLog, 0, 10), []uint64{1 << 40, 300, 2, 1})
	same(t, "the newest", entries(t, ns, job.TaskLog, 0, 1), []uint64{1 << 40})
	same(t, "before 300", entries(t, ns, job.TaskLog, 300, 10), []uint64{2, 1})
	same(t, "before the oldest", len(entries(t, ns, job.TaskLog, 1, 10)), 0)
	same(t, "who changed what", entries(t, ns, job.AuditLog, 0, 10), []uint64{4, 3})
	ok(t, ns.Events(job.TaskLog, 0, func(e *job.EventRow) bool {
		same(t, "entry", *e, whole)
		return false
	}))
	commit(t, ns, &job.Changes{Events: []job.EventRow{{N: 1<<40 + 1}}, EventsBefore: [job.EventLogs]uint64{job.TaskLog: 300}})
	_, ns = reopen(t, f, s, ns)
	same(t, "the log", entries(t, ns, job.TaskLog, 0, 10), []uint64{1<<40 + 1, 1 << 40, 300})
	same(t, "who changed what", entries(t, ns, job.AuditLog, 0, 10), []uint64{4, 3})
	commit(t, ns, &job.Changes{EventsBefore: [job.EventLogs]uint64{job.AuditLog: 4}})
	same(t, "the log", len(entries(t, ns, job.TaskLog, 0, 10)), 3)
	same(t, "who changed what", entries(t, ns, job.AuditLog, 0, 10), []uint64{4})
}

func testDocuments(t *testing.T, f Factory) {
	s, ns := open(t, f)
	large := bytes.Repeat([]byte("x"), 200<<10)
	body := []byte("one")
	commit(t, ns, &job.Changes{Documents: []job.Document{
		{Room: "r", Key: "b/2", Body: []byte("two")}, {Room: "r", Key: "b/1", Body: body}, {Room: "r", Key: "\xff"},
		{Room: "r", Key: "c", Body: large}, {Room: "ra", Key: "", Body: []byte("other")}, {Room: "", Key: "rb", Body: []byte("third")},
	}})
	body[0] = 'X'
	s, ns = reopen(t, f, s, ns)
	read := func(room, prefix string, limit int) (found []string) {
		t.Helper()
		ok(t, ns.Documents(room, prefix, func(key string, body []byte) bool {
			found = append(found, fmt.Sprintf("%s=%.5s(%d)", key, body, len(body)))
			return len(found) < limit
		}))
		return found
	}
	all := []string{"b/1=one(3)", "b/2=two(3)", "c=xxxxx(204800)", "\xff=(0)"}
	same(t, "the room", read("r", "", 10), all)
	same(t, "two of it", read("r", "", 2), all[:2])
	same(t, "those with a prefix", read("r", "b/", 10), all[:2])
	same(t, "those with a prefix of all ones", read("r", "\xff", 10), all[3:])
	same(t, "a room whose name is longer", read("ra", "", 10), []string{"=other(5)"})
	same(t, "the room without a name", read("", "", 10), []string{"rb=third(5)"})
	same(t, "an empty room", len(read("x", "", 10)), 0)
	has := func(rooms ...string) bool {
		t.Helper()
		some, err := s.HasDocuments(t.Context(), "default", rooms...)
		ok(t, err)
		return some
	}
	same(t, "rooms of which one has documents", []bool{has("x", "ra"), has("x", "b"), has()}, []bool{true, false, false})
	_, err := s.HasDocuments(t.Context(), "absent", "r")
	fails(t, "rooms of no namespace", err, job.NotFound)
	commit(t, ns, &job.Changes{Documents: []job.Document{{Room: "r", Key: "b/1", Gone: true}, {Room: "r", Key: "none", Gone: true}, {Room: "r", Key: "c", Body: []byte("new")}}})
	_, ns = reopen(t, f, s, ns)
	same(t, "the room", read("r", "", 10), []string{"b/2=two(3)", "c=new(3)", "\xff=(0)"})
}
