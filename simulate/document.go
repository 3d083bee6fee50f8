package simulate

import (
	"encoding/json"
	"time"

	"github.com/muster-queue/muster/job"
)

// The result as JSON: times in seconds, quota in worker-seconds.
type (
	resultDocument struct {
		Name        string               `json:"name"`
		Duration    seconds              `json:"duration"`
		Workers     float64              `json:"workers"`
		Jobs        int64                `json:"jobs"`
		Done        int64                `json:"done"`
		Left        int64                `json:"left"`
		Stuck       bool                 `json:"stuck"`
		Preemptions int64                `json:"preemptions"`
		Passes      int64                `json:"passes"`
		Resources   map[string]useRecord `json:"resources"`
		Accounts    []accountDocument    `json:"accounts"`
		Notes       []string             `json:"notes"`
		Samples     []sampleDocument     `json:"samples,omitempty"`
	}
	useRecord struct {
		Taken    float64 `json:"taken"`
		Capacity float64 `json:"capacity"`
		Part     float64 `json:"part"`
	}
	accountDocument struct {
		Account    string          `json:"account"`
		Known      bool            `json:"known"`
		Rate       job.Quota       `json:"rate"`
		Used       [levels]float64 `json:"used"`
		Stopping   float64         `json:"stopping"`
		Lost       float64         `json:"lost"`
		Jobs       int64           `json:"jobs"`
		Done       int64           `json:"done"`
		Left       int64           `json:"left"`
		Waiting    int64           `json:"waiting"`
		Wait       timesDocument   `json:"wait"`
		Turnaround seconds         `json:"turnaround"`
		Preempted  int64           `json:"preempted"`
		Preempts   int64           `json:"preempts"`
		Dropped    int64           `json:"dropped"`
		Promoted   int64           `json:"promoted"`
		Demoted    int64           `json:"demoted"`
		Balance    job.Quota       `json:"balance"`
	}
	timesDocument struct {
		Mean seconds `json:"mean"`
		P50  seconds `json:"p50"`
		P95  seconds `json:"p95"`
		Max  seconds `json:"max"`
	}
	sampleDocument struct {
		At       seconds                 `json:"at"`
		Capacity int64                   `json:"capacity"`
		Accounts []accountSampleDocument `json:"accounts"`
	}
	accountSampleDocument struct {
		Account   string          `json:"account"`
		Balance   job.Quota       `json:"balance"`
		Workers   [levels]float64 `json:"workers"`
		Ready     int64           `json:"ready"`
		Running   int             `json:"running"`
		Preempted int64           `json:"preempted"`
	}
)

// seconds is a length of time as JSON has it.
type seconds time.Duration

// MarshalJSON is the number of seconds; null for Never.
func (s seconds) MarshalJSON() ([]byte, error) {
	if time.Duration(s) == Never {
		return []byte("null"), nil
	}
	return json.Marshal(time.Duration(s).Seconds())
}

// JSON is the result for programs, on one line; with its samples, or without. Used
// and workers are by level of quota, the last for free.
func (r *Result) JSON(samples bool) ([]byte, error) {
	d := resultDocument{
		Name: r.Name, Duration: seconds(r.Duration), Workers: r.Workers, Jobs: r.Jobs, Done: r.Done, Left: r.Left, Stuck: r.Stuck,
		Preemptions: r.Preemptions(), Passes: r.Passes, Resources: map[string]useRecord{}, Notes: append([]string{}, r.Notes...),
		Accounts: []accountDocument{},
	}
	for i := range r.Uses {
		u := &r.Uses[i]
		d.Resources[u.Resource] = useRecord{u.Given, u.Capacity, u.Part()}
	}
	for i := range r.Accounts {
		d.Accounts = append(d.Accounts, r.Accounts[i].document())
	}
	if samples {
		for i := range r.Samples {
			d.Samples = append(d.Samples, r.Samples[i].document(r.Accounts))
		}
	}
	b, err := json.Marshal(d)
	if err != nil {
		return nil, job.Errorf(job.Internal, "write the result: %w", err)
	}
	return b, nil
}

func (a *AccountResult) document() accountDocument {
	return accountDocument{
		Account: a.Name, Known: a.Known, Rate: a.Rate, Used: a.Used, Stopping: a.Stopping, Lost: a.Lost,
		Jobs: a.Jobs, Done: a.Done, Left: a.Left, Waiting: a.Waiting, Turnaround: seconds(a.Turnaround),
		Wait:      timesDocument{seconds(a.Wait.Mean), seconds(a.Wait.P50), seconds(a.Wait.P95), seconds(a.Wait.Max)},
		Preempted: a.Preempted, Preempts: a.Preempts, Dropped: a.Dropped, Promoted: a.Promoted, Demoted: a.Demoted,
		Balance: a.Balance,
	}
}

func (x *Sample) document(accounts []AccountResult) sampleDocument {
	d := sampleDocument{At: seconds(x.At), Capacity: x.Capacity}
	for i := range x.Accounts {
		a := &x.Accounts[i]
		d.Accounts = append(d.Accounts, accountSampleDocument{
			Account: accounts[i].Name, Balance: a.Balance, Workers: a.Workers, Ready: a.Ready, Running: a.Running, Preempted: a.Preempted,
		})
	}
	return d
}
